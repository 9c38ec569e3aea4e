"""How events get into the table: by one statement for many.

The statement is put together by hand and kept: for a row or two, the machinery of models takes
longer than the database does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from drf_model_pusher.events import PusherEvent
from drf_model_pusher.outbox.models import OutboxEvent
from drf_model_pusher.outbox.rows import WRITTEN, written

# What an event does not say, in SQL; ``due`` has no value yet.
_AT_FIRST = {"state": "0", "attempts": "0", "refusals": "0", "error": "''"}

_FILLED = ("created", *WRITTEN)
_FIELDS = [OutboxEvent._meta.get_field(name) for name in _FILLED]

# For each kind of database the statement up to its rows, and a row of it.
_statements: dict[str, tuple[str, str]] = {}


def write(events: Sequence[PusherEvent], using: str) -> None:
    """Insert events in the current transaction of a database.

    Raises:
        DatabaseError: They could not be written; a transaction that is open cannot be committed.
    """
    if not events:
        return
    connection = connections[using]
    created = connection.ops.adapt_datetimefield_value(timezone.now())
    rows = [(created, *written(event)) for event in events]
    # SQLite takes no more than so many parameters.
    size = connection.ops.bulk_batch_size(_FIELDS, rows) if len(rows) > 1 else 1
    if size >= len(rows):
        with transaction.mark_for_rollback_on_error(using=using):
            _insert(connection, rows)
        return
    with transaction.atomic(using=using, savepoint=False):
        for start in range(0, len(rows), size):
            _insert(connection, rows[start : start + size])


def _insert(connection: Any, rows: Sequence[tuple[object, ...]]) -> None:
    head, row = _statements.get(connection.vendor) or _statement(connection)
    with connection.cursor() as cursor:
        cursor.execute(head + ", ".join([row] * len(rows)), list(chain.from_iterable(rows)))


def _statement(connection: Any) -> tuple[str, str]:
    quote = connection.ops.quote_name
    table = quote(OutboxEvent._meta.db_table)
    columns = ", ".join(map(quote, [*_FILLED, *_AT_FIRST]))
    head = f"INSERT INTO {table} ({columns}) VALUES "  # noqa: S608 - names of our own
    row = f"({', '.join([*['%s'] * len(_FILLED), *_AT_FIRST.values()])})"
    return _statements.setdefault(connection.vendor, (head, row))
