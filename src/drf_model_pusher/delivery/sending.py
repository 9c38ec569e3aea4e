"""One try at handing events to a provider, and what is said about each of them afterwards."""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from django.dispatch import Signal

from drf_model_pusher.delivery.queue import Waiting
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DroppedError, ProviderError
from drf_model_pusher.log import count_dropped
from drf_model_pusher.occupancy.audience import settle
from drf_model_pusher.providers.base import BaseProvider, get_provider
from drf_model_pusher.signals import event_failed, event_sent, events_tried

# An outbox knows more about what it tries than a queue does.
Entry = TypeVar("Entry", bound=Waiting)

# A provider, or why there is none.
_Found: TypeAlias = BaseProvider | ProviderError

# What this thread is telling receivers of signals.
_telling = threading.local()

# Refusals that may be about one of several events; the others are about all that we send.
_ABOUT_ONE = (None, 400, 413, 422)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setback:
    """A failure that a later try may get over."""

    error: ProviderError
    provider: _Found

    duration: float
    """Seconds that the failed call took."""


def send_once(events: Sequence[PusherEvent]) -> None:
    """Try events once; what does not leave has failed."""
    for entries in by_provider(heard([Waiting(event=event, since=0) for event in events])):
        if setback := attempt(entries):
            report_failed(entries, setback)


def heard(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries that somebody may still listen to, each with what is left of its event."""
    left = []
    for entry, event in zip(entries, settle([entry.event for entry in entries]), strict=True):
        if event:
            entry.event = event
            left.append(entry)
    return left


def by_provider(entries: Sequence[Waiting]) -> list[list[Waiting]]:
    """Split entries into those of each provider, their order kept."""
    groups: dict[object, list[Waiting]] = {}
    for entry in entries:
        groups.setdefault(entry.event.provider, []).append(entry)
    return list(groups.values())


def attempt(entries: list[Entry], *, give_up: bool = True) -> Setback | None:
    """Try entries of one provider, in order, up to the first failure that is worth a retry.

    Events that are refused for good are reported as failed and do not stop those behind them. When
    several were refused together they are sent again one by one, so that the bad one fails alone.

    Args:
        entries: What to try. It is emptied of what has left or failed, so that what is in it is
            what is left to do, at any time.
        give_up: Whether events that are refused for good have failed. If not, the first of them
            ends the try as well, and stays in the list.
    """
    provider = _find_provider(entries[0].event.provider)
    alone = 0  # how many of the next events go one by one
    while entries:
        batch = entries[:1] if alone else entries[:]
        started = time.monotonic()
        error = _try(provider, [entry.event for entry in batch])
        duration = time.monotonic() - started
        sent = error.sent if error else len(batch)
        _report_try(provider, batch, sent, duration, error)
        del entries[:sent]
        alone = max(0, alone - sent)
        if error is None:
            continue
        refused = entries[: error.refused]
        if error.partial:
            refused[0].event = error.partial
        if len(refused) > 1 and not error.retryable and error.status in _ABOUT_ONE:
            alone = len(refused)
            continue
        for entry in refused:
            entry.attempts += 1
        setback = Setback(error=error, provider=provider, duration=duration)
        if error.retryable or not give_up:
            return setback
        report_failed(refused, setback)
        del entries[: len(refused)]
        alone = max(0, alone - 1)
    return None


def report_failed(entries: Sequence[Waiting], setback: Setback) -> None:
    """Say of entries that a setback was the end of them."""
    for entry in entries:
        _report(event_failed, entry, setback.provider, setback.duration, error=setback.error)


def report_dropped(events: Sequence[PusherEvent], reason: str) -> None:
    """Say of events that they were given up without another try.

    Args:
        events: The events.
        reason: One of a few constant texts, by which the log counts.
    """
    if not events:
        return
    if getattr(_telling, "drops", False):
        # A receiver has pushed, and so has dropped others: to tell of those might never end.
        for _ in events:
            count_dropped(reason)
        return
    _telling.drops = True
    try:
        for event in events:
            entry = Waiting(event=event, since=0)
            _report(event_failed, entry, None, 0.0, error=DroppedError(reason))
    finally:
        _telling.drops = False


def _find_provider(provider_class: type[BaseProvider] | None) -> _Found:
    try:
        return get_provider(provider_class)
    except Exception as error:  # noqa: BLE001 - settings that lack or break something
        return ProviderError(f"no provider: {type(error).__name__}", detail=str(error))


def _try(provider: _Found, events: Sequence[PusherEvent]) -> ProviderError | None:
    """Return why events did not all leave; its counts are true to the events, whoever made it."""
    if isinstance(provider, ProviderError):
        error = provider
        error.sent, error.refused = 0, len(events)
    else:
        try:
            provider.send(events)
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
    provider: _Found,
    batch: Sequence[Waiting],
    sent: int,
    duration: float,
    error: ProviderError | None,
) -> None:
    now = time.monotonic()
    found = None if isinstance(provider, ProviderError) else provider
    taken = batch[:sent]
    for entry in taken:
        entry.attempts += 1
    events_tried.send_robust(
        type(found),
        provider=found,
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
    signal: Signal, entry: Waiting, provider: _Found | None, duration: float, **more: object
) -> None:
    if isinstance(provider, ProviderError):
        provider = None
    signal.send_robust(
        type(provider),
        event=entry.event,
        provider=provider,
        attempts=entry.attempts,
        duration=duration,
        **more,
    )
