"""One worker of a relay: it sends what its partitions hold, in the order of each object."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.retry import RETRY_POLICY, Backoff
from drf_model_pusher.delivery.sending import SendFailure, report_failed, send_batch
from drf_model_pusher.events import MAX_EVENTS_PER_BATCH
from drf_model_pusher.occupancy.audience import settle
from drf_model_pusher.outbox import table
from drf_model_pusher.outbox.conflation import conflate
from drf_model_pusher.outbox.leases import Lease, longest_call
from drf_model_pusher.outbox.reading import Reader
from drf_model_pusher.outbox.rows import Claimed

logger = logging.getLogger("drf_model_pusher")

# Seconds after which a round ends, so that the lease is renewed and others get their share.
_ROUND = 1.0
# Seconds for which what has left may stay unmarked while there is more to send. A worker that is
# killed leaves so much, and at least one call, to be sent again.
_UNMARKED = 0.05
# Seconds between two looks for what was kept long enough.
_PRUNE = 60.0


class Relay:
    """A worker; it lives in one thread."""

    def __init__(self, using: str) -> None:
        self.lease = Lease(using)
        self._reader = Reader(self.lease)
        self.stopping = False
        """Set it from anywhere: the call under way is the last one."""
        self.sent = 0
        """How many events have left."""
        self.failures = 0
        """How many tries failed."""
        self._backoffs: dict[str, Backoff] = {}
        self._postponed: dict[str, datetime] = {}
        self._is_known = False  # whether that is what the database says
        self._unmarked: list[int] = []
        self._marked_at = 0.0
        self._prune_at = 0.0  # at once, since many a relay does not live for long
        self._minute: deque[tuple[float, int]] = deque()

    def round(self) -> bool:
        """Send what waits, for a second or so; say whether to look again at once.

        Raises:
            DatabaseError: The database cannot be asked. What has left is remembered.
        """
        try:
            return self._round()
        except BaseException:
            # What was under way may have been committed all the same.
            self._is_known = False
            raise

    def seconds_to_rest(self, longest: float) -> float:
        """Return for how long there is nothing to do unless new events come, but keep the lease."""
        now = time.monotonic()
        times = [each.retry_at - now for each in self._backoffs.values() if each.is_waiting]
        if self._postponed:
            times.append((min(self._postponed.values()) - timezone.now()).total_seconds())
        return max(0.0, min([longest, self.lease.seconds_to_spare, *times]))

    @property
    def is_patient(self) -> bool:
        """Whether something is left alone for now because it failed."""
        return bool(self._postponed) or any(each.is_waiting for each in self._backoffs.values())

    def _round(self) -> bool:
        self._mark()
        # Else it is renewed at the end: what has just been committed does not wait for that.
        took = not self.lease.covers(longest_call() + _ROUND) and self._keep()
        if not self._is_known:
            self._postponed = table.postponed(self.lease)
            self._is_known = True
        self._wake()
        before = self.sent + self.failures
        try:
            for chunk in self._chunks(self._claim()):
                self._send(chunk)
                if time.monotonic() > self._marked_at + _UNMARKED:
                    self._mark()
        finally:
            self._mark()
        took = self._keep() or took
        self._prune()
        return took or self.sent + self.failures > before

    def _keep(self) -> bool:
        """Keep the lease; say whether there are partitions that have not been looked into."""
        took = self.lease.keep(self._sent_per_minute())
        self._is_known = self._is_known and not took
        return took

    # What to send

    def _claim(self) -> list[Claimed]:
        """Return what may be sent now, in order."""
        resting = [path for path, backoff in self._backoffs.items() if backoff.is_waiting]
        entries, nobodys = conflate(self._in_turn(self._reader.take(resting)))
        self._done(nobodys)
        left = []
        for entry, event in zip(entries, settle([each.event for each in entries]), strict=True):
            if event:
                entry.event = event
                left.append(entry)
            else:
                self._done([entry.id, *entry.absorbed])
        return left

    def _in_turn(self, entries: list[Claimed]) -> list[Claimed]:
        """Return those that have nothing of their object before them; put off the others."""
        if not any(entry.key in self._postponed for entry in entries):
            return entries
        # Somebody may have let it go on by hand.
        self._postponed = table.postponed(self.lease)
        behind: dict[datetime, list[Claimed]] = {}
        for entry in entries:
            if due := self._postponed.get(entry.key):
                behind.setdefault(due, []).append(entry)
        for due, followers in behind.items():
            table.put_behind(self.lease, followers, due)
        return [entry for entry in entries if entry.key not in self._postponed]

    def _chunks(self, entries: Sequence[Claimed]) -> Iterator[list[Claimed]]:
        """Split entries into calls, for as long as this round and the lease allow."""
        groups: dict[str, deque[Claimed]] = {}
        for entry in entries:
            groups.setdefault(entry.provider, deque()).append(entry)
        ends = time.monotonic() + _ROUND
        for path, group in groups.items():
            backoff = self._backoffs.setdefault(path, Backoff())
            while not backoff.is_waiting and (chunk := self._next(group, backoff)):
                over = self.stopping or time.monotonic() > ends
                if over or not self.lease.covers(longest_call()):
                    return
                yield chunk

    def _next(self, group: deque[Claimed], backoff: Backoff) -> list[Claimed]:
        """Return what goes into one call; what has failed before goes alone."""
        chunk: list[Claimed] = []
        room = MAX_EVENTS_PER_BATCH
        while group and room > 0:
            entry = group[0]
            if entry.key in self._postponed:
                group.popleft()  # one of its object has failed in this round
                continue
            alone = bool(entry.attempts or backoff.failures)
            size = len(entry.event.channels)
            if chunk and (alone or size > room):
                break
            chunk.append(group.popleft())
            room = 0 if alone else room - size
        return chunk

    # What becomes of it

    def _send(self, chunk: Sequence[Claimed]) -> None:
        """Try what goes into one call."""
        backoff = self._backoffs[chunk[0].provider]
        # Others have got through since this one failed: it may be what the service stumbles over.
        suspect = chunk[0].attempts > 0 and not backoff.failures
        left = list(chunk)
        while left:
            before = list(left)
            failure = send_batch(left, give_up=False)
            done = before[: len(before) - len(left)]
            self._done([pk for entry in done for pk in (entry.id, *entry.absorbed)])
            if (failure is None or done) and backoff.succeed():
                logger.warning("relay resumed")
            if failure is None:
                return
            self.failures += 1
            refused = left[: failure.error.refused]
            if not suspect and not failure.is_about_one_event:
                self._bear(refused, failure, backoff)
                return
            if backoff.succeed():
                logger.warning("relay resumed")
            for entry in refused:
                self._refuse(entry, failure)
            # What is behind one that is tried again must not overtake it.
            left = [each for each in left[len(refused) :] if each.key not in self._postponed]

    def _bear(self, refused: Sequence[Claimed], failure: SendFailure, backoff: Backoff) -> None:
        """Leave the provider alone for a while."""
        if not backoff.failures:
            logger.warning("relay interrupted error=%s", failure.error)
        backoff.fail(failure.error)
        table.note_failure(self.lease, refused, str(failure.error))
        if len(refused) == 1:
            # The next try is another object's, in case the service stumbles over this event.
            self._put_off(refused[0], failure)

    def _refuse(self, entry: Claimed, failure: SendFailure) -> None:
        """Keep an event for another try, or as dead."""
        entry.refusals += 1
        if entry.refusals < app_settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS:
            self._put_off(entry, failure)
        else:
            table.put_off(self.lease, entry, str(failure.error), None)
            report_failed([entry], failure)

    def _put_off(self, entry: Claimed, failure: SendFailure) -> None:
        pause = RETRY_POLICY.pause(entry.attempts, failure.error.retry_after)
        due = timezone.now() + timedelta(seconds=pause)
        table.put_off(self.lease, entry, str(failure.error), due)
        self._postponed[entry.key] = due

    def _done(self, ids: Sequence[int]) -> None:
        self._unmarked += ids
        self.sent += len(ids)

    # Housekeeping

    def _mark(self) -> None:
        """Let go what has left, in one statement."""
        if self._unmarked:
            table.finish(self.lease, self._unmarked)
            self._minute.append((time.monotonic(), len(self._unmarked)))
            self._unmarked = []
        self._marked_at = time.monotonic()

    def _wake(self) -> None:
        """Let those go on whose time has come, all of an object together."""
        now = timezone.now()
        if any(due <= now for due in self._postponed.values()):
            table.wake(self.lease, now)
            self._postponed = {key: due for key, due in self._postponed.items() if due > now}

    def _prune(self) -> None:
        if time.monotonic() > self._prune_at:
            table.prune(self.lease.using)
            self._prune_at = time.monotonic() + _PRUNE

    def _sent_per_minute(self) -> int:
        while self._minute and self._minute[0][0] < time.monotonic() - 60:
            self._minute.popleft()
        return sum(count for _, count in self._minute)
