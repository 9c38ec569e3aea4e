"""Deliveries: when events leave, and from which process."""

from typing import TYPE_CHECKING, Any

from drf_model_pusher.delivery.background import BackgroundDelivery
from drf_model_pusher.delivery.base import BaseDelivery, get_delivery
from drf_model_pusher.delivery.inline import InlineDelivery

if TYPE_CHECKING:
    from drf_model_pusher.delivery.celery import CeleryDelivery
    from drf_model_pusher.delivery.tasks import TaskDelivery

__all__ = [
    "BackgroundDelivery",
    "BaseDelivery",
    "CeleryDelivery",
    "InlineDelivery",
    "TaskDelivery",
    "get_delivery",
]


def __getattr__(name: str) -> Any:
    """Import a delivery that needs another package only when it is asked for."""
    if name == "CeleryDelivery":
        from drf_model_pusher.delivery.celery import CeleryDelivery

        return CeleryDelivery
    if name == "TaskDelivery":
        from drf_model_pusher.delivery.tasks import TaskDelivery

        return TaskDelivery
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
