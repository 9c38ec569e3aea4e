"""What the package logs: one logger, ``key=value``, never a payload and never a secret."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from drf_model_pusher.exceptions import DroppedError
from drf_model_pusher.signals import event_failed, event_sent

if TYPE_CHECKING:
    from drf_model_pusher.events import PusherEvent

logger = logging.getLogger("drf_model_pusher")


def connect() -> None:
    """Log what the signals tell."""
    event_sent.connect(_log_sent, dispatch_uid="drf_model_pusher.log.sent")
    event_failed.connect(_log_failed, dispatch_uid="drf_model_pusher.log.failed")


def _log_sent(*, event: PusherEvent, attempts: int, duration: float, **kwargs: object) -> None:
    logger.debug(
        "event sent name=%s channels=%d attempts=%d duration=%.3f",
        event.name,
        len(event.channels),
        attempts,
        duration,
    )


def _log_failed(
    *, event: PusherEvent, attempts: int, duration: float, error: Exception, **kwargs: object
) -> None:
    if isinstance(error, DroppedError):
        _drops.add(str(error))
        return
    logger.error(
        "event failed name=%s channels=%d attempts=%d duration=%.3f error=%s",
        event.name,
        len(event.channels),
        attempts,
        duration,
        error,
    )


class _Drops:
    """Counts what is dropped, and says so at most once a minute for each reason."""

    PERIOD = 60.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._logged: dict[str, float] = {}

    def add(self, reason: str) -> None:
        with self._lock:
            count = self._counts.get(reason, 0) + 1
            now = time.monotonic()
            due = now - self._logged.get(reason, -self.PERIOD) >= self.PERIOD
            self._counts[reason] = 0 if due else count
            if due:
                self._logged[reason] = now
        if due:
            logger.error("events dropped count=%d reason=%s", count, reason)


_drops = _Drops()
