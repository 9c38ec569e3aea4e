"""The default delivery: after the commit, from one thread of the process."""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections.abc import Sequence
from typing import ClassVar

from django.db import close_old_connections

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.delivery.exits import before_exit_of_child, before_sigterm
from drf_model_pusher.delivery.queue import EventQueue
from drf_model_pusher.delivery.retry import RETRY_POLICY
from drf_model_pusher.delivery.rounds import Rounds
from drf_model_pusher.delivery.sending import report_dropped
from drf_model_pusher.events import MAX_EVENTS_PER_BATCH, PusherEvent
from drf_model_pusher.forks import after_fork, notice_fork

logger = logging.getLogger("drf_model_pusher")

# How many waiting events one round takes at most.
_ROUND = 10 * MAX_EVENTS_PER_BATCH


def threads_run() -> bool:
    """Return whether threads run in this process; uWSGI may start them and not run them."""
    return bool(getattr(sys.modules.get("uwsgi"), "has_threads", True))


class BackgroundDelivery(BaseDelivery):
    """Sends from a thread that starts with the first event; a request never waits for it.

    Events are sent in full batches and retried through outages. A crash loses queued events;
    a clean exit sends them, within ``PUSHER_TIMEOUT``.
    """

    leaves: ClassVar = "after the commit, from one thread of the process, in batches"
    keeps_order: ClassVar = "process"
    waits_for_provider: ClassVar = False

    def __init__(self) -> None:
        if not threads_run():  # the system check has no say here: a server runs none
            logger.error("threads stand still hint=%s", "start uWSGI with --enable-threads")
        self._start_afresh()
        # Queued events belong to the parent, and its thread does not come along.
        after_fork(self._start_afresh)
        atexit.register(self._end)

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Queue events; where there is no room the oldest are given up."""
        with self._lock:
            now = time.monotonic()
            dropped = [gone for event in events if (gone := self._queue.put(event, now=now))]
            if not self._busy:
                self._changed.notify_all()
        if dropped:
            report_dropped(dropped, "the queue is full")
        if self._thread is None:
            self._start_thread()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the queue is empty; return whether it is.

        Args:
            timeout: Seconds to wait at most, ``PUSHER_TIMEOUT`` by default.
        """
        if timeout is None:
            timeout = app_settings.PUSHER_TIMEOUT
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._busy and not self._queue, timeout)
            finally:
                self._hurry = False

    def waiting(self) -> int:
        """Return how many events are queued or under way."""
        with self._changed:
            return len(self._queue) + len(self._rounds.unfinished)

    def _start_afresh(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queue = EventQueue(app_settings.DRF_MODEL_PUSHER_QUEUE_SIZE)
        self._rounds = Rounds()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._hurry = False
        self._ended: bool = False

    def _end(self) -> None:
        """Send queued events, or report them as lost; a process may end in two ways at once."""
        notice_fork()  # the parent sends its own
        if self._ended or self.flush():
            return
        self._ended = True
        with self._changed:
            left = self._rounds.unfinished + self._queue.take(len(self._queue))
        report_dropped([entry.event for entry in left], "the process ended")

    def _start_thread(self) -> None:
        with self._changed:
            if self._thread is not None:
                return
            try:
                thread = threading.Thread(target=self._run, name="drf_model_pusher", daemon=True)
                thread.start()
            except RuntimeError:
                if threading.main_thread().is_alive():
                    # The next event tries again; the caller must not wait for the service.
                    logger.exception("delivery waits reason=no thread")
                    return
            else:
                self._thread = thread
        if self._thread is None:
            while self._queue and not self._round():
                pass  # the interpreter ends: now or never
        else:
            before_exit_of_child(self._end)
            before_sigterm(self._end)

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._queue)
                if pause := self._round():
                    with self._changed:
                        self._changed.wait_for(lambda: self._hurry, pause)
                        self._hurry = False  # one try at once; then pauses as before
        finally:
            self._thread = None  # whatever ended it: the next event starts another

    def _round(self) -> float:
        """Send queued events once; return the seconds to wait before the next round."""
        with self._changed:
            count = _how_many(self._queue.first(_ROUND))
            entries = self._queue.take(count, failing=self._rounds.failing)
            self._busy = True
        try:
            left, pause = self._rounds.send(entries)
        # The thread must outlive whatever is wrong in here, a provider that exits too.
        except BaseException:
            logger.exception("delivery round failed")
            lost = [entry.event for entry in self._rounds.end()]
            report_dropped(lost, "an error of ours")
            left, pause = [], RETRY_POLICY.longest_pause
        with self._changed:
            dropped = self._queue.put_back(left) if left else []
            self._busy = False
            self._changed.notify_all()
        report_dropped(dropped, "the queue is full")
        # Receivers of signals may have used the database, in a thread that no request ends.
        close_old_connections()
        return pause


def _how_many(waiting: Sequence[PusherEvent]) -> int:
    """Return how many of the first waiting events a round takes: full batches, if there are any.

    What is left over would go after them anyway: by then others may have come to fill its batch.
    That is not so for another provider's, nor sure of events that are several items of a batch.
    """
    count = len(waiting)
    fills = (
        all(len(event.channels) == 1 for event in waiting)
        and len({event.provider for event in waiting}) == 1
    )
    return count - count % MAX_EVENTS_PER_BATCH if fills and count > MAX_EVENTS_PER_BATCH else count
