"""Blocks of the journal: what a ``perform_…()`` or a bulk operation changes, kept to its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from operator import itemgetter
from typing import Any

from django.db import connections

from drf_model_pusher.change import Change, Recorded
from drf_model_pusher.changes.journal import Entry, Journal, journal_of

_block: ContextVar[Block | None] = ContextVar("block", default=None)


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
        living: list[tuple[float, Entry]] = [
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

    def _is_said(self, entry: Entry, said: set[Any]) -> bool:
        """Whether the operation's own changes say it, or keep silent about it."""
        item = entry.item
        if entry.own or not isinstance(item, Change):
            return False
        if item.observed:
            return subjects(item) <= self.own
        return bool(said & names(item))

    def _place_of(self, own: Entry, replaced: Sequence[tuple[float, Entry]]) -> float:
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

    def _add(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.journal = self
            self._cells.append(entry.cell)

    def _on_commit(self, entry: Entry) -> None:
        entry.keep()


def record(items: Sequence[Recorded], using: str) -> None:
    """Record changes in the current transaction of a database."""
    current_journal(using).record(items)


def current_journal(using: str) -> Journal:
    """Return the journal of the current block, or of the connection."""
    return current_block(using) or journal_of(connections[using])


def current_block(using: str) -> Block | None:
    """Return the innermost block of a database; tasks that began in one may outlive it."""
    found = _block.get()
    while found is not None and (found.is_over or found.using != using):
        found = found.enclosing
    return found


def subjects(item: Any) -> set[tuple[Any, Any]]:
    """Return the objects of a change, each as one backend knows it."""
    return {(item.backend, key) for key in item.keys} if isinstance(item, Change) else set()


def names(item: Any) -> set[tuple[Any, str, Any]]:
    """Return what a change says of each object, through which backend."""
    if not isinstance(item, Change):
        return set()
    return {(item.backend, item.verb, key) for key in item.keys}


def _for_everybody(item: Recorded) -> Recorded:
    if isinstance(item, Change) and item.events is not None:
        item = replace(item, events=[replace(event, socket_id=None) for event in item.events])
    return replace(item, socket_id=None)


def _forget(entries: Iterable[Entry]) -> None:
    for entry in entries:
        entry.journal = None
