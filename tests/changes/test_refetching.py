"""Push equals GET: objects are read again once they are committed; parents are told of once."""

from contextlib import nullcontext

import pytest
from django.db import connection, transaction
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers, viewsets

from drf_model_pusher.delivery import BaseDelivery
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, Folder, Item, Parcel
from tests.depot.serializers import CustomerSerializer, FolderSerializer, ItemSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True)


class CountedSerializer(serializers.ModelSerializer):
    count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Parcel
        fields = ["id", "state", "customer", "count"]


class ParcelViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Parcel.objects.annotate(count=Count("items"))
    serializer_class = CountedSerializer


def nest(declare, **attributes):
    """Let folders touch those that they are in."""
    attributes = {"channels": ["folders"], "touches": ["inside"]} | attributes
    return declare(serializer_class=FolderSerializer, **attributes)


def counted(self):
    return Parcel.objects.annotate(count=Count("items"))


@pytest.fixture
def refetching(declare, parcel):
    return declare(
        observe=True, serializer_class=CountedSerializer, refetch=True, get_queryset=counted
    )


class TestRefetch:
    def test_pushes_what_get_returns(self, refetching, memory, customer):
        pk = call(ParcelViewSet, "create", {"customer": customer.pk}).data["id"]
        assert memory[0].json() == call(ParcelViewSet, "retrieve", pk=pk).data
        call(ParcelViewSet, "partial_update", {"state": "sent"}, pk=pk)
        assert memory[1].json() == call(ParcelViewSet, "retrieve", pk=pk).data

    def test_asks_once_for_all_of_a_transaction(self, refetching, memory, customer):
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            parcels = [Parcel.objects.create(customer=customer) for _ in range(3)]
            Item.objects.create(parcel=parcels[1], text="tea")
            parcels[0].save()
        reads = [query for query in queries if "COUNT" in query["sql"]]
        assert (len(reads), [e.json()["count"] for e in memory]) == (1, [0, 1, 0])

    def test_tells_the_net_effect_of_a_transaction(self, refetching, told, customer, parcel):
        with transaction.atomic():
            Parcel.objects.create(customer=customer).delete()
            parcel.save()
            parcel.save()
            parcel.delete()
        assert told() == ["parcels: parcel.delete"]

    def test_a_key_that_is_used_again_is_deleted_then_created(self, refetching, told, parcel):
        pk, customer = parcel.pk, parcel.customer
        with transaction.atomic():
            parcel.save()
            parcel.delete()
            Parcel.objects.create(pk=pk, customer=customer)
        assert told() == ["parcels: parcel.delete", "parcels: parcel.create"]

    @pytest.mark.parametrize("refetch", [False, True])
    def test_tells_those_who_knew_it_before_a_move_of_a_deletion(
        self, declare, told, memory, parcel, refetch
    ):
        declare(observe=True, refetch=refetch, channels=["c{customer_id}", "parcels"])
        first, other = parcel.customer_id, Customer.objects.create(slug="bo").pk
        with transaction.atomic():
            Parcel.objects.update(customer=other)
            Parcel.objects.get().delete()
        assert set(told()) == {f"c{first}: parcel.delete", f"c{other} parcels: parcel.delete"}
        assert len(memory) == 2
        assert {event.change for event in memory} == {"delete"}

    def test_news_of_two_connections_reaches_both(self, refetching, memory, parcel):
        with transaction.atomic():
            for socket in ("1.1", "2.2"):
                headers = {"X-Pusher-Socket-Id": socket}
                call(ParcelViewSet, "partial_update", {}, pk=parcel.pk, headers=headers)
        assert [event.socket_id for event in memory] == [None]

    def test_rolled_back_it_is_silent(self, refetching, told, parcel):
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                parcel.save()
                raise ZeroDivisionError
            Item.objects.create(parcel=parcel, text="tea")
        assert told() == []

    def test_an_error_after_the_commit_is_logged(self, declare, told, parcel, caplog):
        declare(observe=True, refetch=True, get_queryset=lambda self: 1 / 0)
        done = []
        with transaction.atomic():
            parcel.save()
            transaction.on_commit(lambda: done.append(True))
        assert (told(), done) == ([], [True])
        assert "change not pushed" in caplog.text

    def test_a_delivery_that_stores_gets_changes_within_their_transaction(
        self, refetching, parcel, settings
    ):
        settings.DRF_MODEL_PUSHER_DELIVERY = f"{__name__}.Written"
        Written.inside.clear()
        with transaction.atomic():
            parcel.save()
            parcel.save()
        assert Written.inside == [True, True]


class Written(BaseDelivery):
    joins_transaction = True
    inside: list = []

    def store(self, changes, *, using):
        self.inside.append(connection.in_atomic_block)

    def send(self, events):
        raise AssertionError


class TestTouches:
    @pytest.fixture
    def touching(self, declare, declare_items):
        declare(serializer_class=CountedSerializer, get_queryset=counted)
        return declare_items(observe=True, touches=["parcel"])

    def test_a_childs_change_is_an_update_of_its_parent(self, touching, told, memory, parcel):
        item = Item.objects.create(parcel=parcel, text="tea")
        item.delete()
        assert sorted(told()) == [
            "items: item.create",
            "items: item.delete",
            "parcels: parcel.update",
            "parcels: parcel.update",
        ]
        assert [e.json()["count"] for e in memory if e.name == "parcel.update"] == [1, 0]

    def test_once_a_transaction(self, touching, told, memory, parcel):
        with transaction.atomic():
            for text in ("tea", "rum"):
                Item.objects.create(parcel=parcel, text=text)
        assert told().count("parcels: parcel.update") == 1
        assert [e.json()["count"] for e in memory if e.name == "parcel.update"] == [2]

    def test_of_an_object_whose_key_is_deferred(self, touching, told, parcel):
        Item.objects.create(parcel=parcel, text="tea")
        Item.objects.only("text").get().delete()
        assert told().count("parcels: parcel.update") == 2

    def test_both_the_old_parent_and_the_new_one(self, touching, memory, parcel, customer):
        other = Parcel.objects.create(customer=customer)
        item = Item.objects.create(parcel=parcel, text="tea")
        memory.clear()
        item.parcel = other
        item.save()
        assert {e.json()["id"] for e in memory if e.name == "parcel.update"} == {
            parcel.pk,
            other.pk,
        }

    def test_with_a_change_of_the_parents_own_it_is_one(self, touching, told, customer):
        with transaction.atomic():
            pk = call(ParcelViewSet, "create", {"customer": customer.pk}).data["id"]
            Item.objects.create(parcel_id=pk, text="tea")
        assert sorted(told()) == ["items: item.create", "parcels: parcel.create"]

    def test_a_parent_that_is_deleted_as_well_is_not_updated(self, touching, told, parcel):
        Item.objects.create(parcel=parcel, text="tea")
        before = len(told())
        parcel.delete()
        assert told()[before:] == ["items: item.delete"]

    def test_through_views_and_in_bulk(self, declare, declare_items, told, parcel):
        class ItemViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Item.objects.all()
            serializer_class = ItemSerializer

        declare()
        backend = declare_items(touches=["parcel"])
        data = {"parcel": parcel.pk, "text": "tea"}
        call(ItemViewSet, "create", data)
        assert sorted(told()) == ["items: item.create", "parcels: parcel.update"]
        backend().push_many("update", [*Item.objects.all(), *Item.objects.all()])
        assert sorted(told()[2:]) == ["items: item.update", "parcels: parcel.update"]

    def test_over_several_keys(self, declare, declare_items, told, parcel):
        declare(serializer_class=CustomerSerializer, channels=["customers"])
        declare_items(observe=True, touches=["parcel__customer"])
        Item.objects.create(parcel=parcel, text="tea")
        assert sorted(told()) == ["customers: customer.update", "items: item.create"]

    def test_of_a_line_that_is_read_again_too(self, declare, declare_items, told, parcel):
        declare(observe=True)
        declare_items(observe=True, refetch=True, touches=["parcel"])
        with transaction.atomic():
            parcel.save()
            Item.objects.create(parcel=parcel, text="tea")
        assert told() == ["parcels: parcel.update", "items: item.create"]

    @pytest.mark.parametrize("atomic", [transaction.atomic, nullcontext])
    def test_go_on_along_a_chain(self, declare, declare_items, told, parcel, atomic):
        declare(serializer_class=CustomerSerializer, channels=["customers"])
        declare(touches=["customer"])
        declare_items(observe=True, touches=["parcel"])
        with atomic():
            Item.objects.create(parcel=parcel, text="tea")
        assert told() == [
            "items: item.create",
            "parcels: parcel.update",
            "customers: customer.update",
        ]

    @pytest.mark.parametrize("atomic", [transaction.atomic, nullcontext])
    def test_end_in_a_circle(self, declare, memory, atomic):
        one = Folder.objects.create()
        two = Folder.objects.create(inside=one)
        Folder.objects.filter(pk=one.pk).update(inside=two)
        nest(declare, observe=True)
        with atomic():
            two.save()
        assert [event.json()["id"] for event in memory] == [two.pk, one.pk]

    @pytest.mark.parametrize("atomic", [transaction.atomic, nullcontext])
    def test_may_be_long(self, declare, memory, atomic):
        Folder.objects.bulk_create(
            Folder(pk=pk, inside_id=pk - 1 if pk > 1 else None) for pk in range(1, 1201)
        )
        nest(declare, observe=True)
        with atomic():
            Folder.objects.get(pk=1200).save()
        assert [event.json()["id"] for event in memory] == list(range(1200, 0, -1))

    @pytest.mark.parametrize("path", ["text", "nothing", "parcel__state"])
    def test_what_is_no_foreign_key_is_an_error(self, declare_items, path):
        with pytest.raises(DeclarationError, match="touches names"):
            declare_items(touches=[path])
