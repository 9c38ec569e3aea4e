"""The events that wait in a process: bounded, in order, conflated where they may be. No threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import count, islice

from drf_model_pusher.events import PusherEvent


@dataclass(kw_only=True, slots=True)
class QueuedEvent:
    """An event in the queue."""

    event: PusherEvent
    since: float
    """When it came, in seconds of the monotonic clock."""
    attempts: int = 0
    """How often it was tried; a try that failed may have reached subscribers."""
    known: bool = False
    """Whether somebody outside, besides the creator, may know what was created."""


class EventQueue:
    """First in, first out; the oldest event makes room where there is none."""

    def __init__(self, size: int) -> None:
        self.size = size
        # A plain dict would search past all that has left for the first that is still there.
        self._waiting: OrderedDict[int, QueuedEvent] = OrderedDict()
        self._numbers = count()
        self._latest: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def first(self, limit: int) -> list[PusherEvent]:
        """Return the oldest events, which stay."""
        return [entry.event for entry in islice(self._waiting.values(), limit)]

    def put(self, event: PusherEvent, *, now: float) -> PusherEvent | None:
        """Add an event; return the one that had to go for it, if any."""
        self._add(QueuedEvent(event=event, since=now))
        return self._pop().event if len(self._waiting) > self.size else None

    def put_back(self, entries: Iterable[QueuedEvent]) -> list[PusherEvent]:
        """Put entries before all others; return the events that had to go for them."""
        behind = list(self._waiting.values())
        self._waiting.clear()
        self._latest.clear()
        for entry in (*entries, *behind):
            self._add(entry)
        return [self._pop().event for _ in range(len(self) - self.size)]

    def take(self, limit: int, *, failing: Collection[str | None] = ()) -> list[QueuedEvent]:
        """Remove and return the oldest entries.

        Args:
            limit: How many at most.
            failing: Providers whose events must not be in the way of the others': these are all
                taken as well, whatever the limit.
        """
        if not failing:
            return [self._pop() for _ in range(min(limit, len(self)))]
        taken = []
        for number, entry in self._waiting.items():
            if entry.event.provider not in failing:
                taken.append(number)
            elif limit:
                taken.append(number)
                limit -= 1
        for number in reversed(taken):
            self._waiting.move_to_end(number, last=False)
        return [self._pop() for _ in taken]

    def _pop(self) -> QueuedEvent:
        number, entry = self._waiting.popitem(last=False)
        key = entry.event.conflation_key
        if key is not None and self._latest.get(key) == number:
            del self._latest[key]
        return entry

    def _add(self, entry: QueuedEvent) -> None:
        key = entry.event.conflation_key
        if key is not None and key in self._latest and self._conflate(self._latest[key], entry):
            return
        number = next(self._numbers)
        self._waiting[number] = entry
        if key is not None:
            self._latest[key] = number

    def _conflate(self, number: int, later: QueuedEvent) -> bool:
        """Let a waiting entry become the net effect of itself and a later one, if there is one."""
        earlier = self._waiting[number]
        if cancels_out(earlier, later.event):
            del self._waiting[number], self._latest[str(later.event.conflation_key)]
            return True
        event = net_effect(earlier.event, later.event)
        if event is None:
            return False
        if event.change == "create" and earlier.event.socket_id != later.event.socket_id:
            earlier.known = True  # to its creator, of whom the merged event says nothing
        earlier.event = event
        earlier.attempts = max(earlier.attempts, later.attempts)
        earlier.since = later.since
        return True


def cancels_out(earlier: QueuedEvent, later: PusherEvent) -> bool:
    """Return whether both can be left out: a creation and a deletion that nobody saw.

    The creator has seen it in the response; so has whoever was reached by a try that failed.
    """
    created = earlier.event
    return (
        (created.change, later.change) == ("create", "delete")
        and created.channels == later.channels
        and not earlier.attempts
        and not earlier.known
        and created.socket_id in (None, later.socket_id)
    )


def net_effect(earlier: PusherEvent, later: PusherEvent) -> PusherEvent | None:
    """Return the one event that says what two say, or None if it takes both."""
    if earlier.channels != later.channels:
        return None
    match earlier.change, later.change:
        case ("update", "update") | ("update", "delete") | ("create", "delete"):
            return later
        case ("create", "update"):
            # Each writer knows its own part; whoever wrote only one of them lacks the other.
            same = earlier.socket_id == later.socket_id
            socket_id = later.socket_id if same else None
            return replace(later, name=earlier.name, change="create", socket_id=socket_id)
    return None
