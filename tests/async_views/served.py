"""A project of async views, which a real ASGI server runs."""

import asyncio
import os
from threading import Thread

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="served",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "rest_framework",
        "drf_model_pusher",
        "tests.shop",
    ],
    DRF_MODEL_PUSHER_BACKENDS_FILE="no_backends.py",
    DRF_MODEL_PUSHER_DELIVERY=f"drf_model_pusher.delivery.{os.environ['DELIVERY']}",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["DATABASE"],
            "OPTIONS": {"timeout": 60, "init_command": "PRAGMA journal_mode=wal"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    PUSHER_APP_ID="3",
    PUSHER_KEY=os.environ["PUSHER_KEY"],
    PUSHER_SECRET=os.environ["PUSHER_SECRET"],
    PUSHER_HOST="127.0.0.1",
    PUSHER_PORT=os.environ["PUSHER_PORT"],
    PUSHER_SSL=False,
)
django.setup()

from adrf import generics  # noqa: E402
from adrf.routers import DefaultRouter  # noqa: E402
from adrf.serializers import ModelSerializer  # noqa: E402
from adrf.viewsets import ModelViewSet  # noqa: E402
from asgiref.sync import async_to_sync, sync_to_async  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.exceptions import SynchronousOnlyOperation  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.decorators import action  # noqa: E402
from rest_framework.fields import Field  # noqa: E402
from rest_framework.response import Response  # noqa: E402

from drf_model_pusher.asgi import flush_at_shutdown  # noqa: E402
from drf_model_pusher.backends import PusherBackend  # noqa: E402
from drf_model_pusher.views import ModelPusherViewMixin  # noqa: E402
from tests.shop.models import Order  # noqa: E402


class LinesField(Field):
    """A field that only async serializers can render."""

    async def ato_representation(self, order):
        return [line.text async for line in order.lines.all()]


class OrderSerializer(ModelSerializer):
    lines = LinesField(source="*", read_only=True)

    class Meta:
        model = Order
        fields = ["id", "customer", "total", "lines"]

    async def asave(self, **kwargs):
        order = await super().asave(**kwargs)
        # Written, and not yet pushed: the time to go away.
        await asyncio.sleep(float(self.context["request"].headers.get("X-Sleep", 0)))
        return order


class OrderPusherBackend(PusherBackend):
    serializer_class = OrderSerializer
    channels = ["customers.{customer}"]


class OrderViewSet(ModelPusherViewMixin, ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    @action(detail=True, methods=["post"])
    async def ship(self, request, pk=None):
        order = await self.aget_object()
        await self.apush_change("shipped", order)
        await self.apush_changes("counted", [order, order], pre_destroy=False)
        await self.apush("lobby", "bell.rung", {"order": order.pk}, ignore=False)
        return Response(status=204)

    async def adestroy(self, request, *args, **kwargs):
        if "X-Kept" in request.headers:
            order = await self.aget_object()

            async def refuse():
                raise ValueError

            order.adelete = refuse
            await self.perform_adestroy(order)
        return await super().adestroy(request, *args, **kwargs)


class AtomicOrderViewSet(OrderViewSet):
    """An action in a transaction, which may fail when all is written and pushed."""

    async def acreate(self, request, *args, **kwargs):
        return await sync_to_async(self.create_atomically)(request, *args, **kwargs)

    @transaction.atomic
    def create_atomically(self, request, *args, **kwargs):
        response = async_to_sync(super().acreate)(request, *args, **kwargs)
        if "X-Fail" in request.headers:
            raise ValueError
        return response


class OrdersView(ModelPusherViewMixin, generics.ListCreateAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


class OrderView(ModelPusherViewMixin, generics.RetrieveUpdateDestroyAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


async def plain(request):
    order = await Order.objects.acreate(customer="Plain")
    await OrderPusherBackend().apush_change("create", order)
    return HttpResponse()


async def blocking(request):
    try:
        OrderPusherBackend().push_change("create", Order(pk=1, customer="Plain"))
    except SynchronousOnlyOperation as error:
        return HttpResponse(str(error))


async def alive(request):
    return HttpResponse("alive")


router = DefaultRouter()
router.register("orders", OrderViewSet)
router.register("atomic", AtomicOrderViewSet, basename="atomic")
urlpatterns = [
    *router.urls,
    path("generic/", OrdersView.as_view()),
    path("generic/<pk>/", OrderView.as_view()),
    path("plain/", plain),
    path("blocking/", blocking),
    path("alive/", alive),
]
# In a thread of its own: some servers load this in their event loop.
migration = Thread(target=lambda: call_command("migrate", run_syncdb=True, verbosity=0))
migration.start()
migration.join()
asgi = flush_at_shutdown(get_asgi_application())
