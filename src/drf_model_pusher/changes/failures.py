"""What goes wrong while a change is recorded or flushed: logged and signalled, never in the way."""

from __future__ import annotations

import logging
from functools import cache

from django.apps import apps
from django.db import DatabaseError

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import get_delivery
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.providers.base import STAND_IN
from drf_model_pusher.pushing import log_wrong_setting
from drf_model_pusher.signals import change_failed

logger = logging.getLogger("drf_model_pusher")

_RECORDING = "drf_model_pusher.testing.capture.RecordingDelivery"


class reported:  # noqa: N801 - read as a statement: `with reported(backend, verb):`
    """Reports an error instead of raising it: the row is saved, and the request has done its work.

    Under the testing kit it is raised, so that tests see it.

    Args:
        backend: The backend that is asked; None where it is no one's.
        verb: What is to be pushed.
    """

    __slots__ = ("_backend", "_verb")

    def __init__(self, backend: type | None, verb: str = "") -> None:
        self._backend = backend
        self._verb = verb

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception):
            return False
        if isinstance(error, SettingError):
            log_wrong_setting(error)
            return True
        if is_testing():
            return False
        # What is stored with the change must be stored, or the change is not made.
        if isinstance(error, DatabaseError) and get_delivery().joins_transaction:
            return False
        report(error, self._backend, self._verb)
        return True


def report(error: Exception, backend: type | None, verb: str) -> None:
    """Log an error with its place, and send ``change_failed``."""
    name = None if backend is None else f"{backend.__module__}.{backend.__qualname__}"
    logger.error("change not pushed backend=%s verb=%s", name, verb, exc_info=error)
    change_failed.send_robust(backend, verb=verb, error=error)


def log_no_backend(view_class: type, model: type | None) -> None:
    """Log that a view with the mixin pushes nothing of a model; once, unless no check can tell."""
    if not apps.is_installed("drf_model_pusher"):
        hint = 'INSTALLED_APPS += ["drf_model_pusher"]'
        log_wrong_setting(SettingError("The app is not installed.", hint=hint))
        return
    _log_no_backend(view_class.__qualname__, None if model is None else model.__qualname__)


@cache
def _log_no_backend(view: str, model: str | None) -> None:
    logger.warning("nothing pushed reason=no_backend view=%s model=%s", view, model)


def is_testing() -> bool:
    """Say whether a project's tests run with the testing kit, which shows errors."""
    return (
        app_settings.DRF_MODEL_PUSHER_PROVIDER == STAND_IN
        or app_settings.DRF_MODEL_PUSHER_DELIVERY == _RECORDING
    )
