"""System checks of what the delivery needs to run: threads, and a queue with a worker."""

from __future__ import annotations

import sys
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.utils.module_loading import import_string

from drf_model_pusher.checks.classes import is_subclass
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery import BackgroundDelivery
from drf_model_pusher.delivery.background import threads_run

#: Backends of Django Tasks without a worker, each with what it does to events.
_NO_QUEUES = {
    "ImmediateBackend": "requests wait for Pusher, and what does not leave is lost",
    "DummyBackend": "nothing is sent",
}


def check_threads(**kwargs: Any) -> list[CheckMessage]:
    """Warn where background delivery would have no thread to run in."""
    if threads_run() or not is_subclass(_delivery(), BackgroundDelivery):
        return []
    return [
        Warning(
            "uWSGI runs without threads, which background delivery needs.",
            hint="Start uWSGI with --enable-threads, or set DRF_MODEL_PUSHER_DELIVERY to "
            "drf_model_pusher.delivery.InlineDelivery.",
            id="drf_model_pusher.W003",
        )
    ]


def check_tasks(**kwargs: Any) -> list[CheckMessage]:
    """Warn where ``TaskDelivery`` has a backend that leaves nothing to a worker."""
    delivery = _delivery()
    tasks = sys.modules.get("drf_model_pusher.delivery.tasks")
    if tasks is None or not is_subclass(delivery, tasks.TaskDelivery):
        return []
    try:
        backend = tasks.task_backend()
    except Exception:  # noqa: BLE001 - the settings of Django Tasks, or its backend, are broken
        return []
    # By name: the package django-tasks has classes of its own.
    names = [base.__name__ for base in type(backend).__mro__]
    harm = next((_NO_QUEUES[name] for name in names if name in _NO_QUEUES), None)
    if harm is None or app_settings.DRF_MODEL_PUSHER_DISABLED:
        return []
    return [
        Warning(
            f"TaskDelivery has the backend {type(backend).__name__}: {harm}.",
            hint="Let DRF_MODEL_PUSHER_TASK_BACKEND name a backend in TASKS that has a worker, "
            "such as django_tasks_db.DatabaseBackend.",
            id="drf_model_pusher.W005",
        )
    ]


def _delivery() -> Any:
    """Return the class of the delivery, or None where the setting leads nowhere."""
    try:
        return import_string(app_settings.DRF_MODEL_PUSHER_DELIVERY)
    except Exception:  # noqa: BLE001 - an error of its own
        return None
