"""What deliveries by a queue share: the message of a job, and what a worker does with it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from drf_model_pusher.delivery.codec import dump_event, load_event
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.delivery.retry import RETRY_POLICY
from drf_model_pusher.delivery.sending import (
    by_provider,
    occupied,
    report_dropped,
    report_failed,
    send_batch,
)
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ModelPusherException

logger = logging.getLogger("drf_model_pusher")

Message: TypeAlias = dict[str, Any]

#: Grows when a key of a message changes its meaning. A key that is added needs no new version:
#: readers of an older release pass over it.
VERSION = 1


class UnreadableMessageError(ModelPusherException, ValueError):
    """A job's message is of another version, or no message at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """What is left of a job, and when it is worth another try."""

    message: Message

    pause: float
    """Seconds to wait, at least what the service asked for."""


def hand_over(events: Sequence[PusherEvent], enqueue: Callable[[Message], object]) -> None:
    """Enqueue events as one job; where the queue takes none they have failed, and nothing else."""
    now = time.time()
    try:
        enqueue(write_message([QueuedEvent(event=event, since=now) for event in events], since=now))
    except Exception as error:  # noqa: BLE001 - whatever a broker, its client or a database raises
        # The text of others may repeat the payload.
        reason = error if isinstance(error, ModelPusherException) else type(error).__name__
        logger.error("queue took no task error=%s", reason)  # noqa: TRY400
        report_dropped(events, "the queue took no task")


def work(message: Message, *, may_wait: bool) -> Again | None:
    """Try a job's events once, in order; return what is left to do, or None.

    Args:
        message: What ``hand_over()`` enqueued, or what was left of it.
        may_wait: Whether the queue can try again later.

    Raises:
        UnreadableMessageError: The message is not understood.
        ProviderError: Events did not leave and will not be tried again, being older than
            ``DRF_MODEL_PUSHER_RETRY_SECONDS`` or because the queue cannot; they have failed.
    """
    entries = read_message(message)
    age = time.time() - message["since"]
    for entry in entries:  # a message's clock is the world's, a queue's is this process's
        entry.since = time.monotonic() - max(0.0, age)
    groups = by_provider(occupied(entries))
    failures = [(group, failure) for group in groups if (failure := send_batch(group))]
    if not failures:
        return None
    error = failures[0][1].error
    if not may_wait or age > RETRY_POLICY.max_age:
        for group, failure in failures:
            report_failed(group, failure)
        raise error
    tries = int(message.get("tries", 0)) + 1
    left = [entry for group, _ in failures for entry in group]
    logger.warning("job waits events=%d error=%s", len(left), error)
    return Again(
        message=write_message(left, since=message["since"], tries=tries),
        pause=max(RETRY_POLICY.pause(tries, each.error.retry_after) for _, each in failures),
    )


@contextmanager
def giving_up(again: Again) -> Iterator[None]:
    """Report what is left of a job as failed if the block fails, which is to enqueue it."""
    try:
        yield
    except Exception:
        left = [entry.event for entry in read_message(again.message)]
        report_dropped(left, "the queue took no task")
        raise


def write_message(entries: Sequence[QueuedEvent], *, since: float, tries: int = 0) -> Message:
    """Return events as values that JSON knows.

    Args:
        entries: The events, in order.
        since: When they were handed over first, in seconds of the epoch.
        tries: How often they were tried since.

    Raises:
        DeclarationError: A provider has no dotted path by which a worker could find it.
    """
    events = [{**dump_event(entry.event), "attempts": entry.attempts} for entry in entries]
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
    except (KeyError, TypeError, ValueError) as error:
        # Ours name no value; the text of others may repeat the payload.
        reason = error if isinstance(error, ModelPusherException) else type(error).__name__
        raise UnreadableMessageError(f"The message cannot be read: {reason}") from error
