"""From a change to its row, and back: the one place that knows what a row holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from django.db import connections
from django.utils import timezone

from drf_model_pusher.change import Change, Recorded
from drf_model_pusher.changes.codec import dumps, loads
from drf_model_pusher.changes.composing import subject_of
from drf_model_pusher.changes.flushing import Flushing, exceeds
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.outbox.models import PARTITIONS, OutboxRow
from drf_model_pusher.providers.base import provider_path

# What is in one statement at most: SQLite takes 999 values, and MySQL 16 MB or more.
_ROWS, _CHARACTERS = 90, 1_000_000

# What every new row has besides.
_NEW = {"state": OutboxRow.State.WAITING.value, "attempts": 0, "refusals": 0, "error": ""}


def write(items: Sequence[Recorded], using: str) -> None:
    """Insert changes, in their order, in the current transaction of a database.

    The statement is written by hand: the machinery of models takes longer than the database does.

    Raises:
        DatabaseError: They could not be written; the transaction must not be committed.
    """
    rows = [encode(single) for item in items for single in _singles(item, using)]
    if not rows:
        return
    connection = connections[using]
    new = {"created": connection.ops.adapt_datetimefield_value(timezone.now()), **_NEW}
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, [*rows[0], *new]))
    head = f"INSERT INTO {quote(OutboxRow._meta.db_table)} ({columns}) VALUES "  # noqa: S608
    values = f"({', '.join(['%s'] * (len(rows[0]) + len(new)))})"
    size = min(_ROWS, _CHARACTERS // max(len(str(row["content"])) for row in rows) + 1)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            parameters = [each for row in part for each in (*row.values(), *new.values())]
            cursor.execute(head + ", ".join([values] * len(part)), parameters)


def encode(item: Recorded) -> dict[str, Any]:
    """Return the values of the row of a change of one object, or of an event about none."""
    if isinstance(item, Change):
        model, path = item.backend.model, provider_path(item.backend.provider_class)
        name, subject = f"{model._meta.model_name}.{item.verb}", subject_of(model, item.keys[0])
    else:
        name, path = item.name, item.provider
        subject = item.subject or f"#{item.channels[0]}"
    number = lane(subject, path or "")
    return {
        "lane": number,
        "partition": number % PARTITIONS,
        "name": name,
        "subject": subject,
        "provider": path or "",
        "content": dumps(item),
    }


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
