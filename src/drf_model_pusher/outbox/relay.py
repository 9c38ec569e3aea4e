"""One worker of a relay: batch by batch, it sends what waits, in the order of each object."""

from __future__ import annotations

import logging
import math
import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from django.db import Error, transaction

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.retry import RETRY_POLICY, Backoff
from drf_model_pusher.delivery.sending import by_provider, report_failed, send_batch
from drf_model_pusher.events import MAX_EVENTS_PER_BATCH
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.outbox import table
from drf_model_pusher.outbox.batch import Batch, OutboxEvent
from drf_model_pusher.outbox.locks import locks_for
from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.rows import write
from drf_model_pusher.providers.base import before_each_call

logger = logging.getLogger("drf_model_pusher")

# The most rows of a batch, and the seconds after which it begins no other call. What a worker that
# is killed has sent of its batch is sent again.
ROWS, SECONDS = 100, 1.0
# How many partitions are locked at first; a worker takes no more of them than fill its batch.
_FEW = 8
_UNRENDERED = "no event could be made of it; the log says why"
# Seconds by which the clock of a database may be coarser than ours.
_MARGIN = 0.01
# Seconds after the pause of a provider in which the next try is made.
_GRACE = 1.0
# Seconds between two looks for rows that were kept long enough.
_PRUNE = 60.0


class _UnreadableError(Exception):
    """The database refuses to read what one of several rows is about."""


class Relay:
    """A worker; it lives in one thread."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.locks = locks_for(using)
        self.stopping = False
        """Set it from anywhere: the call under way is the last one."""
        self.sent = 0
        """How many rows have left."""
        self.failures = 0
        """How many tries failed."""
        self.saw_rows = False
        """Whether there were rows to send at the last look, though others may have had them."""
        self._backoffs: dict[str | None, Backoff] = {}
        self._retry_at = math.inf
        self._one_by_one = 0
        self._prune_at = 0.0  # at once, since many a relay does not live for long

    def batch(self) -> bool:
        """Send some of what waits; return whether to look again at once.

        Raises:
            Error: The database failed. The rows are as they were, and leave again in their order.
        """
        now = time.monotonic()
        if now > self._prune_at:
            table.make_partitions(self.using)
            table.prune(self.using)
            self._prune_at = now + _PRUNE
        if now >= self._retry_at + _MARGIN:
            self._retry_at = math.inf
        resting = [path or "" for path, each in self._backoffs.items() if each.is_waiting]
        seen = table.look(self.using, resting)
        self.saw_rows = bool(seen)
        if not seen:
            return False
        try:
            with self.locks.batch():
                if not (rows := self._claim(seen, resting)):
                    return False
                batch = self._render(rows)
                until = time.monotonic() + SECONDS
                with before_each_call(self.locks.confirm):
                    for group in by_provider(batch.events):
                        self._send(deque(group), batch, until=until)
                if not self.locks.lost:
                    self._mark(batch)
        except _UnreadableError:
            self._one_by_one = ROWS
        else:
            self.sent += len(batch.done)
            # From now on, since the database counts from the moment in which they were put off.
            pauses = [each.pause for each in batch.refused if each.pause is not None]
            self._retry_at = min(self._retry_at, time.monotonic() + min(pauses, default=math.inf))
        return True

    def seconds_to_rest(self, longest: float) -> float:
        """Return for how long there is nothing to do unless new rows come."""
        return max(_MARGIN, min(longest, self._retry_at - time.monotonic()))

    @property
    def is_patient(self) -> bool:
        """Whether something is to be tried again: it failed, or others held it at the last look."""
        # A pause counts for a while after its end: no note of it may have reached the database.
        ended = time.monotonic() - _GRACE
        tried_again = any(each.retry_at > ended for each in self._backoffs.values())
        return self.saw_rows or self._retry_at < math.inf or tried_again

    def _claim(self, seen: list[tuple[int, int]], resting: Sequence[str]) -> list[OutboxRow]:
        """Lock partitions until there is enough to send; return the rows in their order."""
        random.shuffle(seen)  # workers do not stand in each other's way
        rows: list[OutboxRow] = []
        size = _FEW
        while seen and len(rows) < ROWS:
            firsts, seen = dict(seen[:size]), seen[size:]
            size *= 2
            if held := self.locks.lock(list(firsts)):
                # A statement of its own: it sees what was committed before the lock was there.
                first = min(firsts[number] for number in held)
                rows += table.read(self.using, held, first, ROWS - len(rows), resting)
        return sorted(rows, key=lambda row: row.id)

    def _render(self, rows: Sequence[OutboxRow]) -> Batch:
        """Make events of rows; where the database refuses to read them, of one row at a time."""
        if not self._one_by_one:
            try:
                return self._refusing_unrendered(Batch(rows, self.using))
            except Error as error:
                raise _UnreadableError from error
        self._one_by_one -= 1
        try:
            with transaction.atomic(using=self.using):
                batch = Batch(rows[:1], self.using)
        except Error:
            with suppress(ProviderError):
                self.locks.confirm()
            if self.locks.lost:
                raise
            self._one_by_one = 0
            logger.exception("row not read id=%d", rows[0].id)
            batch = Batch([], self.using)
            batch.unrendered = [rows[0]]
        return self._refusing_unrendered(batch)

    def _refusing_unrendered(self, batch: Batch) -> Batch:
        for row in batch.unrendered:
            self._refuse(row, _UNRENDERED, batch)
        return batch

    def _send(self, events: deque[OutboxEvent], batch: Batch, *, until: float) -> None:
        """Send events of one provider, call by call."""
        backoff = self._backoffs.setdefault(events[0].event.provider, Backoff())
        while events and not (backoff.is_waiting or self.stopping or time.monotonic() > until):
            if chunk := _next_call(events, batch, alone=backoff.failures > 0):
                events.extendleft(reversed(self._try(chunk, batch, backoff)))

    def _try(
        self, chunk: Sequence[OutboxEvent], batch: Batch, backoff: Backoff
    ) -> list[OutboxEvent]:
        """Make one call; return the events behind one that was refused for what it says."""
        # Others have got through since this one failed: it may be what the service stumbles over.
        suspect = chunk[0].attempts > 0 and not backoff.failures
        left = list(chunk)
        failure = send_batch(left, give_up=False)
        sent = chunk[: len(chunk) - len(left)]
        batch.sent(sent)
        if failure is None:
            _succeed(backoff)
            return []
        self.failures += 1
        refused = left[: failure.error.refused]
        if suspect or failure.is_about_one_event:
            _succeed(backoff)
            for event in refused:
                if self._refuse(
                    event.rows[0], str(failure.error), batch, failure.error.retry_after
                ):
                    report_failed([event], failure)
            return left[len(refused) :]
        if sent:
            _succeed(backoff)
        if not backoff.failures:
            logger.warning("relay interrupted error=%s", failure.error)
        pause = backoff.fail(failure.error)
        for event in refused:
            batch.failed(event.rows[0], str(failure.error), pause, at_fault=False)
        return []

    def _refuse(
        self, row: OutboxRow, error: str, batch: Batch, retry_after: float | None = None
    ) -> bool:
        """Keep a row for another try, or as dead; return whether it is dead."""
        if is_dead := row.refusals + 1 >= app_settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS:
            batch.dead(row, error)
        else:
            pause = RETRY_POLICY.pause(row.attempts + 1, retry_after)
            batch.failed(row, error, pause, at_fault=True)
        return is_dead

    def _mark(self, batch: Batch) -> None:
        """Note what became of the rows; all of it is committed, or nothing."""
        keep = app_settings.DRF_MODEL_PUSHER_OUTBOX_KEEP_SECONDS
        with transaction.atomic(using=self.using, savepoint=False):
            write(batch.touched, self.using)
            table.finish(self.using, batch.done, keep)
            for refused in batch.refused:
                table.put_off(self.using, refused)


def _next_call(events: deque[OutboxEvent], batch: Batch, *, alone: bool) -> list[OutboxEvent]:
    """Take the events that go into one call; what has failed before goes alone."""
    chunk: list[OutboxEvent] = []
    room = MAX_EVENTS_PER_BATCH
    while events and room > 0:
        event = events[0]
        size, alone = len(event.event.channels), alone or event.attempts > 0
        if event.lane in batch.blocked:
            events.popleft()  # one of its object failed in this batch
        elif chunk and (alone or size > room):
            break
        else:
            chunk.append(events.popleft())
            room = 0 if alone else room - size
    return chunk


def _succeed(backoff: Backoff) -> None:
    if backoff.succeed():
        logger.warning("relay resumed")
