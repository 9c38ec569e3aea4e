import pytest
from django.core.checks import run_checks
from rest_framework.permissions import IsAdminUser, IsAuthenticated

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.checks.backends import check_backends
from drf_model_pusher.providers import ConsoleProvider
from tests.shop.models import Order
from tests.shop.serializers import OrderSerializer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provider_class", "drf_model_pusher.providers.NoProvider"),
        ("provider_class", int),
        ("serializer_class", "tests.shop.serializers.OrderSerializer"),
        ("oversize", "reference"),
        ("delete_data", True),
        ("conflate", "yes"),
        ("version_field", "revision"),
        ("channels", 5),
        ("channels", ["orders", 5]),
        ("channels", []),
        ("view_class", "orders.views.OrderViewSet"),
        ("permission_classes", IsAuthenticated),
        ("permission_classes", ["rest_framework.permissions.IsAuthenticated"]),
    ],
)
def test_an_attribute_that_means_nothing(own_registry, name, value):
    meta = type("Meta", (), {"model": Order})
    backend = type("Wrong", (PusherBackend,), {name: value, "Meta": meta})
    (error,) = check_backends()
    assert (error.id, error.obj) == ("drf_model_pusher.E024", backend)
    assert (name in error.msg, error.hint.startswith(f"`{name}` is ")) == (True, True)
    assert [message for message in run_checks() if message.obj is backend] == [error]


def test_good_ones_are_silent(own_registry):
    class Good(PusherBackend):
        serializer_class = OrderSerializer
        provider_class = ConsoleProvider
        oversize, delete_data, conflate, version_field = "drop", "key", True, "customer"
        channels, permission_classes = ("orders",), [IsAdminUser | IsAuthenticated]

    assert check_backends() == []
