"""Hand queued events to a provider once, and report what became of each of them."""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.dispatch import Signal

from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DeclarationError, DroppedError, ProviderError
from drf_model_pusher.log import count_dropped
from drf_model_pusher.occupancy.audience import settle
from drf_model_pusher.providers.base import BaseProvider, carry, get_provider
from drf_model_pusher.signals import event_failed, event_sent, events_tried

# An outbox knows more about an event than a queue does.
Entry = TypeVar("Entry", bound=QueuedEvent)

# Whether this thread is reporting drops.
_reporting = threading.local()


@dataclass(frozen=True, kw_only=True, slots=True)
class SendFailure:
    """A failed call: the events it is about are the first that are left."""

    error: ProviderError

    provider: BaseProvider | None
    """None where the provider cannot be imported or configured."""

    duration: float
    """Seconds that the failed call took."""

    @property
    def is_about_one_event(self) -> bool:
        """Whether the provider may take other events: this one is refused for what it says."""
        return self.provider is not None and self.error.is_about_one_event


def send_once(events: Sequence[PusherEvent]) -> None:
    """Try events once; those that do not leave have failed."""
    entries = occupied([QueuedEvent(event=event, since=0) for event in events])
    for group in by_provider(entries):
        if failure := send_batch(group):
            report_failed(group, failure)


def occupied(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries whose channels may have subscribers, without the other channels."""
    left = []
    for entry, event in zip(entries, settle([entry.event for entry in entries]), strict=True):
        if event:
            entry.event = event
            left.append(entry)
    return left


def by_provider(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Split entries into those of each provider, their order kept."""
    groups: dict[str | None, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.event.provider, []).append(entry)
    return list(groups.values())


def send_batch(entries: list[Entry], *, give_up: bool = True) -> SendFailure | None:
    """Send entries of one provider, in order, up to the first failure that is worth a retry.

    Events that are refused for good are reported as failed and do not stop those behind them. When
    several were refused together they are sent again one by one, so that the bad one fails alone.

    Args:
        entries: What to send. It is emptied of what has left or failed, so that what is in it is
            what is left to do, at any time.
        give_up: Whether events that are refused for good have failed. If not, the first of them
            ends the batch as well, and stays in the list.
    """
    provider, missing = _find_provider(entries[0].event.provider)
    alone = 0  # how many of the next events go one by one
    while entries:
        batch = entries[:1] if alone else entries[:]
        started = time.monotonic()
        error = _send(provider, [entry.event for entry in batch]) if provider else missing
        duration = time.monotonic() - started
        sent = error.sent if error else len(batch)
        _report_try(provider, batch, sent, duration, error)
        del entries[:sent]
        alone = max(0, alone - sent)
        if error is None:
            continue
        refused = entries[: error.refused if provider else len(batch)]
        if error.partial:
            refused[0].event = error.partial
        failure = SendFailure(error=error, provider=provider, duration=duration)
        if len(refused) > 1 and failure.is_about_one_event:
            alone = len(refused)
            continue
        for entry in refused:
            entry.attempts += 1
        if error.retryable or not give_up:
            return failure
        report_failed(refused, failure)
        del entries[: len(refused)]
        alone = max(0, alone - 1)
    return None


def report_failed(entries: Sequence[QueuedEvent], failure: SendFailure) -> None:
    """Report that entries are given up after a failure."""
    for entry in entries:
        _report(event_failed, entry, failure.provider, failure.duration, error=failure.error)


def report_dropped(events: Sequence[PusherEvent], reason: str) -> None:
    """Report that events are given up without another try.

    Args:
        events: The events.
        reason: One of a few constant texts, by which the log counts.
    """
    if not events:
        return
    if getattr(_reporting, "drops", False):
        # A receiver has pushed, and so has dropped others: to report those might never end.
        for _ in events:
            count_dropped(reason)
        return
    _reporting.drops = True
    try:
        for event in events:
            entry = QueuedEvent(event=event, since=0)
            _report(event_failed, entry, None, 0.0, error=DroppedError(reason))
    finally:
        _reporting.drops = False


def _find_provider(path: str | None) -> tuple[BaseProvider | None, ProviderError | None]:
    """Return the provider, or why there is none."""
    try:
        return get_provider(path), None
    except Exception as error:  # noqa: BLE001 - settings that lack or break something
        # Our own sentence names the path; the text of others may hold a setting's value.
        why = error if isinstance(error, DeclarationError) else type(error).__name__
        return None, ProviderError(f"no provider: {why}", detail=str(error))


def _send(provider: BaseProvider, events: Sequence[PusherEvent]) -> ProviderError | None:
    """Return why events did not all leave; its counts are true to the events, whoever made it."""
    try:
        carry(provider, events)
    except ProviderError as failure:
        error = failure
    # Whatever a third party's provider raises; asyncio's is no Exception.
    except (Exception, CancelledError) as failure:  # noqa: BLE001
        error = ProviderError.of(failure, refused=len(events))
    else:
        return None
    if error.sent >= len(events):
        return None  # it failed when all was done
    error.sent = max(0, error.sent)
    error.refused = min(max(1, error.refused), len(events) - error.sent)
    return error


def _report_try(
    provider: BaseProvider | None,
    batch: Sequence[QueuedEvent],
    sent: int,
    duration: float,
    error: ProviderError | None,
) -> None:
    now = time.monotonic()
    taken = batch[:sent]
    for entry in taken:
        entry.attempts += 1
    events_tried.send_robust(
        type(provider),
        provider=provider,
        events=[entry.event for entry in batch],
        sent=sent,
        duration=duration,
        error=error,
        attempts=[entry.attempts for entry in taken],
        waits=[now - entry.since if entry.since else None for entry in taken],
    )
    if event_sent.receivers:  # else there is nobody to tell, event by event
        for entry in taken:
            _report(event_sent, entry, provider, duration)


def _report(
    signal: Signal,
    entry: QueuedEvent,
    provider: BaseProvider | None,
    duration: float,
    **more: object,
) -> None:
    signal.send_robust(
        type(provider),
        event=entry.event,
        provider=provider,
        attempts=entry.attempts,
        duration=duration,
        **more,
    )
