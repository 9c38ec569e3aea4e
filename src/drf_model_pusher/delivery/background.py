"""The default delivery: after the commit, from one thread of the process."""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
from collections.abc import Sequence

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.delivery.exits import before_exit_of_child, before_sigterm
from drf_model_pusher.delivery.queue import EventQueue, Waiting
from drf_model_pusher.delivery.sending import attempt, report_dropped, report_failed
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.occupancy import settle

logger = logging.getLogger("drf_model_pusher")

# How many waiting events one round takes: ten full batches, after which it is said how they fared.
_ROUND = 100
_LONGEST_PAUSE = 30.0


class BackgroundDelivery(BaseDelivery):
    """Sends from a thread that starts with the first event; a request never waits for it.

    What waits is sent in full batches and retried through outages. It is lost in a crash, and sent
    within ``PUSHER_TIMEOUT`` at a clean exit.
    """

    def __init__(self) -> None:
        self._start_afresh()
        atexit.register(self._end)

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Queue events; where there is no room for them the oldest that wait are given up."""
        if self._pid != os.getpid():
            # A fork: what waits belongs to the parent, and its thread did not come along.
            self._start_afresh()
        now = time.monotonic()
        with self._changed:
            dropped = [gone for event in events if (gone := self._queue.put(event, now=now))]
            if not self._busy:
                self._changed.notify_all()
        if dropped:
            report_dropped(dropped, "the queue is full")
        if self._thread is None or not self._thread.is_alive():
            self._start_thread()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that waits has left; say whether it did.

        Args:
            timeout: Seconds to wait at the most, ``PUSHER_TIMEOUT`` by default.
        """
        if self._pid != os.getpid():
            return True
        if timeout is None:
            timeout = app_settings.PUSHER_TIMEOUT
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._busy and not self._queue, timeout)
            finally:
                self._hurry = False

    def _end(self) -> None:
        if not self.flush():
            with self._changed:
                left = [entry.event for entry in self._queue.take(len(self._queue))]
            report_dropped(left, "the process ended")

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._queue = EventQueue(app_settings.DRF_MODEL_PUSHER_QUEUE_SIZE)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._hurry = False
        self._setbacks = 0

    def _start_thread(self) -> None:
        with self._changed:
            if self._thread is not None and self._thread.is_alive():
                return
            self._thread = threading.Thread(target=self._run, name="drf_model_pusher", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # The interpreter is on its way out, or the system has no thread to give.
                self._thread = None
        if self._thread is None:
            self._round()
        else:
            before_exit_of_child(self._end)
            before_sigterm(self._end)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
            try:
                pause = self._round()
            except Exception:  # the thread must outlive whatever a provider's author gets wrong
                logger.exception("delivery round failed")
                pause = _LONGEST_PAUSE
            if pause:
                with self._changed:
                    self._changed.wait_for(lambda: self._hurry, pause)
                    self._hurry = False  # one try at once; then pauses as before

    def _round(self) -> float:
        """Try what waits; return the seconds to wait before the next round."""
        with self._changed:
            entries = self._queue.take(_ROUND)
            self._busy = True
        left: list[Waiting] = []
        pause = 0.0
        try:
            for group in _by_provider(_settled(entries)):
                rest, asked = self._try(group)
                left += rest
                pause = max(pause, asked)
        finally:
            with self._changed:
                dropped = self._queue.put_back(left) if left else []
                self._busy = False
                self._changed.notify_all()
            report_dropped(dropped, "the queue is full")
        return pause

    def _try(self, entries: list[Waiting]) -> tuple[list[Waiting], float]:
        """Try entries of one provider; return those that are left, and how long they must wait."""
        for entry in entries:
            entry.attempts += 1
        setback = attempt([entry.event for entry in entries], attempts=entries[0].attempts)
        if setback is None:
            self._setbacks = 0
            return [], 0.0
        self._setbacks = 1 if len(setback.events) < len(entries) else self._setbacks + 1
        left = entries[-len(setback.events) :]
        left[0].event = setback.events[0]  # it may have reached some of its channels
        oldest = time.monotonic() - app_settings.DRF_MODEL_PUSHER_RETRY_SECONDS
        too_old = [entry.event for entry in left if entry.since < oldest]
        report_failed(too_old, setback, attempts=left[0].attempts)
        return left[len(too_old) :], _pause(self._setbacks, setback.error.retry_after)


def _settled(entries: Sequence[Waiting]) -> list[Waiting]:
    """Return the entries that somebody may still listen to."""
    events = settle([entry.event for entry in entries])
    left = []
    for entry, event in zip(entries, events, strict=True):
        if event:
            entry.event = event
            left.append(entry)
    return left


def _by_provider(entries: Sequence[Waiting]) -> list[list[Waiting]]:
    groups: dict[object, list[Waiting]] = {}
    for entry in entries:
        groups.setdefault(entry.event.provider, []).append(entry)
    return list(groups.values())


def _pause(setbacks: int, retry_after: float | None) -> float:
    """Return seconds: half a second, doubled with each setback in a row, with jitter."""
    pause = min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(setbacks - 1, 10)) * random.uniform(0.5, 1.5)  # noqa: S311
    return max(pause, min(retry_after or 0.0, 10 * _LONGEST_PAUSE))
