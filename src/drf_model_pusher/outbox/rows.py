"""From an event to its row, and back: the one place that knows what a row holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from drf_model_pusher.delivery.codec import dump_event, load_event
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.outbox.models import PARTITIONS, OutboxRow

# About so many characters are in one statement: MySQL takes no longer ones than it is told to, by
# default of 16 MB or more.
_CHARACTERS = 1_000_000

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(kw_only=True, slots=True)
class OutboxEvent(QueuedEvent):
    """An event in the hands of a relay, with the row that it comes from."""

    row: OutboxRow
    absorbed: list[OutboxRow] = field(default_factory=list)
    """Later rows whose effect is in this event."""


def encode(event: PusherEvent) -> OutboxRow:
    """Return the row of an event, not saved."""
    subject, provider = event.subject or f"#{event.channels[0]}", event.provider or ""
    number = lane(subject, provider)
    return OutboxRow(
        lane=number,
        partition=number % PARTITIONS,
        name=event.name,
        subject=subject,
        provider=provider,
        content=_as_json(dump_event(event)),
    )


def decode(row: OutboxRow) -> OutboxEvent:
    """Return the event of a row.

    Raises:
        ValueError: This release does not understand the row.
    """
    event = load_event(json.loads(row.content))
    return OutboxEvent(event=event, since=0, attempts=row.attempts, row=row)


def write(events: Sequence[PusherEvent], using: str) -> None:
    """Insert events, in their order, in the current transaction of a database.

    Raises:
        DatabaseError: They could not be written; a transaction that is open cannot be committed.
    """
    rows = [encode(event) for event in events]
    longest = max(len(row.content) for row in rows)
    OutboxRow.objects.using(using).bulk_create(rows, batch_size=_CHARACTERS // longest + 1)


def lane(subject: str, provider: str) -> int:
    """Return the number by which order is kept; the same in every process and forever."""
    key = f"{subject}\n{provider}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big", signed=True)
