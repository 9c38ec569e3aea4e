"""A relay in the process that writes: for projects that need no second one."""

from __future__ import annotations

import atexit
import threading
import time

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.exits import before_exit_of_child, before_sigterm
from drf_model_pusher.forks import after_fork
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.outbox.running import run

# Seconds without a row after which the thread ends.
_LINGER = 5.0
# The longest time between two looks, for rows that other processes wrote.
_INTERVAL = 0.25


class RelayThread:
    """Relays one database from the first row on, until there have been none for a while."""

    def __init__(self, using: str) -> None:
        self.using = using
        self._start_afresh()
        # The parent's thread does not come along.
        after_fork(self._start_afresh)
        atexit.register(self.end)

    def start_or_wake(self) -> None:
        """Send what was committed, as soon as possible."""
        with self._lock:
            self._woken_at = time.monotonic()
            self._woken.set()
            if self._relay is None:
                self._start()

    def end(self) -> None:
        """Finish the call that is under way, and let others have the rest."""
        with self._lock:
            relay, thread = self._relay, self._thread
        if relay and thread:
            relay.stopping = True
            self._woken.set()
            thread.join(2 * app_settings.PUSHER_TIMEOUT)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._relay: Relay | None = None
        self._thread: threading.Thread | None = None
        self._woken_at = 0.0

    def _start(self) -> None:
        relay = Relay(self.using)
        thread = threading.Thread(
            target=self._run, args=(relay,), name="drf_model_pusher outbox", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            return  # no thread to be had: another process, or the next row, sees to it
        self._relay, self._thread = relay, thread
        before_exit_of_child(self.end)
        before_sigterm(self.end)

    def _run(self, relay: Relay) -> None:
        try:
            run(relay, self._woken, lambda: _INTERVAL, lambda: self._is_over(relay))
        finally:
            with self._lock:
                if self._relay is relay:
                    self._relay = None

    def _is_over(self, relay: Relay) -> bool:
        with self._lock:
            over = not relay.is_patient and time.monotonic() > self._woken_at + _LINGER
            if over:
                self._relay = None  # from now on a row starts another one
            return over


_threads: dict[str, RelayThread] = {}


def start_or_wake(using: str) -> None:
    """Let this process's thread for a database send what was committed."""
    thread = _threads.get(using)
    if thread is None:
        thread = _threads.setdefault(using, RelayThread(using))
    thread.start_or_wake()
