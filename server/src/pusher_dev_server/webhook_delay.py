"""Webhook events, and the wait for those who come back at once. Pure.

A reload of a page leaves and returns within a second or two. The hosted service holds the news of
a leaving for up to three seconds, and drops both if the return comes in time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

WebhookEvent = dict[str, Any]


class WebhookDelay:
    """Passes webhook events on, and holds back the ones that a return would cancel."""

    def __init__(self, emit: Callable[[WebhookEvent], None], hold: float) -> None:
        self.emit = emit
        self._hold = hold
        # Ordered, because taking many from the front of a plain dict is slow.
        self._held: OrderedDict[tuple[str, str | None], tuple[float, WebhookEvent]] = OrderedDict()

    def occupied(self, channel: str) -> None:
        """Report a channel's first subscriber, unless its last one left a moment ago."""
        if self._held.pop((channel, None), None) is None:
            self.emit({"name": "channel_occupied", "channel": channel})

    def vacated(self, channel: str, now: float) -> None:
        """Report, later, that a channel's last subscriber has gone."""
        event = {"name": "channel_vacated", "channel": channel}
        self._held[channel, None] = (now + self._hold, event)

    def member_added(self, channel: str, user_id: str) -> None:
        """Report a member, unless it left a moment ago."""
        if self._held.pop((channel, user_id), None) is None:
            self.emit({"name": "member_added", "channel": channel, "user_id": user_id})

    def member_removed(self, channel: str, user_id: str, now: float) -> None:
        """Report, later, that a member has gone."""
        event = {"name": "member_removed", "channel": channel, "user_id": user_id}
        self._held[channel, user_id] = (now + self._hold, event)

    def release(self, now: float) -> None:
        """Pass on what nobody has come back for."""
        # All wait equally long, so those that are due stand in front.
        while self._held:
            key, (due, event) = next(iter(self._held.items()))
            if due > now:
                return
            del self._held[key]
            self.emit(event)
