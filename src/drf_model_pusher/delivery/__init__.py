"""Deliveries: when events leave, and from which process."""

from drf_model_pusher.delivery.background import BackgroundDelivery
from drf_model_pusher.delivery.base import BaseDelivery, get_delivery
from drf_model_pusher.delivery.inline import InlineDelivery

__all__ = ["BackgroundDelivery", "BaseDelivery", "InlineDelivery", "get_delivery"]
