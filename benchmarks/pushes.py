"""The same push without a request around it, one function for each variant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def make_order() -> Any:
    """Return a saved order."""
    from benchmarks.project.models import Order

    return Order.objects.create(
        reference="2026-000001",
        customer="Ada Lovelace",
        total="149.90",
        position=0,
        note="Please leave it at the door.",
    )


def make_pushes() -> dict[str, Callable[[Any], None]]:
    """Return what pushes an order, rendering included."""
    from benchmarks.project.senders import client, floor
    from benchmarks.project.serializers import OrderSerializer
    from benchmarks.project.views import CHANNELS

    def by_hand(sender: Any) -> Callable[[Any], None]:
        return lambda order: sender.trigger(
            CHANNELS, "order.update", OrderSerializer(instance=order).data
        )

    return {
        "hand-written": by_hand(client),
        "floor": by_hand(floor),
        "package": make_package_push(CHANNELS),
    }


def make_package_push(channels: list[str]) -> Callable[[Any], None]:
    """Return what pushes an order with the package to these channels."""
    from benchmarks.project.pusher_backends import OrderPusherBackend
    from benchmarks.project.views import PackageViewSet

    view = PackageViewSet(channels=channels, request=None, format_kwarg=None)
    backend = OrderPusherBackend(view=view)
    return lambda order: backend.push_change("update", order)
