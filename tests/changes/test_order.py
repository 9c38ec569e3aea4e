"""In which order changes are told, those that are read again among those that are not."""

import pytest
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from rest_framework import viewsets

from drf_model_pusher.delivery import InlineDelivery
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, Item, Parcel, Tag
from tests.depot.serializers import CustomerSerializer, ItemSerializer, ParcelSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def names(memory):
    return lambda: [event.name for event in memory]


class TestOfATransaction:
    def test_is_that_of_the_changes_of_one_object(self, declare, memory, parcel):
        backend = declare(observe={"update"})
        with transaction.atomic():
            parcel.state = "one"
            parcel.save()
            backend().push_many("packed", [parcel])
            parcel.state = "two"
            parcel.save()
        assert [(e.name, e.json()["state"]) for e in memory] == [
            ("parcel.update", "two"),
            ("parcel.packed", "two"),
        ]

    def test_leaves_the_newest_for_last(self, declare, memory, parcel):
        backend = declare(observe={"update"})
        with transaction.atomic():
            backend().push_many("update", [parcel])
            parcel.state = "one"
            parcel.save()
            Parcel._base_manager.update(state="two")
            backend().push_many("update", [parcel])
        assert memory[-1].json()["state"] == "two"

    def test_is_that_of_all_changes(self, declare, declare_items, names, customer):
        declare(observe=True, refetch=True)
        declare_items(observe=True)
        declare(observe=True, serializer_class=CustomerSerializer, channels=["customers"])
        with transaction.atomic():
            customer.save()
            parcel = Parcel.objects.create(customer=customer)
            item = Item.objects.create(parcel=parcel, text="tea")
            other = Parcel.objects.create(customer=customer)
            item.delete()
            Customer.objects.create(slug="bo")
            other.save()
        assert names() == ["customer.update", "parcel.create", "parcel.create", "customer.create"]

    def test_is_that_of_what_is_read_by_several_backends(
        self, declare, declare_items, names, customer
    ):
        declare(refetch=True, observe=True)
        declare_items(refetch=True, observe=True)
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            for _ in range(3):
                parcel = Parcel.objects.create(customer=customer)
                Item.objects.create(parcel=parcel, text="tea")
        assert names() == ["parcel.create", "item.create"] * 3
        assert sum(query["sql"].startswith("SELECT") for query in queries) == 2

    def test_survives_a_savepoint_that_is_rolled_back(self, declare, declare_items, names, parcel):
        declare(observe=True, refetch=True)
        declare_items(observe=True)
        with transaction.atomic():
            item = Item.objects.create(parcel=parcel, text="tea")
            parcel.save()
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                parcel.save()
                item.save()
                raise ZeroDivisionError
            item.delete()
        assert names() == ["parcel.update"]

    def test_takes_what_a_view_pushes_itself(self, declare, told, parcel):
        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Parcel.objects.all()
            serializer_class = ParcelSerializer

            def perform_update(self, serializer):
                self.push("bell", "before", {})
                super().perform_update(serializer)
                self.push("bell", "after", {})

        declare(refetch=True)
        with transaction.atomic():
            call(View, "partial_update", {}, pk=parcel.pk)
        assert told() == ["bell: before", "parcels: parcel.update", "bell: after"]

    def test_an_error_of_one_backend_keeps_nothing_of_another(
        self, declare, declare_items, names, parcel, caplog
    ):
        declare(observe=True, refetch=True, get_queryset=lambda self: 1 / 0)
        declare_items(observe=True)
        with transaction.atomic():
            parcel.save()
            Item.objects.create(parcel=parcel, text="tea")
            Parcel.objects.create(customer=parcel.customer)
        assert names() == ["item.create"]
        assert caplog.text.count("change not pushed") == 1

    def test_few_calls_carry_it(self, declare, declare_items, settings, parcel):
        settings.DRF_MODEL_PUSHER_DELIVERY = f"{__name__}.Counting"
        Counting.calls.clear()
        declare(observe=True, refetch=True)
        declare_items(observe=True, refetch=True)
        with transaction.atomic():
            for _ in range(5):
                Item.objects.create(parcel=parcel, text="tea")
                Parcel.objects.create(customer=parcel.customer)
        assert Counting.calls == [10]


class Counting(InlineDelivery):
    calls: list = []

    def send(self, events):
        self.calls.append(len(events))


class TestWithoutATransaction:
    def test_a_parent_is_told_of_after_its_line(self, declare, declare_items, names, parcel):
        declare()
        declare_items(observe=True, touches=["parcel"])
        Item.objects.create(parcel=parcel, text="tea")
        assert names() == ["item.create", "parcel.update"]

    @pytest.mark.parametrize("observe", [True, {"delete"}])
    def test_a_creation_absorbs_the_touch_of_its_own_child(
        self, declare, declare_items, names, customer, observe
    ):
        class WithParcel(ItemSerializer):
            class Meta(ItemSerializer.Meta):
                fields = ["id", "text"]

            def create(self, validated_data):
                parcel = Parcel.objects.create(customer=customer)
                return Item.objects.create(parcel=parcel, **validated_data)

        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Item.objects.all()
            serializer_class = WithParcel

        declare(observe=True)
        declare_items(observe=observe, touches=["parcel"])
        call(View, "create", {"text": "tea"})
        assert sorted(names()) == ["item.create", "parcel.create"]

    def test_objects_of_one_creation_are_told_of_in_the_order_of_their_saves(
        self, declare, declare_items, told, customer
    ):
        class Nested(ParcelSerializer):
            def create(self, validated_data):
                for slug in ("ann", "bo"):
                    Customer.objects.create(slug=slug)
                parcel = super().create(validated_data)
                Item.objects.create(parcel=parcel, text="tea")
                parcel.save()
                return parcel

        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Parcel.objects.all()
            serializer_class = Nested

            def get_serializer(self, *args, **kwargs):
                return super().get_serializer(*args, many=True, **kwargs)

        declare(observe=True)
        declare_items(observe=True)
        declare(observe=True, serializer_class=CustomerSerializer, channels=["customers"])
        call(View, "create", [{"customer": customer.pk}] * 2)
        one = ["customers: customer.create"] * 2 + ["parcels: parcel.create", "items: item.create"]
        assert told() == one * 2


class TestOfACreationThatAReceiverFollowsUp:
    """A receiver that is connected before the observers saves what touches the new object."""

    @pytest.fixture
    def names(self, own_registry, memory, declare, declare_items):
        def add_item(instance, created, **kwargs):
            if created:
                Item.objects.create(parcel=instance, text="tea")
                instance.tags.add(Tag.objects.create(text="new"))

        post_save.connect(add_item, sender=Parcel)
        declare(observe=True)
        declare_items(observe=True, touches=["parcel"])
        yield lambda: [event.name for event in memory]
        post_save.disconnect(add_item, sender=Parcel)

    def test_in_a_transaction_it_is_one_creation(self, names, customer):
        with transaction.atomic():
            Parcel.objects.create(customer=customer)
        assert sorted(names()) == ["item.create", "parcel.create"]
