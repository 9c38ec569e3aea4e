"""Changes in several databases, each with transactions of its own."""

import pytest
from django.db import transaction

from tests.depot.models import Customer, Item, Parcel, Tag
from tests.depot.serializers import CustomerSerializer

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


@pytest.fixture
def twins(customer, parcel):
    """An object in both databases, with one key and two states."""
    Customer(pk=customer.pk, slug="bo").save(using="other")
    Parcel(pk=parcel.pk, customer_id=customer.pk, state="twin").save(using="other")
    return parcel, Parcel.objects.using("other").get()


@pytest.fixture(params=[False, True], ids=["at once", "read again"])
def observed(request, declare, declare_items, twins):
    declare(observe=True, refetch=request.param)
    declare_items(observe=True, refetch=request.param, touches=["parcel"])


@pytest.fixture
def states(memory):
    return lambda: [(event.name, event.json().get("state")) for event in memory]


@pytest.mark.usefixtures("observed")
class TestTwins:
    def test_are_two_objects(self, states, twins):
        here, there = twins
        with transaction.atomic(), transaction.atomic(using="other"):
            here.save()
            there.save()
        assert sorted(states()) == [("parcel.update", "open"), ("parcel.update", "twin")]

    @pytest.mark.parametrize("kept", ["default", "other"])
    def test_are_committed_and_rolled_back_each(self, states, twins, kept):
        lost = {"default": "other", "other": "default"}[kept]
        with transaction.atomic(using=kept):
            with pytest.raises(ZeroDivisionError), transaction.atomic(using=lost):
                for each in twins:
                    each.save()
                raise ZeroDivisionError
            assert states() == []
        assert states() == [("parcel.update", {"default": "open", "other": "twin"}[kept])]

    @pytest.mark.parametrize(
        ("change", "names"),
        [
            (lambda p: p.delete(), ["parcel.delete"]),
            (lambda p: p.tags.add(Tag.objects.using("other").create()), ["parcel.update"]),
            (lambda p: Parcel.objects.using("other").update(weight=2), ["parcel.update"]),
            (lambda p: Parcel.objects.using("other").bulk_update([p], ["weight"]),
             ["parcel.update"]),
            (lambda p: Parcel.objects.using("other").all().delete(), ["parcel.delete"]),
            (lambda p: Item.objects.using("other").create(parcel=p),
             ["item.create", "parcel.update"]),
        ],
    )  # fmt: skip
    def test_are_changed_where_they_are(self, states, memory, twins, change, names):
        change(twins[1])
        assert [name for name, _ in states()] == names
        assert states()[-1] == (names[-1], "twin")
        assert Parcel.objects.using("default").get().state == "open"


class TestAMove:
    def test_is_compared_with_the_row_of_its_database(self, declare, told, twins):
        declare(observe=True, channels=["parcels-{state}"])
        twins[1].state = "open"
        twins[1].save()
        assert told() == ["parcels-twin: parcel.delete", "parcels-open: parcel.create"]


class TestPushMany:
    def test_waits_for_the_database_of_its_objects(self, declare, states, twins):
        backend = declare()
        with transaction.atomic(), transaction.atomic(using="other"):
            backend().push_many("update", Parcel.objects.using("other"))
            backend().push_many("update", [twins[1]])
            transaction.get_connection("other").set_rollback(True)
        assert states() == []
        backend().push_many("update", Parcel.objects.using("other"))
        assert states() == [("parcel.update", "twin")]


class TestAChain:
    def test_stays_in_its_database(self, declare, declare_items, memory, twins):
        declare(serializer_class=CustomerSerializer, channels=["customers"])
        declare(touches=["customer"])
        declare_items(observe=True, touches=["parcel"])
        Item.objects.using("other").create(parcel=twins[1])
        assert memory[-1].json()["slug"] == "bo"
