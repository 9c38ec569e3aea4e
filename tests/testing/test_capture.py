"""The list of events that would leave, wherever a test's transactions end."""

import pytest
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from rest_framework import viewsets

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.changes.block import Block, record
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.providers import MemoryProvider
from drf_model_pusher.registry import registry
from drf_model_pusher.suppressing import suppress_pushes
from drf_model_pusher.testing import RecordingDelivery, capture_events
from drf_model_pusher.views import ModelPusherViewMixin
from tests.depot.models import Customer, Item, Parcel
from tests.depot.serializers import ItemSerializer, ParcelSerializer
from tests.shop.models import Order
from tests.shop.serializers import OrderSerializer
from tests.views import call


class OrderViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def get_pusher_channels(self):
        return ["orders"]


def push(*names, using=None, **fields):
    for name in names:
        event = PusherEvent(**{"channels": ("a",), "name": name, "data": "{}"} | fields)
        record([event], using or "default")


def push_update(instance):
    (backend,) = registry.backends_for(type(instance))
    backend().push_change("update", instance)


def names(events):
    return [event.name for event in events]


@pytest.fixture(params=["inside a transaction that never ends", "with real transactions"])
def database(request):
    """Both ways in which a test may use databases."""
    if request.param.startswith("with"):
        request.getfixturevalue("transactional_db")
    else:
        request.getfixturevalue("db")


both = [
    pytest.mark.usefixtures("database"),
    pytest.mark.django_db(databases=["default", "other"]),
]


class TestTransactions:
    # The fixture first: it must not matter which of the two begins.
    pytestmark = both

    def test_outside_any_block_an_event_counts_at_once(self, pusher_events):
        push("one", "two")
        assert names(pusher_events) == ["one", "two"]

    def test_inside_a_block_it_counts_when_that_is_over(self, pusher_events):
        with transaction.atomic():
            push("one")
            with transaction.atomic():
                push("two")
            assert names(pusher_events) == []
        assert names(pusher_events) == ["one", "two"]

    def test_a_rolled_back_block_never_counts(self, pusher_events):
        with pytest.raises(KeyError), transaction.atomic():
            push("lost")
            raise KeyError
        push("kept")
        assert names(pusher_events) == ["kept"]

    def test_an_inner_one_takes_its_own_events_alone(self, pusher_events):
        with transaction.atomic():
            push("one")
            with pytest.raises(KeyError), transaction.atomic():
                push("lost")
                raise KeyError
            push("two")
        assert names(pusher_events) == ["one", "two"]

    def test_an_outer_one_takes_those_of_inner_ones_along(self, pusher_events):
        with pytest.raises(KeyError), transaction.atomic():
            with transaction.atomic():
                push("lost")
            raise KeyError
        assert names(pusher_events) == []

    @pytest.mark.parametrize("reads", [True, False])
    def test_a_block_without_a_savepoint_is_one_as_well(self, pusher_events, reads):
        with transaction.atomic(), transaction.atomic(savepoint=False):
            push("one")
            assert not reads or names(pusher_events) == []
        assert names(pusher_events) == ["one"]

    def test_each_database_decides_about_its_own(self, pusher_events):
        with pytest.raises(KeyError), transaction.atomic(using="other"):
            push("kept", using="default")
            push("lost", using="other")
            raise KeyError
        with transaction.atomic(using="other"):
            push("other", using="other")
            assert names(pusher_events) == ["kept"]
        assert names(pusher_events) == ["kept", "other"]

    def test_what_a_view_pushes_leaves_as_it_would(self, pusher_events):
        order = Order.objects.create(customer="Ada")
        headers = {"X-Pusher-Socket-Id": "1.2"}
        call(OrderViewSet, "partial_update", {"customer": "Bob"}, pk=order.pk, headers=headers)
        call(OrderViewSet, "destroy", pk=order.pk)
        update, delete = pusher_events
        assert (update.channels, update.name, update.socket_id) == (
            ("orders",),
            "order.update",
            "1.2",
        )
        assert update.json() == {"id": order.pk, "customer": "Bob", "total": "0.00"}
        assert delete.name == "order.delete"

    def test_nothing_is_sent(self, pusher_events, settings, pusher_api):
        push("one")
        assert (len(pusher_events), pusher_api.calls) == (1, [])


class TestWhatIsReadAgain:
    """A transaction's changes are told of as they will be: once, as it has left the object."""

    pytestmark = both

    @pytest.fixture(autouse=True)
    def observed(self, own_registry):
        class ParcelBackend(PusherBackend):
            serializer_class = ParcelSerializer
            channels = ["parcels"]
            refetch = True

            class Meta:
                observe = True

        class ItemBackend(PusherBackend):
            serializer_class = ItemSerializer
            channels = ["items"]
            touches = ["parcel"]

            class Meta:
                observe = True

    @pytest.fixture
    def parcel(self):
        return Parcel.objects.create(customer=Customer.objects.create(slug="ada"))

    def test_several_changes_are_one(self, parcel, pusher_events):
        with transaction.atomic():
            for state in ("packed", "sent"):
                parcel.state = state
                parcel.save()
            Item.objects.create(parcel=parcel, text="a cup")
            Item.objects.create(parcel=parcel, text="a plate")
        assert names(pusher_events) == ["parcel.update", "item.create", "item.create"]
        assert pusher_events[0].json()["state"] == "sent"

    def test_each_transaction_tells_what_it_has_left(self, parcel, pusher_events):
        for state in ("packed", "sent"):
            with transaction.atomic():
                parcel.state = state
                parcel.save()
        parcel.state = "lost"
        parcel.save()
        with suppress_pushes():
            parcel.delete()
        assert [event.json()["state"] for event in pusher_events] == ["packed", "sent", "lost"]

    def test_what_an_inner_block_takes_back_is_not_told(self, parcel, pusher_events):
        with transaction.atomic():
            Item.objects.create(parcel=parcel, text="a cup")
            with pytest.raises(KeyError), transaction.atomic():
                parcel.state = "lost"
                parcel.save()
                raise KeyError
            assert names(pusher_events) == []
        assert names(pusher_events) == ["item.create", "parcel.update"]
        assert pusher_events[1].json()["state"] == "open"

    def test_an_inner_capture_takes_the_blocks_around_it_for_the_tests(self, parcel, pusher_events):
        with transaction.atomic():
            with capture_events() as inner:
                parcel.save()
                parcel.save()
            assert names(inner) == ["parcel.update"] * 2
        assert names(pusher_events) == ["parcel.update"] * 2

    def test_one_query_reads_them_all(self, parcel, pusher_events, django_assert_num_queries):
        parcels = [Parcel.objects.create(customer=parcel.customer) for _ in range(3)]
        pusher_events.clear()
        # Two are those of the block.
        with django_assert_num_queries(3), transaction.atomic():
            for each in parcels:
                push_update(each)
        assert names(pusher_events) == ["parcel.update"] * 3


@pytest.mark.django_db
class TestBlocksOfTheTest:
    def test_those_around_the_capture_do_not_matter(self):
        with transaction.atomic(), capture_events() as events:
            push("one")
            assert names(events) == ["one"]

    def test_a_failed_block_without_a_savepoint_never_counts(self, pusher_events):
        push("kept")
        with pytest.raises(KeyError), transaction.atomic(savepoint=False):
            push("lost")
            raise KeyError
        assert names(pusher_events) == ["kept"]
        transaction.set_rollback(False)

    def test_hooks_that_a_test_runs_by_itself_add_nothing(
        self, pusher_events, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            push("one")
        assert names(pusher_events) == ["one"]

    def test_what_a_block_keeps_comes_at_its_end(self, pusher_events):
        with Block("default"):
            push("one")
            assert names(pusher_events) == []
        assert names(pusher_events) == ["one"]

    def test_an_outer_capture_hears_what_an_inner_one_hears(self, pusher_events):
        push("one")
        with capture_events() as inner:
            push("two")
        push("three")
        assert (names(inner), names(pusher_events)) == (["two"], ["one", "two", "three"])

    def test_the_delivery_of_before_is_back_afterwards(self):
        before = get_delivery()
        with capture_events():
            assert isinstance(get_delivery(), RecordingDelivery)
        assert get_delivery() is before


def test_the_capture_may_begin_before_the_transaction_of_the_test(request):
    events = request.getfixturevalue("pusher_events")
    request.getfixturevalue("db")
    push("one")
    assert names(events) == ["one"]


@pytest.mark.django_db
class TestList:
    def test_it_is_compared_like_one_sliced_and_cleared(self, pusher_events):
        assert pusher_events == []
        push("one", "two")
        assert pusher_events == list(pusher_events)
        assert names(pusher_events[1:]) == ["two"]
        assert "name='one'" in repr(pusher_events)
        pusher_events.clear()
        assert pusher_events == []

    def test_what_pusher_would_refuse_is_apart_with_the_reason(self, pusher_events):
        push("secret", channels=("private-encrypted-a",))
        push("kept")
        assert names(pusher_events) == ["kept"]
        ((event, reason),) = pusher_events.refused
        assert (event.name, "PUSHER_ENCRYPTION_MASTER_KEY_BASE64" in reason) == ("secret", True)


class TestInTestCase(TestCase):
    def test_it_works_in_djangos_test_case(self):
        with capture_events() as events:
            Order.objects.create(customer="Ada")
            call(OrderViewSet, "create", {"customer": "Bob"})
            self.assertEqual(names(events), ["order.create"])


class TestInTransactionTestCase(TransactionTestCase):
    def test_it_works_with_real_transactions(self):
        with capture_events() as events:
            call(OrderViewSet, "create", {"customer": "Bob"})
        self.assertEqual(names(events), ["order.create"])
        self.assertEqual(MemoryProvider.events, [])
