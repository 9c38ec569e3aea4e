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
from drf_model_pusher.outbox.rows import SELDOM_WRITTEN, WRITTEN, seldom_written, written

# So many characters of data are in one statement, about: MySQL takes no longer ones than it is told
# to, by default of 16 MB or more.
_CHARACTERS = 1_000_000

# What says when a row was written; where it stands here, it is the database.
_NOW = {"postgresql": "STATEMENT_TIMESTAMP()"}

_COLUMNS = ("created", *WRITTEN, *SELDOM_WRITTEN)
_FIELDS = [OutboxEvent._meta.get_field(name) for name in _COLUMNS]
_AS_THE_TABLE_HAS_THEM = (None, None, "", False)

# By the kind of database, and whether all columns are filled: the statement up to its rows, and a
# row of it.
_statements: dict[tuple[str, bool], tuple[str, str]] = {}


def write(events: Sequence[PusherEvent], using: str) -> None:
    """Insert events in the current transaction of a database.

    Raises:
        DatabaseError: They could not be written; a transaction that is open cannot be committed.
    """
    if not events:
        return
    connection = connections[using]
    rows = [written(event) for event in events]
    seldom = [seldom_written(event) for event in events]
    if whole := any(values != _AS_THE_TABLE_HAS_THEM for values in seldom):
        rows = [row + values for row, values in zip(rows, seldom, strict=True)]
    if connection.vendor not in _NOW:
        created = connection.ops.adapt_datetimefield_value(timezone.now())
        rows = [(created, *row) for row in rows]
    size = _rows_at_a_time(connection, events)
    if size >= len(rows):
        with transaction.mark_for_rollback_on_error(using=using):
            _insert(connection, rows, whole=whole)
        return
    with transaction.atomic(using=using, savepoint=False):
        for start in range(0, len(rows), size):
            _insert(connection, rows[start : start + size], whole=whole)


def _rows_at_a_time(connection: Any, events: Sequence[PusherEvent]) -> int:
    if len(events) == 1:
        return 1
    longest = max(len(event.data) for event in events)
    # SQLite takes no more than so many parameters.
    parameters: int = connection.ops.bulk_batch_size(_FIELDS, events)
    return min(parameters, _CHARACTERS // (longest + 1) or 1)


def _insert(connection: Any, rows: Sequence[tuple[object, ...]], *, whole: bool) -> None:
    head, row = _statements.get((connection.vendor, whole)) or _statement(connection, whole)
    with connection.cursor() as cursor:
        cursor.execute(head + ", ".join([row] * len(rows)), list(chain.from_iterable(rows)))


def _statement(connection: Any, whole: bool) -> tuple[str, str]:
    quote = connection.ops.quote_name
    names = _COLUMNS if whole else _COLUMNS[: -len(SELDOM_WRITTEN)]
    table, columns = quote(OutboxEvent._meta.db_table), ", ".join(map(quote, names))
    head = f"INSERT INTO {table} ({columns}) VALUES "  # noqa: S608 - names of our own
    row = f"({', '.join([_NOW.get(connection.vendor, '%s'), *['%s'] * (len(names) - 1)])})"
    return _statements.setdefault((connection.vendor, whole), (head, row))
