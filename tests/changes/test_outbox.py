"""Changes of each kind with a delivery that writes events into their transaction."""

import json

import pytest
from django.db import Error, connection, transaction
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Item, Parcel, Tag
from tests.depot.serializers import CustomerSerializer, ItemSerializer, ParcelSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])

SOCKET = {"X-Pusher-Socket-Id": "1.2"}


class ParcelViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Parcel.objects.all()
    serializer_class = ParcelSerializer


@pytest.fixture(autouse=True)
def outbox(settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.outbox.delivery.OutboxDelivery"


@pytest.fixture
def rows():
    return lambda using="default": list(
        OutboxRow.objects.using(using).order_by("id").values_list("name", flat=True)
    )


@pytest.fixture
def broken():
    """The outbox cannot be written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON drf_model_pusher_outbox_outboxrow "
            "BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )
        yield
        cursor.execute("DROP TRIGGER broken")


def names_and_writers():
    rows = OutboxRow.objects.order_by("id")
    return [(row.name, json.loads(row.content).get("socket_id")) for row in rows]


class TestOrder:
    def test_is_that_of_the_changes(self, declare, declare_items, rows, customer):
        declare(observe=True, refetch=True)
        backend = declare_items(observe=True, touches=["parcel"])
        with transaction.atomic():
            parcel = Parcel.objects.create(customer=customer)
            item = Item.objects.create(parcel=parcel, text="tea")
            backend().push_many("packed", [item])
            parcel.tags.add(Tag.objects.create(text="a"))
            parcel.delete()
        # Parents follow when the relay reads what touches them.
        assert rows() == [
            "parcel.create",
            "item.create",
            "item.packed",
            "parcel.update",
            "item.delete",
            "parcel.update",
            "parcel.delete",
        ]

    def test_a_chain_is_told_of_once_for_each_change(self, declare, declare_items, memory, parcel):
        declare(serializer_class=CustomerSerializer, channels=["customers"])
        declare(touches=["customer"])
        declare_items(observe=True, refetch=True, touches=["parcel", "parcel__customer"])
        with transaction.atomic():
            Item.objects.create(parcel=parcel, text="tea")
        relay = Relay("default")
        while relay.batch():
            pass
        assert sorted(each.name for each in memory) == [
            "customer.update",
            "item.create",
            "parcel.update",
        ]


class TestRollback:
    def test_of_a_savepoint_takes_its_rows_alone(self, declare, declare_items, rows, parcel):
        declare(observe=True, refetch=True)
        declare_items(observe=True, touches=["parcel"])
        with transaction.atomic():
            parcel.save()
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                Item.objects.create(parcel=parcel, text="tea")
                Parcel.objects.update(state="sent")
                raise ZeroDivisionError
        assert rows() == ["parcel.update"]

    def test_of_one_database_leaves_the_other(self, declare, rows, customer):
        declare(observe=True)
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic(using="other"):
                customer.save(using="other")
                Parcel(customer_id=customer.pk).save(using="other")
                raise ZeroDivisionError
            Parcel(customer_id=customer.pk).save(using="default")
        assert (rows("default"), rows("other")) == (["parcel.create"], [])


class TestWithoutATransaction:
    """A view and a queryset commit a change with its rows, or neither."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda p: Parcel.objects.update(state="sent"),
            lambda p: Parcel.objects.bulk_update([Parcel(pk=p.pk, state="sent")], ["state"]),
            lambda p: Parcel.objects.bulk_create([Parcel(customer=p.customer)]),
            lambda p: Parcel.objects.all().delete(),
            lambda p: call(ParcelViewSet, "partial_update", {"state": "sent"}, pk=p.pk),
            lambda p: call(ParcelViewSet, "create", {"customer": p.customer_id}),
            lambda p: call(ParcelViewSet, "destroy", pk=p.pk),
            lambda p: p.delete(),
            lambda p: p.tags.add(Tag.objects.create(text="a")),
        ],
    )
    def test_what_cannot_be_written_down_does_not_happen(self, declare, parcel, broken, change):
        declare(observe=True)
        with pytest.raises(Error):
            change(parcel)
        assert [(each.state, each.tags.count()) for each in Parcel.objects.all()] == [("open", 0)]

    def test_nested_objects_are_written_with_their_parent(
        self, declare, declare_items, rows, customer
    ):
        class WithItem(ParcelSerializer):
            def create(self, validated_data):
                parcel = super().create(validated_data)
                Item.objects.create(parcel=parcel, text="tea")
                return parcel

        declare(observe=True)
        declare_items(observe=True, touches=["parcel"])
        call(ParcelViewSet, "create", {"customer": customer.pk}, serializer_class=WithItem)
        assert rows() == ["parcel.create", "item.create"]

    def test_an_action_that_changes_much_leaves_out_its_writer(self, declare, parcel):
        class View(ParcelViewSet):
            @action(detail=False)
            def update(self, request):
                Parcel.objects.update(state="sent")
                parcel.save()
                self.push_many("packed", Parcel.objects.all())
                return Response()

        declare(observe=True)
        call(View, "update", headers=SOCKET)
        assert names_and_writers() == [
            ("parcel.update", "1.2"),
            ("parcel.update", "1.2"),
            ("parcel.packed", "1.2"),
        ]


class TestLimit:
    def test_is_of_each_call(self, declare, rows, customer):
        backend = declare(bulk_limit=2)
        parcels = Parcel._base_manager.bulk_create(Parcel(customer=customer) for _ in range(3))
        with transaction.atomic():
            backend().push_many("update", parcels)
            backend().push_many("update", parcels[:2])
            backend().push_many("delete", parcels)
        assert rows() == [
            "parcel.invalidate",
            "parcel.update",
            "parcel.update",
            "parcel.invalidate",
        ]


class TestDatabases:
    def test_rows_are_written_where_the_change_is(self, declare, declare_items, rows, customer):
        declare(observe=True, refetch=True)
        declare_items(observe=True, touches=["parcel"])
        customer.save(using="other")
        parcel = Parcel(customer_id=customer.pk)
        parcel.save(using="other")
        Item(parcel_id=parcel.pk, text="tea").save(using="other")
        Parcel.objects.using("other").update(state="sent")
        Parcel.objects.using("other").get().tags.add(Tag.objects.using("other").create(text="a"))
        assert rows("default") == []
        assert rows("other") == ["parcel.create", "item.create", *["parcel.update"] * 2]


class TestSerializers:
    def test_of_children_are_rendered_with_the_view_at_work(self, declare_items, rows, parcel):
        class View(ParcelViewSet):
            def perform_update(self, serializer):
                super().perform_update(serializer)
                Item.objects.create(parcel=serializer.instance, text="tea")

        declare_items(observe=True, serializer_class=ItemSerializer)
        call(View, "partial_update", {}, pk=parcel.pk, headers=SOCKET)
        assert names_and_writers() == [("item.create", "1.2")]
