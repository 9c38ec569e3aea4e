"""The events that would leave, also where a test's transaction never commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
        # What has left by now did so before what comes.
        self._settle()
        self._waiting.append(taken)

    def _settle(self) -> None:
        """Let those leave whose transaction is over."""
        still = []
        for taken in self._waiting:
            if taken.is_committed(self._around.get(id(taken.connection), [])):
                self._let_go(taken.events)
            else:
                still.append(taken)
        self._waiting = still

    def _let_go(self, events: Sequence[PusherEvent]) -> None:
        for event in events:
            try:
                check_acceptable(event)
            except ProviderError as error:
                self.refused.append((event, str(error)))
            else:
                self._left.append(event)


class _Taken:
    """Events of one change, as a hook of the transaction that decides about them."""

    def __init__(self, events: Sequence[PusherEvent], using: str | None) -> None:
        self.events = list(events)
        self.connection = transaction.get_connection(using)
        self._blocks = _open_blocks(self.connection)
        self._called = False

    def __call__(self) -> None:
        """Hear that the transaction is committed; a test's own never is."""
        self._called = True
        for captured in _captures:
            captured._settle()

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
        if is_held_back():
            super().deliver(events, using=using)
            return
        taken = _Taken(events, using)
        for captured in _captures:
            captured._take(taken)
        transaction.on_commit(taken, using=using)


@contextmanager
def capture_events() -> Iterator[CapturedEvents]:
    """Give the list of events that would leave in the block; none of them does.

    It works inside ``TestCase``, whose transaction never commits, and with real transactions.
    """
    captured = CapturedEvents()
    path = f"{RecordingDelivery.__module__}.{RecordingDelivery.__qualname__}"
    with override_settings(DRF_MODEL_PUSHER_DELIVERY=path):
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
