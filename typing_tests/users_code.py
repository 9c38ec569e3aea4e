"""What a user writes, checked under mypy strict: no annotation may be in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from rest_framework.viewsets import ModelViewSet

from drf_model_pusher.backends import PresencePusherBackend, PrivatePusherBackend, PusherBackend
from drf_model_pusher.providers import BaseProvider
from drf_model_pusher.suppressing import suppress_pushes
from drf_model_pusher.testing import (
    CapturedEvents,
    assert_may_not_subscribe,
    assert_may_subscribe,
    assert_nothing_pushed,
    assert_push_equals_get,
    assert_pushed,
    capture_events,
)
from drf_model_pusher.views import ModelPusherViewMixin
from tests.shop.models import Order
from tests.shop.serializers import OrderSerializer


class Provider(BaseProvider):
    def trigger(
        self, channels: list[str], event_name: str, data: Any, socket_id: str | None = None
    ) -> None:
        """Carry nothing."""


class OrderBackend(PusherBackend):
    serializer_class = OrderSerializer
    channels = ["orders.{pk}"]
    provider_class = Provider
    conflate = True
    oversize = "drop"


class PrivateOrderBackend(PrivatePusherBackend):
    serializer_class = OrderSerializer

    def get_channels(self, instance: Any = None) -> list[str]:
        return [f"orders.{instance.pk}"]

    def get_event_name(self, event: str) -> str:
        return f"order-{event}"


class PresenceOrderBackend(PresencePusherBackend):
    class Meta:
        model = Order


class OrderViewSet(ModelPusherViewMixin, ModelViewSet[Order]):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer
    push_deletions = False

    def get_pusher_channels(self) -> Sequence[str]:
        return ["orders"]

    def ship(self, order: Order) -> None:
        self.push_change("shipped", order, ignore=False)
        self.push(["orders"], "order.shipped", {"id": order.pk})


def test_orders(pusher_events: CapturedEvents, order: Order, user: User) -> None:
    event = assert_pushed(Order, "update", channels=["orders"], data={"id": order.pk})
    names: list[str] = [event.name, *(each.name for each in pusher_events)]
    assert_pushed(order, data=lambda data: data["id"] in (1, 2))
    assert_pushed(names[0], channels="orders")
    assert_may_subscribe(user, "private-orders.1")
    assert_may_not_subscribe(None, "private-orders.1")
    assert_push_equals_get(OrderViewSet, order, user)
    with capture_events() as events:
        assert_nothing_pushed()
    assert_nothing_pushed(events)


class ObservingOrderBackend(PusherBackend):
    serializer_class = OrderSerializer
    channels = ["orders"]
    only_when = {"total"}
    events = {"archived": "delete"}
    refetch = True
    bulk_limit = 500

    class Meta:
        observe = {"create", "delete"}

    def should_push(self, event: str, instance: Order) -> bool:
        return "total" in (self.changed_fields or ())


@suppress_pushes(ObservingOrderBackend)
def import_orders(orders: list[Order]) -> int:
    ObservingOrderBackend().push_many("create", orders)
    return len(orders)
