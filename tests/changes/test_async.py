"""adrf's async views, and the observers of what they change."""

import asyncio

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from drf_model_pusher.suppressing import suppress_pushes
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Item, Parcel, Tag
from tests.depot.serializers import ParcelSerializer

pytest.importorskip("adrf", reason="adrf is not installed")

from adrf.serializers import ModelSerializer
from adrf.viewsets import ModelViewSet

pytestmark = pytest.mark.django_db(transaction=True)


class AsyncSerializer(ModelSerializer):
    Meta = ParcelSerializer.Meta


class ParcelViewSet(ModelPusherViewMixin, ModelViewSet):
    queryset = Parcel.objects.all()
    serializer_class = AsyncSerializer

    async def retrieve(self, request, pk=None):
        await self.act(await self.aget_object())
        return Response()


VERBS = {
    "acreate": "post",
    "partial_aupdate": "patch",
    "adestroy": "delete",
    "retrieve": "get",
}


async def ask(view, action, data=None, pk=None, socket="1.2"):
    request = getattr(APIRequestFactory(), VERBS[action])(
        "/", data, format="json", headers={"X-Pusher-Socket-Id": socket}
    )
    return await view.as_view({VERBS[action]: action})(request, **({"pk": pk} if pk else {}))


@pytest.fixture
def seen(memory):
    return lambda: [(event.name, event.socket_id) for event in memory]


@pytest.fixture(params=[False, True], ids=["at once", "read again"])
def observed(request, declare, declare_items, parcel):
    declare(observe=True, refetch=request.param)
    declare_items(observe=True, refetch=request.param)


@pytest.mark.usefixtures("observed")
class TestItsOwnChanges:
    def test_are_pushed_once(self, seen, customer):
        async def scene():
            pk = (await ask(ParcelViewSet, "acreate", {"customer": customer.pk})).data["id"]
            await ask(ParcelViewSet, "partial_aupdate", {"state": "sent"}, pk=pk)
            await ask(ParcelViewSet, "adestroy", pk=pk)

        async_to_sync(scene)()
        kinds = ("create", "update", "delete")
        assert seen() == [(f"parcel.{kind}", "1.2") for kind in kinds]

    def test_are_pushed_once_though_saved_twice(self, seen, customer):
        class Twice(AsyncSerializer):
            async def acreate(self, validated_data):
                parcel = await super().acreate(validated_data)
                await parcel.asave()
                return parcel

        view = type("View", (ParcelViewSet,), {"serializer_class": Twice})
        async_to_sync(ask)(view, "acreate", {"customer": customer.pk})
        assert seen() == [("parcel.create", "1.2")]

    def test_come_in_the_order_of_their_saves(self, seen, customer):
        class Nested(AsyncSerializer):
            async def acreate(self, validated_data):
                parcel = await super().acreate(validated_data)
                await Item.objects.acreate(parcel=parcel, text="tea")
                return parcel

        view = type("View", (ParcelViewSet,), {"serializer_class": Nested})
        async_to_sync(ask)(view, "acreate", {"customer": customer.pk})
        assert seen() == [("parcel.create", "1.2"), ("item.create", "1.2")]

    def test_without_super_are_pushed_by_the_observer(self, seen, customer):
        class View(ParcelViewSet):
            async def perform_acreate(self, serializer):
                await serializer.asave()

        async_to_sync(ask)(View, "acreate", {"customer": customer.pk})
        assert seen() == [("parcel.create", "1.2")]

    def test_pushed_by_hand_are_pushed_once(self, seen, parcel):
        class View(ParcelViewSet):
            async def perform_aupdate(self, serializer):
                await self.apush_change("update", await serializer.asave())

        async_to_sync(ask)(View, "partial_aupdate", {"state": "sent"}, pk=parcel.pk)
        assert seen() == [("parcel.update", "1.2")]


@pytest.mark.usefixtures("observed")
class TestWhatItsActionsChange:
    @pytest.mark.parametrize(
        ("act", "names"),
        [
            (lambda p: p.asave(), ["parcel.update"]),
            (lambda p: p.adelete(), ["parcel.delete"]),
            (lambda p: Item.objects.acreate(parcel=p, text="tea"), ["item.create"]),
            (lambda p: p.customer.adelete(), ["parcel.delete"]),
            (lambda p: Parcel.objects.filter(pk=p.pk).aupdate(state="x"), ["parcel.update"]),
            (lambda p: Parcel.objects.abulk_update([p], ["state"]), ["parcel.update"]),
            (lambda p: Parcel.objects.filter(pk=p.pk).adelete(), ["parcel.delete"]),
            (lambda p: Parcel.objects.abulk_create([Parcel(customer=p.customer)]),
             ["parcel.create"]),
            (lambda p: p.tags.aadd(1), ["parcel.update"]),
        ],
    )  # fmt: skip
    def test_leaves_out_its_writer(self, seen, customer, parcel, act, names):
        Tag.objects.create(pk=1, text="a")

        class View(ParcelViewSet):
            queryset = Parcel.objects.select_related("customer")

            async def act(self, parcel):
                await act(parcel)

        async_to_sync(ask)(View, "retrieve", pk=parcel.pk)
        assert seen() == [(name, "1.2") for name in names]

    def test_suppressed_is_silent(self, seen, parcel):
        class View(ParcelViewSet):
            @suppress_pushes()
            async def act(self, parcel):
                await parcel.asave()

        async_to_sync(ask)(View, "retrieve", pk=parcel.pk)
        assert seen() == []

    def test_rolled_back_is_silent(self, seen, parcel):
        class View(ParcelViewSet):
            async def act(self, parcel):
                await parcel.asave()

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            async_to_sync(ask)(View, "retrieve", pk=parcel.pk)
            raise ZeroDivisionError
        assert seen() == []


class TestRequestsAtTheSameTime:
    def test_do_not_take_each_others_changes(self, declare, declare_items, memory, customer):
        class Slow(AsyncSerializer):
            async def acreate(self, validated_data):
                parcel = await super().acreate(validated_data)
                await asyncio.sleep(0.05)
                await Item.objects.acreate(parcel=parcel, text=parcel.state)
                await asyncio.sleep(0.05)
                return parcel

        view = type("View", (ParcelViewSet,), {"serializer_class": Slow})
        declare(observe=True)
        declare_items(observe=True)

        async def scene():
            data = [{"customer": customer.pk, "state": f"{n}"} for n in range(5)]
            asks = (ask(view, "acreate", each, socket=f"{each['state']}.1") for each in data)
            await asyncio.gather(*asks)

        async_to_sync(scene)()
        told = [(e.name, e.json().get("state", e.json().get("text")), e.socket_id) for e in memory]
        assert sorted(told) == sorted(
            (name, f"{n}", f"{n}.1") for n in range(5) for name in ("parcel.create", "item.create")
        )
