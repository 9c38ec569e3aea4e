"""One try at handing events to a provider, and what is said about each of them afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.dispatch import Signal

from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DroppedError, ProviderError
from drf_model_pusher.occupancy import settle
from drf_model_pusher.providers.base import BaseProvider, get_provider
from drf_model_pusher.signals import event_failed, event_sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Setback:
    """A failure that a later try may get over."""

    events: Sequence[PusherEvent]
    """What has not left, in order; the first of them met the failure."""

    error: ProviderError

    provider: BaseProvider | ProviderError

    duration: float
    """Seconds that the failed call took."""


def send_once(events: Sequence[PusherEvent]) -> None:
    """Try events once; what does not leave has failed, but for what nobody listens to any more."""
    for group in by_provider([event for event in settle(events) if event]):
        setback = attempt(group)
        if setback:
            report_failed(setback.events, setback, attempts=1)


def by_provider(events: Sequence[PusherEvent]) -> list[list[PusherEvent]]:
    """Split events into those of each provider, their order kept."""
    groups: dict[object, list[PusherEvent]] = {}
    for event in events:
        groups.setdefault(event.provider, []).append(event)
    return list(groups.values())


def attempt(events: Sequence[PusherEvent], *, attempts: int = 1) -> Setback | None:
    """Try events of one provider, in order, up to the first failure that is worth a retry.

    Events that are refused for good are reported as failed and do not stop those behind them. When
    several were refused together they are sent again one by one, so that the bad one fails alone.

    Args:
        events: Events of one provider.
        attempts: Which try this is, from 1.
    """
    provider = _find_provider(events[0].provider)
    alone = 0  # how many of the next events go one by one
    while events:
        batch = events[:1] if alone else events
        started = time.monotonic()
        error = _try(provider, batch)
        duration = time.monotonic() - started
        sent = error.sent if error else len(batch)
        for event in batch[:sent]:
            _report(event_sent, event, provider, attempts, duration)
        events, alone = events[sent:], max(0, alone - sent)
        if error is None:
            continue
        if error.partial:
            events = [error.partial, *events[1:]]
        if error.retryable:
            return Setback(events=events, error=error, provider=provider, duration=duration)
        if error.refused > 1 and not alone:
            alone = error.refused
            continue
        _report(event_failed, events[0], provider, attempts, duration, error=error)
        events, alone = events[1:], max(0, alone - 1)
    return None


def report_failed(events: Sequence[PusherEvent], setback: Setback, *, attempts: int) -> None:
    """Say of events that a setback was the end of them."""
    for event in events:
        _report(
            event_failed, event, setback.provider, attempts, setback.duration, error=setback.error
        )


def report_dropped(events: Sequence[PusherEvent], reason: str) -> None:
    """Say of events that they were given up without another try."""
    for event in events:
        _report(event_failed, event, None, 0, 0.0, error=DroppedError(reason))


def _find_provider(provider_class: type[BaseProvider] | None) -> BaseProvider | ProviderError:
    try:
        return get_provider(provider_class)
    except Exception as error:  # noqa: BLE001 - settings that lack or break something
        return ProviderError(f"no provider: {type(error).__name__}: {error}")


def _try(
    provider: BaseProvider | ProviderError, events: Sequence[PusherEvent]
) -> ProviderError | None:
    if isinstance(provider, ProviderError):
        return provider
    try:
        provider.send(events)
    except ProviderError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever a third party's provider raises
        return ProviderError(
            f"{type(error).__name__}: {error}",
            retryable=isinstance(error, OSError),
            refused=len(events),
        )
    return None


def _report(
    signal: Signal,
    event: PusherEvent,
    provider: BaseProvider | ProviderError | None,
    attempts: int,
    duration: float,
    **more: object,
) -> None:
    if isinstance(provider, ProviderError):
        provider = None
    signal.send_robust(
        type(provider), event=event, provider=provider, attempts=attempts, duration=duration, **more
    )
