"""What goes wrong while a change is recorded or flushed: logged and signalled, never in the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.db import DatabaseError

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import get_delivery
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.providers.base import STAND_IN
from drf_model_pusher.pushing import log_wrong_setting
from drf_model_pusher.signals import change_failed

logger = logging.getLogger("drf_model_pusher")

_RECORDING = "drf_model_pusher.testing.capture.RecordingDelivery"


@contextmanager
def reported(backend: type | None, verb: str = "") -> Iterator[None]:
    """Report an error instead of raising it: the row is saved, and the request has done its work.

    Under the testing kit it is raised, so that tests see it.

    Args:
        backend: The backend that was asked; None where it is no one's.
        verb: What was to be pushed.
    """
    try:
        yield
    except SettingError as error:
        log_wrong_setting(error)
    except DatabaseError as error:
        # What is stored with the change must be stored, or the change is not made.
        if is_testing() or get_delivery().joins_transaction:
            raise
        report(error, backend, verb)
    except Exception as error:
        if is_testing():
            raise
        report(error, backend, verb)


def report(error: Exception, backend: type | None, verb: str) -> None:
    """Log an error with its place, and send ``change_failed``."""
    name = None if backend is None else f"{backend.__module__}.{backend.__qualname__}"
    logger.error("change not pushed backend=%s verb=%s", name, verb, exc_info=error)
    change_failed.send_robust(backend, verb=verb, error=error)


@cache
def log_no_backend(view_class: type, model: type | None) -> None:
    """Log, once, that a view with the mixin pushes nothing of a model."""
    name = None if model is None else model.__qualname__
    logger.warning(
        "nothing pushed reason=no backend view=%s model=%s", view_class.__qualname__, name
    )


def is_testing() -> bool:
    """Say whether a project's tests run with the testing kit, which shows errors."""
    return (
        app_settings.DRF_MODEL_PUSHER_PROVIDER == STAND_IN
        or app_settings.DRF_MODEL_PUSHER_DELIVERY == _RECORDING
    )
