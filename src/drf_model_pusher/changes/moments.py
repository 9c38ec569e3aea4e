"""Points in a transaction, and whether what happened there still counts."""

from __future__ import annotations

from typing import Any
from weakref import ref

from django.db import transaction


class Moment:
    """A point in a transaction, and whether it has not been rolled back to before it."""

    __slots__ = ("_committed", "_connection", "_marker", "_savepoints")

    def __init__(self, using: str) -> None:
        connection = transaction.get_connection(using)
        self._connection = connection
        self._committed: list[bool] = []
        self._savepoints: frozenset[Any] = frozenset(connection.savepoint_ids)
        if not connection.in_atomic_block:
            self._committed.append(True)
            return
        marker = _Marker(self._committed)
        connection.on_commit(marker)
        # Django alone holds it, and drops it with its savepoint.
        self._marker = ref(marker)

    def holds(self) -> bool:
        """Say whether it is committed, or may be still."""
        if self._committed:
            return True
        return self._marker() is not None and not self._connection.needs_rollback

    def outlasts(self, other: Moment) -> bool:
        """Say whether it holds for as long as a later one does, at least."""
        return bool(self._committed) or self._savepoints <= other._savepoints


class _Marker:
    """A hook of a transaction that shows whether it was committed, or may be still."""

    __slots__ = ("__weakref__", "committed")

    def __init__(self, committed: list[bool]) -> None:
        self.committed = committed

    def __call__(self) -> None:
        self.committed.append(True)
