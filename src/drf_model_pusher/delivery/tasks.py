"""Delivery by Django Tasks: ``django.tasks``, or the package ``django-tasks`` before Django 6.0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.delivery.jobs import Message, giving_up, hand_over, work
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.extras import install_line

try:
    from django.tasks import task
except ImportError:
    try:
        from django_tasks import task  # type: ignore[no-redef]
    except ImportError as error:
        raise ImportError(
            f"TaskDelivery needs one more package here: {install_line('tasks')}"
        ) from error


class TaskDelivery(BaseDelivery):
    """Enqueues one task of Django's for all events of a transaction; a worker sends them.

    A backend that can defer tasks tries again later; with one that cannot, a failure is final.
    """

    leaves: ClassVar = "after the commit, as one task for all events of the transaction"
    survives_crash: ClassVar = None
    keeps_order: ClassVar = "transaction"
    waits_for_provider: ClassVar = False
    needs: ClassVar = "a backend of Django Tasks and its worker; on Django 5.2 the extra `[tasks]`"

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Enqueue the task; events that the backend does not take have failed."""
        hand_over(events, lambda message: _task().enqueue(message))


def _registered(function: Callable[[Message], None]) -> Any:
    """Return the task of a function; workers find it by the function's dotted path."""
    try:
        return task(
            backend=app_settings.DRF_MODEL_PUSHER_TASK_BACKEND,
            queue_name=app_settings.DRF_MODEL_PUSHER_TASK_QUEUE,
        )(function)
    except Exception as error:
        raise ImportError(f"TaskDelivery has no task: {error}") from error


@_registered
def send_events(message: Message) -> None:
    """Send the events of a transaction; what is left after an outage is enqueued for later.

    Raises:
        ProviderError: They did not leave, and no later try will follow.
    """
    if again := work(message, may_wait=task_backend().supports_defer):
        with giving_up(again):
            run_after = timezone.now() + timedelta(seconds=again.pause)
            _task().using(run_after=run_after).enqueue(again.message)


def task_backend() -> Any:
    """Return the backend that the settings name."""
    return _task().get_backend()


def _task() -> Any:
    """Return the task, bound to the backend and the queue of the settings as they are now."""
    return send_events.using(
        backend=app_settings.DRF_MODEL_PUSHER_TASK_BACKEND,
        queue_name=app_settings.DRF_MODEL_PUSHER_TASK_QUEUE,
    )
