"""From a change to its row, and back: the one place that knows what a row holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from drf_model_pusher.change import Change, Recorded
from drf_model_pusher.changes.codec import dumps, loads
from drf_model_pusher.changes.composing import subject_of
from drf_model_pusher.changes.flushing import Flushing, exceeds
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.outbox.models import PARTITIONS, OutboxRow
from drf_model_pusher.providers.base import provider_path

# About so many characters are in one statement: MySQL takes no longer ones than it is told to, by
# default of 16 MB or more.
_CHARACTERS = 1_000_000


def write(items: Sequence[Recorded], using: str) -> None:
    """Insert changes, in their order, in the current transaction of a database.

    Raises:
        DatabaseError: They could not be written; the transaction must not be committed.
    """
    rows = [encode(single) for item in items for single in _singles(item, using)]
    if rows:
        longest = max(len(row.content) for row in rows)
        OutboxRow.objects.using(using).bulk_create(rows, batch_size=_CHARACTERS // longest + 1)


def encode(item: Recorded) -> OutboxRow:
    """Return the row of a change of one object, or of an event about none, not saved."""
    if isinstance(item, Change):
        model, path = item.backend.model, provider_path(item.backend.provider_class)
        name, subject = f"{model._meta.model_name}.{item.verb}", subject_of(model, item.keys[0])
    else:
        name, path = item.name, item.provider
        subject = item.subject or f"#{item.channels[0]}"
    number = lane(subject, path or "")
    return OutboxRow(
        lane=number,
        partition=number % PARTITIONS,
        name=name,
        subject=subject,
        provider=path or "",
        content=dumps(item),
    )


def decode(row: OutboxRow, using: str) -> Recorded:
    """Return what a row holds.

    Raises:
        DeclarationError, ValueError, LookupError, TypeError: There is no such backend any more, or
            this release does not understand the row.
    """
    return loads(row.content, using)


def lane(subject: str, provider: str) -> int:
    """Return the number by which order is kept; the same in every process and forever."""
    key = f"{subject}\n{provider}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big", signed=True)


def _singles(item: Recorded, using: str) -> Iterator[Recorded]:
    """Go through the changes of single objects; a bulk operation becomes its one event now."""
    if isinstance(item, PusherEvent):
        yield item
    elif item.events is None and exceeds(item.backend, len(item.keys)):
        flushing = Flushing(using)
        for _, events in flushing.go([item]):
            yield from events
        for touched in flushing.touched:
            yield from touched.each()
    else:
        yield from item.each()
