"""Threads in which relays work until they are stopped, through failures of the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import Error, connections

from drf_model_pusher.outbox.notifying import Notifier
from drf_model_pusher.outbox.relay import SECONDS, Relay

logger = logging.getLogger("drf_model_pusher")

# Seconds between two looks: after rows, and after a failure of the database.
_SHORTEST, _TROUBLED = 0.01, 1.0
# The most of them while others have what waits, and the pause of a worker whose calls are slow:
# longer, or it would take its partitions back before the others look.
_CONTENDED, _SLOW = 0.1, 0.25
#: The most of them while nothing comes, where the database notifies, and elsewhere.
NOTIFIED, UNNOTIFIED = 1.0, 0.2


def run(
    relay: Relay,
    woken: threading.Event,
    interval: Callable[[], float],
    is_over: Callable[[], bool] = lambda: False,
    *,
    patient: bool = True,
) -> None:
    """Let a relay work in this thread.

    Args:
        relay: The relay; setting its ``stopping`` and then the event ends it.
        woken: Wakes it.
        interval: The longest time between two looks, in seconds.
        is_over: Asked when there is nothing to do; whether to end.
        patient: Whether to wait for a database that answers with errors, as during a migration. One
            that does not answer is always waited for.

    Raises:
        Error: The database answers with an error, and that is not waited for.
    """
    pause = _SHORTEST
    try:
        while not relay.stopping:
            woken.clear()
            started = time.monotonic()
            try:
                busy = relay.batch()
            except Error as error:
                _wait_for_database(relay.using, error, woken, patient=patient)
                continue
            if busy:
                pause = _SHORTEST
                if time.monotonic() - started > 2 * SECONDS:
                    woken.wait(_SLOW)
                continue
            if is_over():
                return
            longest = min(interval(), _CONTENDED) if relay.saw_rows else interval()
            if woken.wait(relay.seconds_to_rest(min(pause, longest))):
                pause = _SHORTEST
            else:
                pause *= 2
    finally:
        relay.locks.close()
        connections[relay.using].close()


def _wait_for_database(using: str, error: Error, woken: threading.Event, *, patient: bool) -> None:
    connection = connections[using]
    lost = connection.connection is None or not connection.is_usable()
    if not (lost or patient):
        raise error
    connection.close()
    # The first line: others may repeat values.
    text = next(iter(str(error).splitlines()), "")
    reason = "connection lost" if lost else "database"
    logger.warning("relay waits reason=%s error=%s: %s", reason, type(error).__name__, text)
    woken.wait(_TROUBLED)


class Workers:
    """Several relays, each in a thread of its own.

    Threads and not processes: a relay waits for the service nearly all of its time.

    Args:
        using: The alias of the database.
        count: How many.
        interval: The longest time between two looks, in seconds; by default by the database.
        once: Whether to end when nothing can be sent, or the database answers with an error.
    """

    def __init__(
        self, using: str, count: int, interval: float | None = None, *, once: bool = False
    ) -> None:
        self.relays = [Relay(using) for _ in range(count)]
        self.error: BaseException | None = None
        """What has ended one of them, and so all."""
        self._interval, self._once = interval, once
        self._woken = [threading.Event() for _ in self.relays]
        self._notifier = Notifier(using, self.wake)
        self._threads = [
            threading.Thread(
                target=self._run, args=pair, name=f"pusher_relay {number}", daemon=True
            )
            for number, pair in enumerate(zip(self.relays, self._woken, strict=True))
        ]

    def start(self) -> None:
        """Begin to work."""
        if not self._once:
            self._notifier.start()
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Let them look for rows at once."""
        for woken in self._woken:
            woken.set()

    def stop(self) -> None:
        """Let them end after the call that is under way."""
        self._notifier.stop()
        for relay in self.relays:
            relay.stopping = True
        self.wake()

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds; return whether all have ended."""
        for thread in self._threads:
            thread.join(timeout / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, relay: Relay, woken: threading.Event) -> None:
        def interval() -> float:
            return self._interval or (NOTIFIED if self._notifier.listening else UNNOTIFIED)

        def is_over() -> bool:
            return self._once and not relay.saw_rows

        try:
            run(relay, woken, interval, is_over, patient=not self._once)
        except BaseException as error:
            # Who restarts the process gets all of them back, and not what is left of them.
            self.error = error
            if not isinstance(error, Error):
                logger.exception("relay ends")
            self.stop()
