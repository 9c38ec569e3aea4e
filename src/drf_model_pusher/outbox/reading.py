"""How a relay reads what waits, however much that is.

The statements are put together by hand and kept, since a relay that was idle has nothing else to do
before its call: the machinery of models takes longer for them than the database does.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from django.db import connections

from drf_model_pusher.outbox.leases import Lease
from drf_model_pusher.outbox.models import PARTITIONS, OutboxEvent, OutboxPartition
from drf_model_pusher.outbox.rows import COLUMNS, Claimed, claimed

#: The most rows that are read at a time.
WINDOW = 500
# So many are read by one statement, where there are no more and the database can; to find out which
# of many are the oldest takes two.
_FEW = 50

# A few of each partition; lateral, so that whatever the database thinks that it knows of the table,
# it asks the index for each partition.
_ALL = """
SELECT few.* FROM {partitions} CROSS JOIN LATERAL (
    SELECT {columns} FROM {events}
    WHERE {waiting} AND {partition} = {partitions}.{number} ORDER BY {id} LIMIT {enough}
) few WHERE {owner} = %s LIMIT {enough}
"""
# One look into the index for each partition, and then a stretch of ids that begins there.
_OLDEST = """
SELECT MIN(oldest) FROM (
    SELECT (
        SELECT {id} FROM {events}
        WHERE {waiting} AND {partition} = {partitions}.{number} ORDER BY {id} LIMIT 1
    ) AS oldest
    FROM {partitions} WHERE {owner} = %s
) firsts
"""
_STRETCH = """
SELECT {columns} FROM {events} WHERE {waiting}
AND {partition} IN (SELECT {number} FROM {partitions} WHERE {owner} = %s)
AND {id} >= %s AND {id} < %s ORDER BY {id} LIMIT {window}
"""


class Reader:
    """What a worker reads with."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._many = False

    def take(self, providers_resting: Sequence[str] = ()) -> list[Claimed]:
        """Return waiting events of the worker's partitions, oldest first.

        However many wait, it reads no more than a stretch of ids that begins with the oldest one.

        Args:
            providers_resting: Those whose events are left alone.
        """
        connection = connections[self._lease.using]
        everything, oldest, stretch = _statements(connection, len(providers_resting))
        asked = [*providers_resting, self._lease.id]
        rows: list[tuple[Any, ...]] = []
        with connection.cursor() as cursor:
            # The others tell nobody of events, so that it does not matter how soon they are read.
            if not self._many and connection.vendor == "postgresql":
                cursor.execute(everything, asked)
                few = cursor.fetchall()
                if len(few) <= _FEW:
                    return [claimed(values) for values in sorted(few, key=itemgetter(0))]
            cursor.execute(oldest, asked)
            (first,) = cursor.fetchone()
            if first is not None:
                cursor.execute(stretch, [*asked, first, first + self._ids])
                rows = cursor.fetchall()
        self._many = len(rows) > _FEW
        return [claimed(values) for values in rows]

    @property
    def _ids(self) -> int:
        """How many ids a stretch has: twice as many as it takes to fill a window on average."""
        return 2 * WINDOW * PARTITIONS // max(1, self._lease.size)


_kept: dict[tuple[str, int], list[str]] = {}


def _statements(connection: Any, resting: int) -> list[str]:
    """Return the statements for a kind of database and a number of providers that rest."""
    key = connection.vendor, resting
    if key not in _kept:
        quote = connection.ops.quote_name
        names = {name: quote(name) for name in ("id", "partition", "number", "owner")}
        waiting = f"{quote('state')} = {OutboxEvent.State.WAITING.value}"
        if resting:
            waiting += f" AND {quote('provider')} NOT IN ({', '.join(['%s'] * resting)})"
        _kept[key] = [
            statement.format(
                events=quote(OutboxEvent._meta.db_table),
                partitions=quote(OutboxPartition._meta.db_table),
                columns=", ".join(map(quote, COLUMNS)),
                waiting=waiting,
                enough=_FEW + 1,
                window=WINDOW,
                **names,
            )
            for statement in (_ALL, _OLDEST, _STRETCH)
        ]
    return _kept[key]
