"""The changes of each transaction, in order, until it is committed or rolled back.

A journal hangs on its connection. Each entry is itself the ``on_commit`` hook, and Django alone
holds it: a savepoint that is rolled back drops exactly its entries. The first hook that runs takes
the living entries behind it along, so one transaction is flushed once. Outside a transaction an
entry is flushed at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from weakref import ref

from django.db import connections

from drf_model_pusher.change import Recorded
from drf_model_pusher.changes.flushing import flush
from drf_model_pusher.delivery.base import get_delivery

logger = logging.getLogger("drf_model_pusher")

# The attribute of a connection, which is one thread's.
_JOURNAL = "_drf_model_pusher_journal"

#: Called with a journal whose entries have changed, while a test captures events.
captures: list[Callable[[Journal], None]] = []


class Entry:
    """One change, as a hook of its transaction."""

    __slots__ = ("__weakref__", "blocks", "cell", "item", "journal", "own")

    def __init__(self, item: Recorded, journal: Journal, *, own: bool) -> None:
        self.item = item
        self.journal: Journal | None = journal
        self.own = own
        #: The transaction blocks around it, while a test captures events.
        self.blocks: Sequence[Any] | None = None
        #: What the journal holds: a function that returns the entry while it lives.
        self.cell: list[Callable[[], Entry | None]] = [ref(self)]

    def __call__(self) -> None:
        """Hear that the transaction is committed."""
        if self.journal is not None:
            self.journal._on_commit(self)

    def keep(self) -> None:
        """Live on without the transaction, which is over."""
        self.cell[0] = lambda: self


class Journal:
    """The changes of a connection that wait for its commit."""

    def __init__(self, using: str) -> None:
        self.using = using
        self._cells: list[list[Callable[[], Entry | None]]] = []

    def record(self, items: Sequence[Recorded], *, own: bool = False) -> None:
        """Add changes to the current transaction; outside of one, flush them."""
        connection = connections[self.using]
        entries = [Entry(item, self, own=own) for item in items]
        for entry in entries:
            if connection.in_atomic_block:
                if captures:
                    entry.blocks = open_blocks(connection)
                connection.on_commit(entry)
            else:
                entry.keep()
        if entries and not connection.in_atomic_block and not connection.get_autocommit():
            _log_manual_transaction()
        self._add(entries)

    def flush_finished(self, around: Sequence[Any]) -> None:
        """Flush changes whose own transaction blocks have ended, as a test needs it.

        Args:
            around: The ``open_blocks()`` that the code under test did not open itself.
        """
        connection = connections[self.using]
        open_now = [block for block in open_blocks(connection) if block not in around]
        finished: list[Entry] = []
        unfinished: list[Entry] = []
        for entry in self._living():
            own = [block for block in entry.blocks or () if block not in around]
            # A block without a savepoint rolls back what is around it, which has begun to.
            undone = connection.needs_rollback and own and own[0][1] is None
            is_open = undone or any(block in open_now for block in own)
            # What was recorded before the test captured is none of its business.
            waits = is_open or entry.blocks is None
            (unfinished if waits else finished).append(entry)
        self._cells = [entry.cell for entry in unfinished]
        self._flush(finished)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded that may still be committed."""
        return not self._living()

    @property
    def is_captured(self) -> bool:
        """Whether a test that captures events may get more of them."""
        return any(entry.blocks is not None for entry in self._living())

    def _add(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        connection = connections[self.using]
        if not connection.in_atomic_block or get_delivery().joins_transaction:
            self._flush(entries)
            return
        if self._cells and self._cells[-1][0]() is None:  # rolled back
            self._cells = [entry.cell for entry in self._living()]
        for entry in entries:
            entry.journal = self
            self._cells.append(entry.cell)
        for captured in captures:
            captured(self)

    def _on_commit(self, entry: Entry) -> None:
        """Flush the entry with those behind it; those before it had their turn, or have none."""
        cells = self._cells
        start = next((place for place, cell in enumerate(cells) if cell is entry.cell), len(cells))
        behind = [each for cell in cells[start:] if (each := cell[0]()) is not None]
        # Hooks that run after a commit may use transactions of their own.
        self._cells = [cell for cell in cells[:start] if cell[0]() is not None]
        self._flush(behind)

    def _flush(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.journal = None
        if entries:
            flush([entry.item for entry in entries], self.using)

    def _living(self) -> list[Entry]:
        return [entry for cell in self._cells if (entry := cell[0]()) is not None]


def journal_of(connection: Any) -> Journal:
    """Return the journal that hangs on a connection."""
    kept = vars(connection)
    journal: Journal | None = kept.get(_JOURNAL)
    if journal is None:
        journal = kept[_JOURNAL] = Journal(connection.alias)
    return journal


def open_blocks(connection: Any) -> list[tuple[Any, str | None]]:
    """Return the transaction blocks that are open, each with its savepoint, outermost first."""
    blocks, savepoints = connection.atomic_blocks, connection.savepoint_ids
    # The outermost has no savepoint where it began the transaction.
    return list(zip(blocks, [None] * (len(blocks) - len(savepoints)) + savepoints, strict=False))


@cache
def _log_manual_transaction() -> None:
    """Say once that Django has no hook for a commit by hand."""
    logger.warning(
        "events leave before the commit reason=set_autocommit(False) hint=%s",
        "use transaction.atomic()",
    )
