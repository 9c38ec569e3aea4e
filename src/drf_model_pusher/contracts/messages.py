"""What both contracts speak with."""

from __future__ import annotations

from typing import Any

from drf_model_pusher.events import PusherEvent


def must(holds: object, sentence: str) -> None:
    """Raise an AssertionError that says what must hold, also where Python drops asserts."""
    if not holds:
        raise AssertionError(sentence)


def make_event(name: str, **fields: Any) -> PusherEvent:
    """Return an event to one channel, without data unless it is given."""
    return PusherEvent(**{"channels": ("contract",), "name": name, "data": "{}", **fields})
