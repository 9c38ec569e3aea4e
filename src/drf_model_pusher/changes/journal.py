"""The changes of each transaction, in order, until it is committed or rolled back.

A journal hangs on its connection. Each entry is itself the ``on_commit`` hook, and Django alone
holds it: a savepoint that is rolled back drops exactly its entries. The first hook that runs takes
the living entries behind it along, so one transaction is flushed once. Outside a transaction an
entry is flushed at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from operator import itemgetter
from typing import Any
from weakref import ref

from django.db import connections

from drf_model_pusher.changes.change import Change, Recorded
from drf_model_pusher.changes.flushing import flush
from drf_model_pusher.delivery.base import get_delivery

logger = logging.getLogger("drf_model_pusher")

# The attribute of a connection, which is one thread's.
_JOURNAL = "_drf_model_pusher_journal"

#: Called with a journal whose entries have changed, while a test captures events.
captures: list[Callable[[Journal], None]] = []


class _Entry:
    """One change, as a hook of its transaction."""

    __slots__ = ("__weakref__", "blocks", "cell", "item", "journal", "own")

    def __init__(self, item: Recorded, journal: Journal, *, own: bool) -> None:
        self.item = item
        self.journal: Journal | None = journal
        self.own = own
        #: The transaction blocks around it, while a test captures events.
        self.blocks: Sequence[Any] | None = None
        #: What the journal holds: a function that returns the entry while it lives.
        self.cell: list[Callable[[], _Entry | None]] = [ref(self)]

    def __call__(self) -> None:
        if self.journal is not None:
            self.journal._on_commit(self)

    def keep(self) -> None:
        """Live on without the transaction, which is over."""
        self.cell[0] = lambda: self


class Journal:
    """The changes of a connection that wait for its commit."""

    def __init__(self, using: str) -> None:
        self.using = using
        self._cells: list[list[Callable[[], _Entry | None]]] = []

    def record(self, items: Sequence[Recorded], *, own: bool = False) -> None:
        """Add changes to the current transaction; outside of one, flush them."""
        connection = connections[self.using]
        entries = [_Entry(item, self, own=own) for item in items]
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
        finished: list[_Entry] = []
        unfinished: list[_Entry] = []
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

    def _add(self, entries: Sequence[_Entry]) -> None:
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

    def _on_commit(self, entry: _Entry) -> None:
        """Flush the entry with those behind it; those before it had their turn, or have none."""
        cells = self._cells
        start = next((place for place, cell in enumerate(cells) if cell is entry.cell), len(cells))
        behind = [each for cell in cells[start:] if (each := cell[0]()) is not None]
        # Hooks that run after a commit may use transactions of their own.
        self._cells = [cell for cell in cells[:start] if cell[0]() is not None]
        self._flush(behind)

    def _flush(self, entries: Sequence[_Entry]) -> None:
        for entry in entries:
            entry.journal = None
        if entries:
            flush([entry.item for entry in entries], self.using)

    def _living(self) -> list[_Entry]:
        return [entry for cell in self._cells if (entry := cell[0]()) is not None]


class Block(Journal):
    """The changes of a ``perform_…()`` or a bulk operation.

    ``with Block(using):`` keeps what changes until its end, and then until the commit around it.
    What the operation pushes itself takes the place of what observers saw of the same objects.
    """

    def __init__(self, using: str) -> None:
        super().__init__(using)
        self.outer = current_journal(using)
        #: The block around it, of whatever database.
        self.enclosing = _block.get()
        self.is_over = False
        #: What the operation pushes itself, or keeps silent about: backends and keys.
        self.own: set[tuple[Any, Any]] = set()
        #: Whether what is recorded now is the operation's own.
        self.records_own = False
        # Where its own changes stand, if no observer saw them.
        self._place = 0

    def __enter__(self) -> Block:
        self._token = _block.set(self)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        _block.reset(self._token)
        self.close(failed=error is not None)

    def begin_own(self) -> None:
        """Let the operation's own changes stand here, before what follows."""
        self._place = len(self._cells)

    def record(self, items: Sequence[Recorded], *, own: bool = False) -> None:
        """Keep changes until the end of the block."""
        super().record(items, own=own or self.records_own)

    def close(self, *, failed: bool) -> None:
        """Hand the changes over to the journal around the block; own ones only if it succeeded."""
        self.is_over = True
        cells, self._cells = self._cells, []
        living: list[tuple[float, _Entry]] = [
            (place, each) for place, cell in enumerate(cells) if (each := cell[0]())
        ]
        own = [each for _, each in living if each.own]
        if failed:
            _forget(own)
            own = []
        elif len(own) == len(living):
            self.outer._add(own)
            return
        said = {name for each in own for name in names(each.item)}
        replaced = [item for item in living if self._is_said(item[1], said)]
        _forget(entry for _, entry in replaced)
        kept = [item for item in living if not item[1].own and item not in replaced]
        kept += [(self._place_of(each, replaced), each) for each in own]
        kept.sort(key=itemgetter(0))
        # With a rollback to come, nothing can be stored any more.
        if not connections[self.using].needs_rollback:
            self.outer._add([entry for _, entry in kept])

    def _is_said(self, entry: _Entry, said: set[Any]) -> bool:
        """Whether the operation's own changes say it, or keep silent about it."""
        item = entry.item
        if entry.own or not isinstance(item, Change):
            return False
        if item.observed:
            return subjects(item) <= self.own
        return bool(said & names(item))

    def _place_of(self, own: _Entry, replaced: Sequence[tuple[float, _Entry]]) -> float:
        """Return where an own change stands, which takes the place of others."""
        same = [each for each in replaced if subjects(each[1].item) & subjects(own.item)]
        items: list[Any] = [entry.item for _, entry in same]
        by_hand = [item for item in items if names(item) & names(own.item)]
        for item in by_hand:
            if item.verb == "delete":
                own.item = item  # of a soft deletion the project knows more
            elif not item.observed and item.socket_id is None:
                own.item = _for_everybody(own.item)  # it was pushed to the writer as well
        return min((place for place, _ in same), default=self._place - 0.5)

    def _add(self, entries: Sequence[_Entry]) -> None:
        for entry in entries:
            entry.journal = self
            self._cells.append(entry.cell)

    def _on_commit(self, entry: _Entry) -> None:
        entry.keep()


def subjects(item: Any) -> set[tuple[Any, Any]]:
    """Return the objects of a change, each as one backend knows it."""
    return {(item.backend, key) for key in item.keys} if isinstance(item, Change) else set()


def names(item: Any) -> set[tuple[Any, str, Any]]:
    """Return what a change says of each object, through which backend."""
    if not isinstance(item, Change):
        return set()
    return {(item.backend, item.verb, key) for key in item.keys}


_block: ContextVar[Block | None] = ContextVar("block", default=None)


def record(items: Sequence[Recorded], using: str) -> None:
    """Record changes in the current transaction of a database."""
    current_journal(using).record(items)


def current_journal(using: str) -> Journal:
    """Return the journal of the current block, or of the connection."""
    return current_block(using) or journal_of(connections[using])


def journal_of(connection: Any) -> Journal:
    """Return the journal that hangs on a connection."""
    kept = vars(connection)
    journal: Journal | None = kept.get(_JOURNAL)
    if journal is None:
        journal = kept[_JOURNAL] = Journal(connection.alias)
    return journal


def current_block(using: str) -> Block | None:
    """Return the innermost block of a database; tasks that began in one may outlive it."""
    found = _block.get()
    while found is not None and (found.is_over or found.using != using):
        found = found.enclosing
    return found


def open_blocks(connection: Any) -> list[tuple[Any, str | None]]:
    """Return the transaction blocks that are open, each with its savepoint, outermost first."""
    blocks, savepoints = connection.atomic_blocks, connection.savepoint_ids
    # The outermost has no savepoint where it began the transaction.
    return list(zip(blocks, [None] * (len(blocks) - len(savepoints)) + savepoints, strict=False))


def _for_everybody(item: Recorded) -> Recorded:
    if isinstance(item, Change) and item.events is not None:
        item = replace(item, events=[replace(event, socket_id=None) for event in item.events])
    return replace(item, socket_id=None)


def _forget(entries: Iterable[_Entry]) -> None:
    for entry in entries:
        entry.journal = None


@cache
def _log_manual_transaction() -> None:
    """Say once that Django has no hook for a commit by hand."""
    logger.warning(
        "events leave before the commit reason=set_autocommit(False) hint=%s",
        "use transaction.atomic()",
    )
