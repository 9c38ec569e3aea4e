"""The last event of each cache channel. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedEvent:
    """An event that late subscribers are given."""

    frame: str
    data: str
    expires: float


class EventCache:
    """What was last published, for as long as it is worth anything.

    It outlives the channel's subscribers, so it is bounded by number as well as by age.
    """

    def __init__(self, *, ttl: float, size: int, miss_interval: float) -> None:
        self._ttl = ttl
        self._size = size
        self._miss_interval = miss_interval
        self._events: OrderedDict[str, CachedEvent] = OrderedDict()
        self._misses: dict[str, float] = {}

    def put(self, channel: str, frame: str, data: str, now: float) -> None:
        """Keep an event in the place of the channel's last."""
        self._events.pop(channel, None)
        self._misses.pop(channel, None)
        self._events[channel] = CachedEvent(frame=frame, data=data, expires=now + self._ttl)
        if len(self._events) > self._size:
            self._events.popitem(last=False)

    def get(self, channel: str, now: float) -> CachedEvent | None:
        """Return the channel's last event, unless it is too old."""
        cached = self._events.get(channel)
        return cached if cached and cached.expires > now else None

    def is_new_miss(self, channel: str, now: float) -> bool:
        """Say whether a miss is worth reporting: once in an interval for each channel."""
        if now - self._misses.get(channel, float("-inf")) < self._miss_interval:
            return False
        self._misses[channel] = now
        return True

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        # All live equally long, so the old ones stand in front.
        while self._events and next(iter(self._events.values())).expires <= now:
            self._events.popitem(last=False)
        self._misses = {
            channel: time
            for channel, time in self._misses.items()
            if now - time < self._miss_interval
        }
