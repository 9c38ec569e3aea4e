"""Async code in this process: what is refused, what is left alone, and on which connection."""

import asyncio
import subprocess
import sys

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import transaction
from rest_framework import viewsets
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.changes.block import Block, record
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.views import ModelPusherViewMixin
from tests.shop.models import Order
from tests.shop.serializers import OrderSerializer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


@pytest.fixture
def backend():
    class Backend(PusherBackend):
        serializer_class = OrderSerializer
        channels = ["mine.{pk}"]

    return Backend()


class TestAPushThatIsAwaited:
    def test_leaves_with_the_transaction_that_waits_for_it(self, memory, backend):
        async def change():
            order = await Order.objects.acreate(customer="Ada")
            await backend.apush_change("create", order)

        with transaction.atomic():
            async_to_sync(change)()
            assert memory == []
        assert [event.name for event in memory] == ["order.create"]

    def test_is_forgotten_with_a_rollback(self, memory, backend):
        async def change():
            await backend.apush_change("create", await Order.objects.acreate(customer="Ada"))
            raise ValueError

        with pytest.raises(ValueError), transaction.atomic():  # noqa: PT011
            async_to_sync(change)()
        assert memory == []

    def test_raises_what_is_wrong_in_tests(self, pusher_events, backend):
        async def change():
            backend.channels = ["mine.{customer}"]
            await backend.apush_change("create", Order(pk=1, customer="no name"))

        with pytest.raises(ValueError, match="no name"):
            async_to_sync(change)()


class TestASyncPush:
    @pytest.mark.parametrize("name", ["push", "push_change", "push_changes"])
    def test_of_a_view_is_refused_on_the_loop_and_says_what_to_await(self, memory, name):
        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Order.objects.all()

        async def change():
            getattr(View(), name)("a", "b", {})

        with pytest.raises(SynchronousOnlyOperation, match=r"await apush_change\(\)"):
            asyncio.run(change())

    def test_within_sync_to_async_is_fine(self, memory, backend):
        def write():
            with transaction.atomic():
                backend.push_change("create", Order.objects.create(customer="Ada"))
                assert memory == []

        async_to_sync(sync_to_async(write))()
        assert len(memory) == 1


class TestHeldBack:
    def test_is_no_task_that_outlives_the_deletion(self, memory):
        async def later(over):
            await over.wait()
            await sync_to_async(record)(
                [PusherEvent(channels=("orders",), name="late", data="{}")], "default"
            )

        async def scene():
            over = asyncio.Event()
            with Block("default"):
                task = asyncio.create_task(later(over))
            over.set()
            await task

        async_to_sync(scene)()
        assert [event.name for event in memory] == ["late"]


class TestAdrf:
    def test_is_not_needed(self):
        program = (
            "import sys; sys.modules['adrf'] = None\n"
            "import django; django.setup()\n"
            "import drf_model_pusher.views, drf_model_pusher.backends\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_takes_a_viewset_of_sync_actions_for_what_it_is(self, memory):
        adrf = pytest.importorskip("adrf.viewsets", reason="adrf is not installed")

        class View(ModelPusherViewMixin, adrf.ViewSet):
            def create(self, request):
                self.push("lobby", "bell.rung", {})
                return Response(status=201)

        assert not View.view_is_async
        response = View.as_view({"post": "create"})(APIRequestFactory().post("/"))
        assert (response.status_code, [event.name for event in memory]) == (201, ["bell.rung"])

    def test_serializers_render_in_sync_views_as_those_do(self, memory, backend):
        serializers = pytest.importorskip("adrf.serializers", reason="adrf is not installed")

        class Both(serializers.ModelSerializer):
            class Meta:
                model = Order
                fields = ["id"]

            def to_representation(self, instance):
                return {"by": "sync"}

            async def ato_representation(self, instance):
                return {"by": "async"}

        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Order.objects.all()

        type(backend).serializer_class = Both
        order = Order.objects.create(customer="Ada")
        backend.push_change("update", order)
        type(backend)(view=View(request=None, format_kwarg=None)).push_change("update", order)
        assert [event.json()["by"] for event in memory] == ["async", "sync"]
