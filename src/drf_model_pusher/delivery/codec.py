"""An event as values that JSON knows, and back. Pure.

Everything that stores an event or hands it to another process uses this one form. A reader may be
of another release: it passes over keys that it does not know, and a key never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from drf_model_pusher.events import PusherEvent, check_event
from drf_model_pusher.exceptions import (
    DeclarationError,
    InvalidEventError,
    ModelPusherException,
)

_DEFAULTS = {field.name: field.default for field in fields(PusherEvent)}
_REQUIRED = ("channels", "name", "data")
_CHANGES = ("create", "update", "delete")


class UnreadableEventError(ModelPusherException, ValueError):
    """What was stored or handed over is no event; the text names the field, never its value."""


def dump_event(event: PusherEvent) -> dict[str, Any]:
    """Return an event as values that JSON knows, without the fields that have their default.

    Raises:
        DeclarationError: Its provider has no dotted path by which another process could find it.
    """
    if event.provider and "<locals>" in event.provider:
        raise DeclarationError(
            f"The provider {event.provider} stands inside a function; other processes find only "
            "what stands in a module."
        )
    values = {name: getattr(event, name) for name in _DEFAULTS}
    known = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
    known["channels"] = list(event.channels)
    return known


def load_event(values: object) -> PusherEvent:
    """Return the event that ``dump_event()`` was given.

    Raises:
        UnreadableEventError: It is no event, or one that Pusher would refuse.
    """
    if not isinstance(values, Mapping):
        raise UnreadableEventError(f"An event is an object, not {type(values).__name__}.")
    for name in _REQUIRED:
        if name not in values:
            raise UnreadableEventError(f"The event has no {name}.")
    known = {name: values[name] for name in _DEFAULTS if name in values}
    for name, value in known.items():
        if not _fits(name, value):
            raise UnreadableEventError(
                f"The event's {name} cannot be this value of type {type(value).__name__}."
            )
    known["channels"] = tuple(known["channels"])
    event = PusherEvent(**known)
    try:
        check_event(event)
    except InvalidEventError as error:
        raise UnreadableEventError("Pusher would refuse the event's names.") from error
    return event


def _fits(name: str, value: object) -> bool:
    if name == "channels":
        return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)
    if name == "occupancy_unknown":
        return isinstance(value, bool)
    if name == "change":
        return value is None or value in _CHANGES
    return isinstance(value, str) or (value is None and name not in _REQUIRED)
