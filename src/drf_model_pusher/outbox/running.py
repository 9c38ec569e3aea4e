"""Threads in which relays work until they are told to stop, through failures of the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing

from django.db import Error, connections

from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.outbox.waking import Bell

logger = logging.getLogger("drf_model_pusher")

# Seconds between two looks: after events, and after a failure of the database.
_SHORTEST, _TROUBLED = 0.01, 1.0
#: The most of them while nothing comes, where the database tells of events, and elsewhere.
TOLD, UNTOLD = 1.0, 0.2


def run(
    relay: Relay,
    bell: threading.Event | Bell,
    interval: Callable[[], float],
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Let a relay work in this thread; its partitions are given up at the end.

    Args:
        relay: The relay; setting its ``stopping`` and then the bell ends it.
        bell: What wakes it.
        interval: The longest time between two looks, in seconds.
        is_over: Asked when there is nothing to do; whether to end.
    """
    pause = _SHORTEST
    try:
        while not relay.stopping:
            try:
                bell.clear()
                if relay.round():
                    pause = _SHORTEST
                    continue
                if is_over():
                    return
            except Error as error:
                logger.warning("relay waits reason=database error=%s", type(error).__name__)
                connections[relay.lease.using].close()
                bell.wait(_TROUBLED)
                continue
            if bell.wait(relay.seconds_to_rest(min(pause, interval()))):
                pause = _SHORTEST
            else:
                pause *= 2
    finally:
        _end(relay)


def _end(relay: Relay) -> None:
    try:
        relay.lease.give_up()
    except Error as error:
        logger.warning("relay keeps its lease error=%s", type(error).__name__)
    finally:
        connections[relay.lease.using].close()


class Crew:
    """Several relays, each in a thread of its own.

    Threads and not processes: a relay waits for the service nearly all of its time.

    Args:
        using: The alias of the database.
        count: How many.
        interval: The longest time between two looks, in seconds; by default by the database.
        is_over: Asked when a relay has nothing to do; whether it is to end.
    """

    def __init__(
        self,
        using: str,
        count: int,
        interval: float | None = None,
        is_over: Callable[[Relay], bool] = lambda relay: False,
    ) -> None:
        self.relays = [Relay(using) for _ in range(count)]
        self.failed = False
        """Whether an error of ours, or of a provider, has ended one of them, and so all."""
        self._interval = interval
        self._is_over = is_over
        self._bells = [Bell(using) for _ in self.relays]
        self._threads = [
            threading.Thread(
                target=self._run, args=pair, name=f"pusher_relay {number}", daemon=True
            )
            for number, pair in enumerate(zip(self.relays, self._bells, strict=True))
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let them end after the call that is under way."""
        for relay, bell in zip(self.relays, self._bells, strict=True):
            relay.stopping = True
            bell.set()

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds; say whether all have ended."""
        for thread in self._threads:
            thread.join(timeout / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, relay: Relay, bell: Bell) -> None:
        def interval() -> float:
            return self._interval or (TOLD if bell.listening else UNTOLD)

        with closing(bell):
            try:
                run(relay, bell, interval, lambda: self._is_over(relay))
            except BaseException:
                # Who restarts the process gets all of them back, and not what is left of them.
                self.failed = True
                self.stop()
                raise
