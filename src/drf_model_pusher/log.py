"""What the package logs: one logger, ``key=value``, never a payload and never a secret."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from typing import TYPE_CHECKING

from drf_model_pusher.exceptions import DroppedError, ProviderError
from drf_model_pusher.forks import after_fork
from drf_model_pusher.signals import event_failed, events_tried

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drf_model_pusher.events import PusherEvent

logger = logging.getLogger("drf_model_pusher")


def connect() -> None:
    """Log what the signals tell."""
    # Not event_sent: a signal for each event costs more than the line that hardly anybody wants.
    events_tried.connect(_log_sent, dispatch_uid="drf_model_pusher.log.sent")
    event_failed.connect(_log_failed, dispatch_uid="drf_model_pusher.log.failed")


def _log_sent(
    *, events: Sequence[PusherEvent], attempts: Sequence[int], duration: float, **kwargs: object
) -> None:
    if not logger.isEnabledFor(logging.DEBUG):
        return
    for event, tried in zip(events, attempts, strict=False):  # as many as were taken
        logger.debug(
            "event sent name=%s channels=%d attempts=%d duration=%.3f",
            event.name,
            len(event.channels),
            tried,
            duration,
        )


def _log_failed(
    *, event: PusherEvent, attempts: int, duration: float, error: Exception, **kwargs: object
) -> None:
    # Of others the name only: their text may repeat the payload.
    reason = error if isinstance(error, ProviderError) else type(error).__name__
    if event.terminates:
        logger.error("connections not ended user=%s error=%s", event.terminates, reason)
        return
    if isinstance(error, DroppedError):
        count_dropped(str(error))
        return
    logger.error(
        "event failed name=%s channels=%d attempts=%d duration=%.3f error=%s",
        event.name,
        len(event.channels),
        attempts,
        duration,
        reason,
    )


def count_dropped(reason: str) -> None:
    """Count an event that was given up, to be logged with others of the minute."""
    _drops.add(reason)


class _Drops:
    """Counts what is dropped, and says so at most once a minute for each reason.

    The first drop is logged at once. Those of the minute after it are logged together, with the
    next drop for whatever reason or at the end of the process.
    """

    PERIOD = 60.0

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget all; what a forked child finds here is for its parent to log."""
        # Reentrant, since a signal's handler may drop events while its thread is in here.
        self._lock = threading.RLock()
        self._counts: dict[str, int] = {}
        self._logged: dict[str, float] = {}

    def add(self, reason: str) -> None:
        """Count one.

        Args:
            reason: One of a few constant texts.
        """
        with self._lock:
            self._counts[reason] = self._counts.get(reason, 0) + 1
        self._log(time.monotonic() - self.PERIOD)

    def log_rest(self) -> None:
        """Log what is left, without waiting for the minute to end."""
        self._log(time.monotonic())

    def _log(self, last_before: float) -> None:
        """Log the reasons that were last logged before a time, with what was counted since."""
        due = []
        with self._lock:
            for reason, count in list(self._counts.items()):
                if count and self._logged.get(reason, last_before) <= last_before:
                    due.append((reason, count))
                    self._counts[reason] = 0
                    self._logged[reason] = time.monotonic()
        for reason, count in due:
            logger.error("events dropped count=%d reason=%s", count, reason)


_drops = _Drops()

# Deliveries register later and so end earlier: what they drop at the exit is counted by then.
atexit.register(lambda: _drops.log_rest())
after_fork(lambda: _drops.start_afresh())
