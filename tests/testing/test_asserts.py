"""Each assertion holds where it should, and says what is wrong where it does not."""

import datetime
import uuid
from decimal import Decimal
from unittest.mock import ANY

import pytest
from django.contrib.auth.models import User

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.testing import assert_nothing_pushed, assert_pushed, capture_events
from tests.shop.models import Line, Order
from tests.shop.serializers import OrderForStaffSerializer
from tests.testing.test_capture import OrderViewSet, push
from tests.views import call

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    return Order.objects.create(customer="Ada", total=Decimal("5.50"))


@pytest.fixture
def updated(order, pusher_events):
    call(OrderViewSet, "partial_update", {"customer": "Bob"}, pk=order.pk)


def failure(*args, **kwargs):
    with pytest.raises(AssertionError) as caught:
        assert_pushed(*args, **kwargs)
    return str(caught.value)


@pytest.mark.usefixtures("updated")
class TestWhatHolds:
    def test_a_model_one_of_its_objects_or_a_name(self, order):
        for what in [(Order,), (Order, "update"), (order, "update"), ("order.update",)]:
            assert assert_pushed(*what).json()["customer"] == "Bob"
        assert_pushed("order", "update")

    def test_all_its_channels(self):
        assert_pushed(Order, channels="orders")
        assert_pushed(Order, channels=["orders"])

    def test_a_part_of_the_data_in_python_values(self, order):
        assert_pushed(Order, data={"id": order.pk, "total": Decimal("5.50")})
        assert_pushed(Order, data={"customer": ANY})

    def test_a_function_that_answers_or_asserts(self):
        def is_bob(data):
            assert data["customer"] == "Bob"

        assert_pushed(Order, data=is_bob)
        assert_pushed(Order, data=lambda data: data["customer"] == "Bob")

    def test_one_of_several_events(self, order):
        call(OrderViewSet, "partial_update", {"customer": "Cy"}, pk=order.pk)
        assert_pushed(Order, "update", data={"customer": "Cy"})


@pytest.mark.usefixtures("updated")
class TestWhatFails:
    def test_another_event_lists_those_that_there_were(self, order):
        assert failure(Order, "delete").splitlines() == [
            "delete of Order was not pushed.",
            "Pushed, oldest first (1):",
            f'  1. order.update → orders {{"id":{order.pk},"customer":"Bob","total":"5.50"}}',
            "       is another event",
        ]

    def test_another_model_object_or_name(self):
        assert "any event of Line was not pushed" in failure(Line)
        assert "any event of Order 0 was not pushed" in failure(Order(pk=0))
        assert "order.updated was not pushed" in failure("order.updated")
        assert "order.delete was not pushed" in failure("order", "delete")

    def test_other_channels_or_not_all_of_them(self):
        message = failure(Order, "update", channels=["orders", "lobby"])
        assert "update of Order on ['orders', 'lobby'] was not pushed" in message
        assert "goes to ['orders']; ['lobby', 'orders'] was wanted" in message

    def test_other_data_says_where_it_differs(self):
        message = failure(Order, data={"customer": "Ada", "total": Decimal("1"), "state": "open"})
        assert "       customer is 'Bob'; 'Ada' was wanted" in message
        assert "       total is '5.50'; Decimal('1') was wanted" in message
        assert "       state is missing; 'open' was wanted" in message

    def test_a_function_that_says_no_or_fails(self):
        def is_ada(data):
            assert data["customer"] == "Ada", "it is Bob"

        assert "is_ada fails on the data: AssertionError(" in failure(Order, data=is_ada)
        assert "says no to the data" in failure(Order, data=lambda data: False)
        assert "fails on the data: KeyError('x')" in failure(Order, data=lambda data: data["x"])

    def test_something_where_nothing_should_be(self):
        with pytest.raises(AssertionError, match=r"Nothing should .*\n.*\n  1. order.update → ord"):
            assert_nothing_pushed()


class TestOtherEvents:
    def test_a_backend_may_call_events_and_verbs_what_it_likes(
        self, own_registry, order, pusher_events
    ):
        class Renamed(PusherBackend):
            serializer_class = OrderForStaffSerializer
            channels = ["staff"]

            def get_event_name(self, event):
                return f"shop-{event}"

        backend = Renamed()
        backend.push_change("update", order)
        backend.push_change("shipped", order)
        assert assert_pushed(Order, "update").name == "shop-update"
        data = {"reference": order.reference, "placed": order.placed}
        assert assert_pushed(order, "shipped", channels="staff", data=data).name == "shop-shipped"

    def test_data_may_be_anything(self, pusher_events):
        push("list", data='[1,{"a":[true,null],"b":2}]')
        push("text", data='"hello"')
        assert_pushed("list", data=[1, {"a": [True, None]}])
        assert_pushed("text", data="hello")
        assert "[1].a[0] is True; 1 was wanted" in failure("list", data=[1, {"a": [1, None]}])
        assert "the list has 2 entries; 1 were wanted" in failure("list", data=[1])
        assert "the data is 'hello'; None was wanted" in failure("text", data=None)

    def test_values_are_compared_as_they_are_rendered(self, pusher_events):
        key, day = uuid.uuid4(), datetime.date(2026, 11, 24)
        push("it", data=f'{{"key":"{key}","day":"2026-11-24"}}')
        assert_pushed("it", data={"key": key, "day": day})

    def test_large_data_is_shown_in_part(self, pusher_events):
        push("large", data=f'"{"x" * 1_000}"')
        assert len(failure("other")) < 500


class TestWhereToLook:
    def test_a_finished_capture_is_handed_over(self):
        with capture_events() as events:
            push("one")
        assert_pushed("one", events=events)
        with pytest.raises(AssertionError, match="1\\. one"):
            assert_nothing_pushed(events)

    def test_without_any_capture_it_says_what_to_do(self):
        for assertion in (assert_nothing_pushed, lambda: assert_pushed("one")):
            with pytest.raises(AssertionError, match=r"`pusher_events`.*`with capture_events"):
                assertion()


class TestWhyNothingWasPushed:
    def test_no_backend_pushes_the_model(self, pusher_events):
        text = failure(User, "create")
        assert text.startswith("create of User was not pushed. No backend pushes User.\n")

    def test_what_is_neither_model_nor_name_is_a_mistake(self, pusher_events):
        with pytest.raises(TypeError, match="a model, one of its objects or a name, not 42"):
            assert_pushed(42)

    def test_nothing_is_nothing(self, pusher_events):
        assert_nothing_pushed()
        assert failure("one") == "one was not pushed.\nNothing was pushed at all."

    def test_pushing_is_disabled(self, pusher_events, settings):
        settings.DRF_MODEL_PUSHER_DISABLED = True
        assert failure("one").endswith("at all. DRF_MODEL_PUSHER_DISABLED is True.")

    def test_a_block_is_still_open(self, pusher_events, transactional_db):
        from django.db import transaction

        with transaction.atomic():
            push("one")
            assert "transaction block that is still open" in failure("one")

    def test_pusher_would_have_refused_it(self, pusher_events):
        push("secret", channels=("private-encrypted-a",))
        assert_nothing_pushed()
        message = failure("secret")
        assert "Refused, as Pusher would: secret → private-encrypted-a {}" in message
        assert "PUSHER_ENCRYPTION_MASTER_KEY_BASE64" in message
