"""What deliveries by a queue share: handing events over, and what a worker does with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from drf_model_pusher.delivery.messages import Message, read_message, write_message
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
    # The message's clock is the world's, that of what waits is this process's.
    since = time.monotonic() - max(0.0, time.time() - message["since"])
    for entry in entries:
        entry.since = since
    groups = by_provider(occupied(entries))
    failures = [(group, failure) for group in groups if (failure := send_batch(group))]
    if not failures:
        return None
    age = time.time() - message["since"]
    if not may_wait or age > RETRY_POLICY.max_age:
        for group, failure in failures:
            report_failed(group, failure)
        raise failures[0][1].error
    tries = int(message.get("tries", 0)) + 1
    pause = max(RETRY_POLICY.pause(tries, failure.error.retry_after) for _, failure in failures)
    left = [entry for group, _ in failures for entry in group]
    logger.warning("job waits events=%d error=%s", len(left), failures[0][1].error)
    rest = write_message(left, since=message["since"], tries=tries)
    return Again(message=rest, pause=pause)


@contextmanager
def giving_up(again: Again) -> Iterator[None]:
    """Say that what is left of a job has failed if the block does, which is to enqueue it."""
    try:
        yield
    except Exception:
        left = [entry.event for entry in read_message(again.message)]
        report_dropped(left, "the queue took no task")
        raise
