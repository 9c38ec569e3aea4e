"""The events that would leave, also where a test's transaction never commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, overload

from django.db import connections
from django.test import override_settings

from drf_model_pusher.changes.journal import Journal, captures, journal_of, open_blocks
from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers.memory import check_acceptable


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
            id(connection): open_blocks(connection)
            for connection in connections.all(initialized_only=True)
        }
        self._left: list[PusherEvent] = []

    @property
    def waiting(self) -> bool:
        """Whether there are events whose transaction is not over."""
        return any(journal.is_captured for journal in self._flushed())

    def clear(self) -> None:
        """Forget what has left so far."""
        self._flushed()
        self._left.clear()

    @overload
    def __getitem__(self, index: int) -> PusherEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[PusherEvent]: ...
    def __getitem__(self, index: int | slice) -> PusherEvent | list[PusherEvent]:
        self._flushed()
        return self._left[index]

    def __len__(self) -> int:
        self._flushed()
        return len(self._left)

    def __eq__(self, other: object) -> bool:
        self._flushed()
        return self._left == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        self._flushed()
        return repr(self._left)

    def _flushed(self) -> list[Journal]:
        """Return the journals of this thread, after what is over has left them."""
        journals = [journal_of(each) for each in connections.all(initialized_only=True)]
        for journal in journals:
            self._flush(journal)
        return journals

    def _flush(self, journal: Journal) -> None:
        """Let changes leave whose transaction is over but for the blocks of the test."""
        connection = connections[journal.using]
        around = self._around.get(id(connection), [])
        # A fixture may open a test case's blocks after the capture; Django marks them for itself.
        own = [block for block in open_blocks(connection) if block[0]._from_testcase]
        journal.flush_finished([*around, *own])

    def _before_statement(
        self, journal: Journal, execute: Any, sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Read rows as a block has left them, before anything else changes them."""
        # Django has left the block before it rolls it back, and drops its hooks after that.
        if not self._is_flushing and not sql.startswith("ROLLBACK"):
            self._is_flushing = True
            try:
                self._flush(journal)
            finally:
                self._is_flushing = False
        return execute(sql, params, many, context)

    _is_flushing = False

    def _let_go(self, events: Sequence[PusherEvent]) -> None:
        for event in events:
            try:
                check_acceptable(event)
            except ProviderError as error:
                self.refused.append((event, str(error)))
            else:
                self._left.append(event)


class RecordingDelivery(BaseDelivery):
    """Sends nothing; what would leave is in the list of each capture that is open."""

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Remember events."""
        for captured in _captures:
            captured._let_go(events)


_captures: list[CapturedEvents] = []


@contextmanager
def capture_events() -> Iterator[CapturedEvents]:
    """Give the list of events that would leave in the block; none of them does.

    It works inside ``TestCase``, whose transaction never commits, and with real transactions.
    """
    captured = CapturedEvents()
    path = f"{RecordingDelivery.__module__}.{RecordingDelivery.__qualname__}"
    with override_settings(DRF_MODEL_PUSHER_DELIVERY=path), ExitStack() as wrappers:
        for connection in connections.all(initialized_only=True):
            wrapper = partial(captured._before_statement, journal_of(connection))
            wrappers.enter_context(connection.execute_wrapper(wrapper))
        _captures.append(captured)
        captures.append(captured._flush)
        try:
            yield captured
            captured._flushed()
        finally:
            captures.remove(captured._flush)
            _captures.remove(captured)


def current_capture() -> CapturedEvents:
    """Return the list of the innermost capture that is open."""
    if not _captures:
        raise AssertionError(
            "No events are captured here: ask for the fixture `pusher_events`, make the assertion "
            "inside `with capture_events():`, or hand the list over as `events=…`."
        )
    return _captures[-1]
