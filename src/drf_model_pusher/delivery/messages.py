"""Events as the JSON that travels through a queue, between releases of this package. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeAlias

from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.events import PusherEvent, check_event
from drf_model_pusher.exceptions import DeclarationError, ModelPusherException

Message: TypeAlias = dict[str, Any]

#: Grows when what is there changes its meaning. What is added needs no new one: readers of an older
#: release pass over keys that they do not know.
VERSION = 1

_DEFAULTS = {field.name: field.default for field in fields(PusherEvent)}


class UnreadableMessageError(ModelPusherException, ValueError):
    """A task's message is of another version, or no message at all."""


def write_message(entries: Sequence[QueuedEvent], *, since: float, tries: int = 0) -> Message:
    """Return events as values that JSON knows.

    Args:
        entries: What is to leave, in order.
        since: When it was handed over first, in seconds of the epoch.
        tries: How often it was tried since.

    Raises:
        DeclarationError: A provider has no dotted path by which a worker could find it.
    """
    events = [_event_as_dict(entry) for entry in entries]
    return {"version": VERSION, "since": since, "tries": tries, "events": events}


def read_message(message: object) -> list[QueuedEvent]:
    """Return what is to leave, in order.

    Raises:
        UnreadableMessageError: This release does not understand the message.
    """
    if not isinstance(message, Mapping) or not isinstance(message.get("version"), int):
        raise UnreadableMessageError("This is no message of drf-model-pusher: it has no version.")
    if message["version"] > VERSION:
        raise UnreadableMessageError(
            f"The message has version {message['version']}; this worker knows versions up to "
            f"{VERSION}. Install the release of drf-model-pusher that enqueued it here as well."
        )
    try:
        since = float(message["since"])
        return [_entry(each, since) for each in message["events"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # The text of others may repeat the payload.
        raise UnreadableMessageError(
            f"The message lacks something, or has it in another form: {type(error).__name__}."
        ) from error


def _event_as_dict(entry: QueuedEvent) -> dict[str, Any]:
    event = entry.event
    values = {name: getattr(event, name) for name in _DEFAULTS}
    known = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
    known["channels"] = list(event.channels)
    if event.provider and "<locals>" in event.provider:
        raise DeclarationError(
            f"The provider {event.provider} stands inside a function; a worker finds only what "
            "stands in a module."
        )
    if entry.attempts:
        known["attempts"] = entry.attempts
    return known


def _entry(values: Mapping[str, Any], since: float) -> QueuedEvent:
    known = {name: values[name] for name in _DEFAULTS if name in values}
    known["channels"] = tuple(values["channels"])
    if not isinstance(values["data"], str):
        raise TypeError
    if not isinstance(values.get("provider", ""), str):
        raise TypeError
    event = PusherEvent(**known)
    check_event(event)
    return QueuedEvent(event=event, since=since, attempts=int(values.get("attempts", 0)))
