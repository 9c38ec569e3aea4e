"""From an event to its row, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.outbox.models import PARTITIONS

#: The columns that ``claimed`` reads, in its order.
COLUMNS = (
    *("id", "attempts", "refusals", "subject", "channels", "name", "data"),
    *("socket_id", "change", "conflation_key", "provider", "unsure"),
)


#: The columns that ``written`` fills, in its order.
WRITTEN = ("partition", "subject", "channels", "name", "data", "change")

#: Those that most events leave as the table has them, and ``seldom_written`` fills.
SELDOM_WRITTEN = ("socket_id", "conflation_key", "provider", "unsure")

_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(kw_only=True, slots=True)
class Claimed(QueuedEvent):
    """A row of the outbox in the hands of the relay that owns its partition."""

    id: int
    key: str
    """What its order is kept by."""
    refusals: int
    provider: str
    absorbed: list[int] = field(default_factory=list)
    """The ids of later rows whose effect is in this event."""


def written(event: PusherEvent) -> tuple[object, ...]:
    """Return the values of ``WRITTEN`` for an event."""
    return (
        partition(order_key(event.subject, event.channels)),
        event.subject,
        _as_json(event.channels),
        event.name,
        event.data,
        event.change,
    )


def seldom_written(event: PusherEvent) -> tuple[object, ...]:
    """Return the values of ``SELDOM_WRITTEN`` for an event."""
    return (
        event.socket_id,
        event.conflation_key,
        event.provider or "",
        event.occupancy_unknown,
    )


def claimed(values: Sequence[Any]) -> Claimed:
    """Return a row's event, from the values of ``COLUMNS``."""
    pk, attempts, refusals, subject, channels, name, data, *rest = values
    socket_id, change, conflation_key, provider, unsure = rest
    names = tuple(json.loads(channels))
    event = PusherEvent(
        channels=names,
        name=name,
        data=data,
        socket_id=socket_id,
        subject=subject,
        change=change,
        conflation_key=conflation_key,
        provider=provider or None,
        occupancy_unknown=bool(unsure),
    )
    key = order_key(subject, names)
    return Claimed(
        event=event,
        since=0,
        attempts=attempts,
        id=pk,
        key=key,
        refusals=refusals,
        provider=provider,
    )


def order_key(subject: str | None, channels: Sequence[str]) -> str:
    """Return what an event's order is kept by: the object, or without one the first channel."""
    return f"#{channels[0]}" if subject is None else subject


def partition(key: str) -> int:
    """Return where events of a key belong; the same in every process and for ever."""
    return crc32(key.encode(errors="surrogatepass")) % PARTITIONS
