"""The events that would leave, also where a test's transaction never commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import groupby
from typing import Any, overload

from django.db import connections, transaction
from django.test import override_settings

from drf_model_pusher.delivery.base import BaseDelivery, is_held_back
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers.memory import check_acceptable

# One transaction block that is open: Django's object for it, and its savepoint.
_Block = tuple[Any, "str | None"]


class CapturedEvents(Sequence[PusherEvent]):
    """The events that have left so far, or would have: oldest first.

    An event counts as soon as each transaction block around it has been left without an error.
    Blocks that were open when the capture began do not matter, nor do those of ``TestCase``. What
    was rolled back never counts, and neither does what Pusher would refuse.

    Attributes:
        refused: Events that no provider would have taken, each with the reason.
    """

    def __init__(self) -> None:
        self.refused: list[tuple[PusherEvent, str]] = []
        self._around = {
            id(connection): _open_blocks(connection)
            for connection in connections.all(initialized_only=True)
        }
        self._waiting: list[_Taken] = []
        self._left: list[PusherEvent] = []

    @property
    def waiting(self) -> bool:
        """Whether there are events whose transaction is not over."""
        self._settle()
        return any(taken.is_kept() for taken in self._waiting)

    def clear(self) -> None:
        """Forget what has left so far."""
        self._settle()
        self._left.clear()

    @overload
    def __getitem__(self, index: int) -> PusherEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[PusherEvent]: ...
    def __getitem__(self, index: int | slice) -> PusherEvent | list[PusherEvent]:
        self._settle()
        return self._left[index]

    def __len__(self) -> int:
        self._settle()
        return len(self._left)

    def __eq__(self, other: object) -> bool:
        self._settle()
        return self._left == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        self._settle()
        return repr(self._left)

    def _take(self, taken: _Taken) -> None:
        self._waiting.append(taken)
        self._settle(taken.thread)

    def _settle(self, thread: int | None = None) -> None:
        """Let those leave whose transaction is over, by default of all threads."""
        over: list[_Taken] = []
        still: list[_Taken] = []
        for taken in self._waiting:
            # Another thread may just be about to roll back a block that it has left.
            committed = thread in (None, taken.thread) and taken.is_committed(
                self._around.get(id(taken.connection), [])
            )
            (over if committed else still).append(taken)
        self._waiting = still
        for _, transacted in groupby(over, key=lambda taken: id(taken.connection)):
            self._let_go(_events_of(list(transacted)))

    def _let_go(self, events: Sequence[PusherEvent]) -> None:
        for event in events:
            try:
                check_acceptable(event)
            except ProviderError as error:
                self.refused.append((event, str(error)))
            else:
                self._left.append(event)


_Make = Callable[[Sequence[Any]], None]


class _Taken:
    """Events of one change, or changes, as a hook of the transaction that decides about them."""

    def __init__(self, items: Sequence[Any], using: str | None, make: _Make | None = None) -> None:
        self.items = list(items)
        self.make = make
        self.thread = threading.get_ident()
        self.connection = transaction.get_connection(using)
        self._blocks = _open_blocks(self.connection)
        self._called = False

    def __call__(self) -> None:
        """Hear that the transaction is committed; a test's own never is."""
        self._called = True

    def is_committed(self, around: list[_Block]) -> bool:
        """Say whether the blocks were left well, those around the code under test left aside."""
        if self._called:
            return True
        own = [
            block for block in self._blocks if not block[0]._from_testcase and block not in around
        ]
        opened = _open_blocks(self.connection)
        # A rollback takes the hooks of its block away.
        if any(block in opened for block in own) or not self.is_kept():
            return False
        # One without a savepoint can only roll back what is around it, and that has begun to.
        return not (self.connection.needs_rollback and own and own[0][1] is None)

    def is_kept(self) -> bool:
        """Say whether the transaction has not been rolled back."""
        return any(hook is self for _, hook, _ in self.connection.run_on_commit)


# Where events go that are made after a commit: to the capture that lets them be made.
_made: ContextVar[list[PusherEvent] | None] = ContextVar("made", default=None)


def _events_of(transacted: Sequence[_Taken]) -> list[PusherEvent]:
    """Return the events of one transaction, made of what it has changed where they are not yet."""
    items = [item for taken in transacted for item in taken.items]
    make = next((taken.make for taken in transacted if taken.make is not None), None)
    if make is None:
        return items
    events: list[PusherEvent] = []
    token = _made.set(events)
    try:
        make(items)
    finally:
        _made.reset(token)
    return events


def _open_blocks(connection: Any) -> list[_Block]:
    blocks, savepoints = connection.atomic_blocks, connection.savepoint_ids
    # The outermost has no savepoint where it began the transaction.
    return list(zip(blocks, [None] * (len(blocks) - len(savepoints)) + savepoints, strict=False))


_captures: list[CapturedEvents] = []


class RecordingDelivery(BaseDelivery):
    """Sends nothing; what would leave is in the list of each capture that is open."""

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Send nothing."""

    def deliver(self, events: Sequence[PusherEvent], *, using: str | None = None) -> None:
        """Remember events, and the transaction that decides about them."""
        if (made := _made.get()) is not None:
            made += events
        elif is_held_back():
            super().deliver(events, using=using)
        else:
            _take(_Taken(events, using), using)

    def writes_in_transaction(self) -> bool:
        """Say no: what leaves after a commit is made of what that has left."""
        return False

    def put_off(self, make: _Make, changes: Sequence[Any], *, using: str) -> None:
        """Remember changes, and the transaction that decides about them."""
        _take(_Taken(changes, using, make), using)


def _take(taken: _Taken, using: str | None) -> None:
    for captured in _captures:
        captured._settle(taken.thread)  # what has left by now did so before
    transaction.on_commit(taken, using=using)
    for captured in _captures:
        captured._take(taken)


@contextmanager
def _hearing_of_ends() -> Iterator[None]:
    """Let captures settle as soon as a block is left: what is read then is what it has left."""
    leave = transaction.Atomic.__exit__

    def left(self: transaction.Atomic, *error: Any) -> None:
        leave(self, *error)
        for captured in _captures:
            captured._settle(threading.get_ident())

    transaction.Atomic.__exit__ = left  # type: ignore[method-assign]
    try:
        yield
    finally:
        transaction.Atomic.__exit__ = leave  # type: ignore[method-assign]


@contextmanager
def capture_events() -> Iterator[CapturedEvents]:
    """Give the list of events that would leave in the block; none of them does.

    It works inside ``TestCase``, whose transaction never commits, and with real transactions.
    """
    captured = CapturedEvents()
    path = f"{RecordingDelivery.__module__}.{RecordingDelivery.__qualname__}"
    with override_settings(DRF_MODEL_PUSHER_DELIVERY=path), _hearing_of_ends():
        _captures.append(captured)
        try:
            yield captured
        finally:
            captured._settle()
            captured._waiting.clear()
            _captures.remove(captured)


def current_capture() -> CapturedEvents:
    """Return the list of the innermost capture that is open."""
    if not _captures:
        raise AssertionError(
            "No events are captured here: ask for the fixture `pusher_events`, make the assertion "
            "inside `with capture_events():`, or hand the list over as `events=…`."
        )
    return _captures[-1]
