"""The message that carries a transaction's events through a queue. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from drf_model_pusher.delivery.codec import UnreadableEventError, dump_event, load_event
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.exceptions import ModelPusherException

Message: TypeAlias = dict[str, Any]

#: Grows when a key changes its meaning. A key that is added needs no new version: readers of an
#: older release pass over it.
VERSION = 1


class UnreadableMessageError(ModelPusherException, ValueError):
    """A task's message is of another version, or no message at all."""


def write_message(entries: Sequence[QueuedEvent], *, since: float, tries: int = 0) -> Message:
    """Return events as values that JSON knows.

    Args:
        entries: The events, in order.
        since: When they were handed over first, in seconds of the epoch.
        tries: How often they were tried since.

    Raises:
        DeclarationError: A provider has no dotted path by which a worker could find it.
    """
    events = [dump_event(entry.event) | _attempts(entry) for entry in entries]
    return {"version": VERSION, "since": since, "tries": tries, "events": events}


def read_message(message: object) -> list[QueuedEvent]:
    """Return the events, in order.

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
        return [
            QueuedEvent(event=load_event(each), since=since, attempts=int(each.get("attempts", 0)))
            for each in message["events"]
        ]
    except UnreadableEventError as error:
        raise UnreadableMessageError(f"An event of the message cannot be read: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        # The text of others may repeat the payload.
        raise UnreadableMessageError(
            f"The message lacks something, or has it in another form: {type(error).__name__}."
        ) from error


def _attempts(entry: QueuedEvent) -> Message:
    return {"attempts": entry.attempts} if entry.attempts else {}
