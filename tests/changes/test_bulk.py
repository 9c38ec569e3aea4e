"""Many changes at once."""

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, Item, Parcel, Seat
from tests.depot.serializers import ParcelSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


@pytest.fixture
def parcels(customer):
    return [Parcel.objects.create(customer=customer) for _ in range(3)]


class ParcelViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Parcel.objects.all()
    serializer_class = ParcelSerializer


class WithCustomer(serializers.ModelSerializer):
    slug = serializers.CharField(source="customer.slug")
    items = serializers.SlugRelatedField("text", many=True, read_only=True)

    class Meta:
        model = Parcel
        fields = ["id", "slug", "items"]


class TestPushMany:
    def test_reads_all_by_the_plan_of_the_queryset(self, declare, memory, parcels):
        def get_queryset(self):
            return Parcel.objects.select_related("customer").prefetch_related("items")

        backend = declare(serializer_class=WithCustomer, get_queryset=get_queryset)
        Item.objects.create(parcel=parcels[1], text="tea")
        with CaptureQueriesContext(connection) as queries:
            backend().push_many("update", parcels)
        assert len(queries) == 2
        assert [event.json() for event in memory] == [
            {"id": parcel.pk, "slug": "ada", "items": ["tea"] if parcel is parcels[1] else []}
            for parcel in parcels
        ]

    def test_reads_in_batches(self, declare, told, customer):
        backend = declare(channels=["parcels.{pk}"])
        Parcel.objects.bulk_create(Parcel(customer=customer) for _ in range(801))
        before = len(told())
        with CaptureQueriesContext(connection) as queries:
            backend().push_many("update", Parcel.objects.all())
        assert (len(queries), len(told()) - before) == (4, 801)

    @pytest.mark.parametrize(
        "kind",
        [list, iter, lambda given: [each.pk for each in given], lambda given: Parcel.objects.all()],
    )
    def test_takes_objects_keys_and_querysets(self, declare, told, parcels, kind):
        declare()().push_many("shipped", kind(parcels))
        assert told() == ["parcels: parcel.shipped"] * 3

    @pytest.mark.parametrize("event", ["update", "delete"])
    def test_renders_each_once(self, declare, told, parcels, event):
        rendered = []

        class Noting(ParcelSerializer):
            def to_representation(self, instance):
                rendered.append(instance.pk)
                return super().to_representation(instance)

        backend = declare(serializer_class=Noting, channels=["parcels", "parcels.{pk}"])
        with transaction.atomic():
            backend().push_many(event, parcels)
            backend().push_many(event, parcels[:0])
        assert rendered == [each.pk for each in parcels]

    def test_may_be_awaited(self, declare, told, parcels):
        backend, view = declare()(), ParcelViewSet(request=None, format_kwarg=None)

        async def scene():
            await backend.apush_many("update", Parcel.objects.all())
            await view.apush_many("packed", parcels)

        async_to_sync(scene)()
        assert told() == ["parcels: parcel.update"] * 3 + ["parcels: parcel.packed"] * 3

    def test_leaves_out_objects_that_are_gone(self, declare, memory, parcels):
        backend = declare()
        with transaction.atomic():
            backend().push_many("update", parcels)
            Parcel._base_manager.filter(pk=parcels[0].pk).delete()
        assert [event.json()["id"] for event in memory] == [each.pk for each in parcels[1:]]

    def test_pushes_nothing_of_a_rollback(self, declare, told, parcels):
        backend = declare()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            backend().push_many("update", parcels)
            raise ZeroDivisionError
        assert told() == []

    def test_renders_deletions_while_the_objects_are_there(self, declare, memory, parcels):
        backend = declare()
        keys = [each.pk for each in parcels]
        with transaction.atomic():
            backend().push_many("delete", Parcel._base_manager.all())
            Parcel._base_manager.all().delete()
        assert [event.json()["id"] for event in memory] == keys

    def test_objects_that_are_not_saved_are_an_error(self, declare, customer):
        with pytest.raises(ValueError, match="no primary key"):
            declare()().push_many("create", [Parcel(customer=customer)])

    def test_none_are_no_event(self, declare, told):
        declare()().push_many("update", [])
        declare()().push_many("delete", Parcel.objects.none())
        assert told() == []

    def test_works_with_keys_of_several_values(self, declare, memory):
        class SeatSerializer(serializers.ModelSerializer):
            class Meta:
                model = Seat
                fields = ["row", "number"]

        backend = declare(serializer_class=SeatSerializer, channels=["seats"])
        seats = [Seat.objects.create(row=1, number=number) for number in (1, 2)]
        backend().push_many("update", seats)
        assert [event.json() for event in memory] == [
            {"row": 1, "number": 1},
            {"row": 1, "number": 2},
        ]

    def test_reads_the_database_that_was_written(self, declare, memory):
        customer = Customer.objects.using("other").create(slug="bo")
        parcel = Parcel.objects.using("other").create(customer=customer)
        declare()().push_many("update", [parcel])
        assert [event.json()["id"] for event in memory] == [parcel.pk]

    def test_of_a_view_leaves_out_its_writer(self, declare, memory, parcels):
        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Parcel.objects.all()
            serializer_class = ParcelSerializer

            @action(detail=False)
            def update(self, request):
                self.push_many("shipped", self.get_queryset())
                self.push_many("counted", parcels, ignore=False)
                return Response()

        declare()
        call(View, "update", headers={"X-Pusher-Socket-Id": "1.2"})
        assert [event.socket_id for event in memory] == ["1.2"] * 3 + [None] * 3


class TestLimit:
    def test_more_become_one_invalidation_a_channel(self, declare, memory, parcels):
        backend = declare(bulk_limit=2, channels=["parcels", "parcels.{pk}"])
        backend().push_many("update", parcels)
        (event,) = memory
        assert (event.name, event.json()) == ("parcel.invalidate", {})
        assert set(event.channels) == {"parcels", *(f"parcels.{each.pk}" for each in parcels)}

    def test_reaches_more_channels_than_a_call_takes(self, declare, pusher_api, customer):
        backend = declare(bulk_limit=200, channels=["parcels.{pk}"])
        parcels = Parcel._base_manager.bulk_create(Parcel(customer=customer) for _ in range(201))
        backend().push_many("update", parcels)
        events = pusher_api.events
        assert {event["name"] for event in events} == {"parcel.invalidate"}
        channels = [channel for event in events for channel in event["channels"]]
        assert sorted(channels) == sorted(f"parcels.{each.pk}" for each in parcels)
        assert len(pusher_api.calls) <= 3

    def test_as_many_do_not(self, declare, told, parcels):
        declare(bulk_limit=3)().push_many("update", parcels)
        assert told() == ["parcels: parcel.update"] * 3

    def test_none_is_no_limit(self, declare, told, parcels):
        declare(bulk_limit=None)().push_many("update", parcels)
        assert len(told()) == 3

    def test_deletions_too(self, declare, told, parcels):
        declare(bulk_limit=2)().push_many("delete", parcels)
        assert told() == ["parcels: parcel.invalidate"]

    def test_counts_a_transaction(self, declare, told, parcels):
        backend = declare(bulk_limit=2)
        with transaction.atomic():
            for parcel in parcels:
                backend().push_many("update", [parcel])
        assert told() == ["parcels: parcel.invalidate"]


class TestPushingQuerySet:
    def test_bulk_create(self, declare, memory, customer):
        declare()
        created = Parcel.objects.bulk_create([Parcel(customer=customer), Parcel(customer=customer)])
        assert [(e.name, e.json()["id"]) for e in memory] == [
            ("parcel.create", each.pk) for each in created
        ]

    def test_bulk_create_that_ignores_conflicts_is_silent(self, declare, told, customer):
        declare()
        Parcel.objects.bulk_create([Parcel(customer=customer)], ignore_conflicts=True)
        assert told() == []

    def test_bulk_create_takes_its_arguments_by_position(self, declare, told, customer):
        declare()
        Parcel.objects.bulk_create([Parcel(pk=1, customer=customer)], None, True)
        assert told() == []
        Parcel.objects.bulk_create(
            [Parcel(pk=1, customer=customer)], None, False, True, ["state"], ["id"]
        )
        assert told() == ["parcels: parcel.update"]

    def test_bulk_create_that_updates_conflicts_pushes_updates(self, declare, told, customer):
        declare()
        Parcel.objects.bulk_create(
            [Parcel(pk=1, customer=customer)],
            update_conflicts=True,
            update_fields=["state"],
            unique_fields=["id"],
        )
        assert told() == ["parcels: parcel.update"]

    def test_bulk_create_that_updates_conflicts_may_move(self, declare, told, parcels):
        declare(channels=["c{customer_id}"])
        first, other = parcels[0].customer_id, Customer.objects.create(slug="bo")
        new = Parcel(pk=parcels[-1].pk + 1, customer=other)
        again = [Parcel(pk=parcels[0].pk, customer=other), new]
        Parcel.objects.bulk_create(
            iter(again),
            update_conflicts=True,
            update_fields=["customer"],
            unique_fields=["id"],
        )
        assert told() == [
            f"c{first}: parcel.delete",
            f"c{other.pk}: parcel.create",
            f"c{other.pk}: parcel.update",
        ]

    def test_bulk_update_is_one_update_each(self, declare, memory, parcels):
        declare(observe=True)
        for parcel in parcels:
            parcel.state = "sent"
        assert Parcel.objects.bulk_update(parcels, ["state"]) == 3
        assert [(e.name, e.json()["state"]) for e in memory] == [("parcel.update", "sent")] * 3

    def test_update(self, declare, memory, parcels):
        declare(observe=True)
        assert Parcel.objects.exclude(pk=parcels[0].pk).filter(state="open").update(state="x") == 2
        assert [(e.json()["id"], e.json()["state"]) for e in memory] == [
            (each.pk, "x") for each in parcels[1:]
        ]

    def test_update_knows_what_it_changes(self, declare, told, parcels):
        declare(only_when={"state"})
        Parcel.objects.update(weight=2)
        assert told() == []
        Parcel.objects.filter(pk=parcels[0].pk).update(state="sent")
        assert told() == ["parcels: parcel.update"]

    def test_update_may_move(self, declare, told, parcels):
        declare(channels=["c{customer_id}"])
        other = Customer.objects.create(slug="bo")
        Parcel.objects.filter(pk=parcels[0].pk).update(customer=other)
        assert told() == [
            f"c{parcels[0].customer_id}: parcel.delete",
            f"c{other.pk}: parcel.create",
        ]

    def test_update_needs_no_lock(self, declare, parcels):
        declare()
        with CaptureQueriesContext(connection) as queries:
            assert Parcel.objects.select_for_update().update(state="sent") == len(parcels)
        assert not any("FOR UPDATE" in query["sql"] for query in queries)

    def test_what_receivers_of_a_deletion_change_is_pushed(self, declare, told, parcels):
        def change_another(instance, **kwargs):
            Parcel.objects.filter(pk=parcels[1].pk).update(state="sent")

        declare()
        pre_delete.connect(change_another, sender=Parcel)
        try:
            Parcel.objects.filter(pk=parcels[0].pk).delete()
        finally:
            pre_delete.disconnect(change_another, sender=Parcel)
        assert told() == ["parcels: parcel.delete", "parcels: parcel.update"]

    def test_delete(self, declare, memory, parcels):
        declare()
        keys = sorted(each.pk for each in parcels)
        assert Parcel.objects.all().delete()[0] == 3
        assert sorted(e.json()["id"] for e in memory) == keys

    @pytest.mark.parametrize("limit", [2, 3])
    def test_delete_of_what_is_observed_keeps_the_limit(self, declare, told, parcels, limit):
        declare(observe={"delete"}, bulk_limit=limit)
        Parcel.objects.all().delete()
        one_by_one = ["parcels: parcel.delete"] * 3
        assert told() == (one_by_one if limit == 3 else ["parcels: parcel.invalidate"])

    def test_above_the_limit_others_are_observed_as_ever(self, declare, told, parcels):
        declare(observe={"delete"}, bulk_limit=1)
        other = Parcel._base_manager.create(customer=parcels[0].customer)

        def delete_another(sender, instance, **kwargs):
            if instance.pk == parcels[0].pk:
                other.delete()

        pre_delete.connect(delete_another, sender=Parcel)
        try:
            Parcel.objects.exclude(pk=other.pk).delete()
        finally:
            pre_delete.disconnect(delete_another, sender=Parcel)
        assert sorted(told()) == ["parcels: parcel.delete", "parcels: parcel.invalidate"]

    def test_delete_of_what_is_observed_is_pushed_once(self, declare, told, parcels):
        declare(observe=True)
        Parcel.objects.all().delete()
        assert told() == ["parcels: parcel.delete"] * 3

    def test_a_deletion_that_fails_is_silent(self, declare, told, parcels, monkeypatch):
        declare()
        monkeypatch.setattr("django.db.models.deletion.Collector.delete", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Parcel.objects.all().delete()
        assert told() == []

    def test_a_rollback_is_silent(self, declare, told, parcels):
        declare()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Parcel.objects.update(state="sent")
            Parcel.objects.all().delete()
            raise ZeroDivisionError
        assert told() == []

    def test_without_a_backend_nothing_is_read(self, parcels):
        with CaptureQueriesContext(connection) as queries:
            Parcel.objects.update(state="sent")
        assert len(queries) == 1

    def test_inside_a_view_it_leaves_out_the_writer(self, declare, memory, parcels):
        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Parcel.objects.all()
            serializer_class = ParcelSerializer

            @action(detail=False)
            def update(self, request):
                Parcel.objects.update(state="sent")
                return Response()

        declare()
        call(View, "update", headers={"X-Pusher-Socket-Id": "1.2"})
        assert [event.socket_id for event in memory] == ["1.2"] * 3


class TestParentsOfMany:
    """A statement is one change, in a transaction or without one."""

    @pytest.fixture
    def names(self, declare, memory, parcels):
        class CustomerSerializer(serializers.ModelSerializer):
            class Meta:
                model = Customer
                fields = ["id"]

        declare(serializer_class=CustomerSerializer, channels=["customers"])
        declare(touches=["customer"], observe={"delete"})
        return lambda: sorted(event.name for event in memory)

    def test_are_told_of_once_by_an_update(self, names, parcels):
        Parcel.objects.update(state="sent")
        assert names() == ["customer.update", *["parcel.update"] * 3]

    def test_are_both_told_of_when_lines_move(self, names, parcels):
        Parcel.objects.update(customer=Customer.objects.create(slug="bo"))
        assert names() == ["customer.update", "customer.update", *["parcel.update"] * 3]

    def test_are_told_of_once_by_a_deletion(self, names, parcels):
        Parcel.objects.all().delete()
        assert names() == ["customer.update", *["parcel.delete"] * 3]

    def test_are_told_of_once_by_a_deletion_that_nobody_observes(
        self, declare_items, declare, told, parcels
    ):
        declare()
        backend = declare_items(touches=["parcel"])
        Item.objects.bulk_create(Item(parcel=parcels[0], text="tea") for _ in range(3))
        backend().push_many("delete", Item.objects.all())
        assert sorted(told()) == [*["items: item.delete"] * 3, "parcels: parcel.update"]

    def test_a_write_that_fails_pushes_nothing(self, names, parcels):
        other = Customer.objects.create(slug="bo")
        with pytest.raises(ValueError, match="expected a number"), transaction.atomic():
            Parcel.objects.update(customer=other, weight=2, id="x")
        assert names() == []
