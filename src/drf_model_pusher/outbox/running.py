"""Threads in which relays work until they are told to stop, through failures of the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import Error, connections

from drf_model_pusher.outbox.relay import Relay

logger = logging.getLogger("drf_model_pusher")

# Seconds between two looks: after events, and after a failure of the database.
_SHORTEST, _TROUBLED = 0.01, 1.0


def run(
    relay: Relay,
    bell: threading.Event,
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
            bell.clear()
            try:
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
    """

    def __init__(
        self,
        using: str,
        count: int,
        interval: Callable[[], float],
        is_over: Callable[[Relay], bool] | None = None,
    ) -> None:
        self.relays = [Relay(using) for _ in range(count)]
        self._bells = [threading.Event() for _ in self.relays]
        self._threads = [
            threading.Thread(
                target=run,
                args=(relay, bell, interval, lambda relay=relay: bool(is_over and is_over(relay))),
                name=f"pusher_relay {number}",
                daemon=True,
            )
            for number, (relay, bell) in enumerate(zip(self.relays, self._bells, strict=True))
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Let all of them look at once."""
        for bell in self._bells:
            bell.set()

    def stop(self) -> None:
        """Let them end after the call that is under way."""
        for relay in self.relays:
            relay.stopping = True
        self.ring()

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds; say whether all have ended."""
        for thread in self._threads:
            thread.join(timeout / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)
