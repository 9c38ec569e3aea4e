"""Orders on channels of all kinds, authorized by the viewset; and the routes for it."""

from django.urls import include, path
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import SimpleRouter

from benchmarks.project.serializers import OrderSerializer
from benchmarks.project.views import PlainViewSet
from drf_model_pusher import backends
from drf_model_pusher.registry import registry


class OrderViewSet(PlainViewSet):
    permission_classes = (IsAuthenticated,)


def declare():
    bases = (
        backends.PrivatePusherBackend,
        backends.PresencePusherBackend,
        backends.EncryptedPusherBackend,
    )
    rule = {
        "serializer_class": OrderSerializer,
        "channels": ["orders.{pk}"],
        "view_class": OrderViewSet,
    }
    return [type(f"Order{base.__name__}", (base,), dict(rule)) for base in bases]


def forget(declared):
    for backend in declared:
        registry.unregister(backend)


router = SimpleRouter()
router.register("orders", OrderViewSet)

urlpatterns = [*router.urls, path("pusher/", include("drf_model_pusher.urls"))]
