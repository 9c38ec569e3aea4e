"""What the package logs: one logger, ``key=value``, never a payload and never a secret."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

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
    logger.error(
        "event failed name=%s channels=%d attempts=%d duration=%.3f error=%s",
        event.name,
        len(event.channels),
        attempts,
        duration,
        error,
    )
