"""Rows are changes: the relay reads what they are about when their turn comes."""

import json
import threading

import pytest
from django.db import connections, transaction
from rest_framework import serializers

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.registry import registry
from tests.outbox.conftest import Outbox
from tests.pusher_api import Answer
from tests.shop.models import Line, Order


class OrderSerializer(serializers.ModelSerializer):
    texts = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = ("id", "customer", "texts")

    def get_texts(self, order):
        return sorted(line.text for line in order.lines.all())


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ("id", "text")


@pytest.fixture(autouse=True)
def _delivery(settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.outbox.delivery.OutboxDelivery"


@pytest.fixture
def declare(own_registry, monkeypatch):
    monkeypatch.setattr(registry, "_backends", {})

    def declare(serializer=OrderSerializer, **attributes):
        channels = ["orders"] if serializer is OrderSerializer else ["lines"]
        attributes = {
            "serializer_class": serializer,
            "channels": channels,
            "Meta": type("Meta", (), {"observe": True}),
        } | attributes
        return type(f"{serializer.__name__}Backend", (PusherBackend,), attributes)

    return declare


def told(api):
    return [(event["name"], event["data"]) for event in api.events]


def create(outbox, **values):
    return Order.objects.using(outbox.alias).create(customer="Ada", **values)


class TestReading:
    def test_an_event_says_what_the_row_is_when_it_is_sent(self, outbox, declare, pusher_api):
        declare()
        order = create(outbox)
        Order.objects.using(outbox.alias).filter(pk=order.pk).update(customer="Grace")
        outbox.drain()
        (event,) = told(pusher_api)
        assert event == ("order.create", {"id": order.pk, "customer": "Grace", "texts": []})

    def test_what_changed_ten_times_is_read_and_said_once(self, outbox, declare, pusher_api):
        declare()
        order = create(outbox)
        outbox.drain()
        for number in range(10):
            order.customer = f"Ada {number}"
            order.save()
        outbox.drain()
        assert [name for name, _ in told(pusher_api)] == ["order.create", "order.update"]
        assert told(pusher_api)[1][1]["customer"] == "Ada 9"
        assert outbox.names == []

    def test_rows_hold_no_data_that_can_be_read_later(self, outbox, declare):
        declare()
        create(outbox)
        assert "Ada" not in outbox.rows.get().content

    def test_a_deletion_is_said_even_of_what_nobody_was_told_of(self, outbox, declare, pusher_api):
        """A relay that was killed may have told of it."""
        declare()
        order = create(outbox)
        pk = order.pk
        order.delete()
        outbox.drain()
        assert [(name, data["id"]) for name, data in told(pusher_api)] == [("order.delete", pk)]

    def test_what_may_have_left_already_is_not_merged_into_another(
        self, outbox, declare, pusher_api
    ):
        declare()
        order = create(outbox)
        pusher_api.script.append(Answer(reset=True, taken=True))
        outbox.relay.batch()
        order.delete()
        outbox.drain()
        assert [name for name, _ in told(pusher_api)][-1] == "order.delete"

    def test_a_move_between_channels_is_kept(self, outbox, declare, pusher_api):
        declare(channels=["customers.{customer}"])
        order = create(outbox)
        outbox.drain()
        order.customer = "Grace"
        order.save()
        outbox.drain()
        assert [(event["channels"], event["name"]) for event in pusher_api.events] == [
            (["customers.Ada"], "order.create"),
            (["customers.Ada"], "order.delete"),
            (["customers.Grace"], "order.create"),
        ]

    def test_events_that_are_too_large_are_dropped(self, outbox, declare, pusher_api, reports):
        declare(oversize="drop")
        create(outbox)
        Order.objects.using(outbox.alias).update(customer="Ada" * 30)
        with transaction.atomic(using=outbox.alias):
            for _ in range(200):
                Line(order_id=Order.objects.using(outbox.alias).get().pk, text="x" * 90).save(
                    using=outbox.alias
                )
        outbox.drain()
        assert (told(pusher_api), outbox.names) == ([], [])
        assert [name for name, _ in reports.failed] == ["order.create"]


class TestTouches:
    def test_a_parent_has_a_row_of_its_own(self, outbox, declare, pusher_api):
        declare()
        declare(LineSerializer, touches=["order"])
        order = create(outbox)
        outbox.drain()
        Line(order=order, text="tea").save(using=outbox.alias)
        outbox.relay.batch()
        assert [name for name, _ in told(pusher_api)] == ["order.create", "line.create"]
        assert [row.subject for row in outbox.rows] == [f"shop.order:{order.pk}"]
        outbox.drain()
        assert told(pusher_api)[-1][1]["texts"] == ["tea"]

    def test_of_two_transactions_that_overlap_the_last_event_says_all(
        self, postgresql, short_pauses, declare, pusher_api
    ):

        outbox = Outbox(postgresql)
        declare()
        declare(LineSerializer, touches=["order"])
        order = create(outbox)
        first_wrote, second_done = threading.Event(), threading.Event()

        def first():
            with transaction.atomic(using=postgresql):
                Line(order=order, text="a").save(using=postgresql)
                first_wrote.set()
                second_done.wait(20)
            connections[postgresql].close()

        thread = threading.Thread(target=first)
        thread.start()
        first_wrote.wait(20)
        Line(order=order, text="b").save(using=postgresql)
        outbox.drain()
        second_done.set()
        thread.join()
        outbox.drain()
        said = [data for name, data in told(pusher_api) if "customer" in data]
        assert said[-1]["texts"] == ["a", "b"]


class TestBulk:
    def test_each_object_has_a_row(self, outbox, declare, pusher_api):
        backend = declare()
        orders = [create(outbox) for _ in range(3)]
        outbox.drain()
        backend().push_many("update", orders)
        assert [row.subject for row in outbox.rows] == [f"shop.order:{o.pk}" for o in orders]

    def test_beyond_the_limit_one_row_says_so(self, outbox, declare, pusher_api):
        backend = declare(bulk_limit=2)
        orders = [create(outbox) for _ in range(3)]
        outbox.drain()
        assert len(pusher_api.events) == 3  # not the limit of what a relay has in hand
        backend().push_many("update", orders)
        assert outbox.names == ["order.invalidate"]
        outbox.drain()
        assert [name for name, _ in told(pusher_api)][3:] == ["order.invalidate"]


class TestFailures:
    """A row of which no event can be made is kept for people to see, and stops no other object."""

    def test_of_a_serializer(self, outbox, declare, pusher_api, settings, caplog):
        class Raising(OrderSerializer):
            def to_representation(self, order):
                if order.customer == "Ada":
                    raise ZeroDivisionError
                return super().to_representation(order)

        declare(Raising, channels=["orders"])
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 2
        create(outbox)
        Order.objects.using(outbox.alias).create(customer="Grace")
        outbox.relay.batch()
        assert [data["customer"] for _, data in told(pusher_api)] == ["Grace"]
        assert [row.due is not None for row in outbox.rows] == [True]
        outbox.drain()
        assert outbox.states == {"order.create": "dead"}
        assert "ZeroDivisionError" in caplog.text

    def test_of_a_query(self, outbox, declare, pusher_api, settings, caplog):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 2

        class Asking(OrderSerializer):
            def to_representation(self, order):
                if order.customer == "Ada":
                    with connections[outbox.alias].cursor() as cursor:
                        cursor.execute("SELECT * FROM nowhere")
                return super().to_representation(order)

        declare(Asking, channels=["orders"])
        Order.objects.using(outbox.alias).create(customer="Grace")
        create(outbox)
        Order.objects.using(outbox.alias).create(customer="Edsger")
        outbox.drain()
        assert [data["customer"] for _, data in told(pusher_api)] == ["Grace", "Edsger"]
        assert outbox.states == {"order.create": "dead"}

    def test_of_a_backend_that_is_gone(self, outbox, declare, pusher_api, settings):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 1
        declare()
        create(outbox)
        row = outbox.rows.get()
        content = json.loads(row.content) | {"backend": "shop.pusher_backends.Gone"}
        outbox.rows.update(content=json.dumps(content))
        create(outbox)
        outbox.drain()
        assert len(pusher_api.events) == 1
        assert [row.get_state_display() for row in outbox.rows] == ["dead"]


def change(alias, number, orders):
    for count in range(30):
        order, text = orders[(number + count) % 4], f"{number}-{count}"
        with transaction.atomic(using=alias):
            if count % 3:
                Line(order=order, text=text).save(using=alias)
            else:
                locked = Order.objects.using(alias).select_for_update().get(pk=order.pk)
                locked.customer = text
                locked.save()
    connections[alias].close()


def relay_until(alias, over):
    relay = Relay(alias)
    while not over.is_set():
        relay.batch() or over.wait(0.01)
    connections[alias].close()


def test_writers_of_many_kinds_that_overlap_end_with_what_is_in_the_database(
    postgresql, mariadb, short_pauses, declare, pusher_api
):
    """Two relays send meanwhile; of each object the last event says what the row says."""

    declare()
    declare(LineSerializer, touches=["order"])
    for alias in (postgresql, mariadb):
        pusher_api.calls.clear()
        outbox = Outbox(alias)
        orders = [create(outbox) for _ in range(4)]
        over = threading.Event()

        writers = [
            threading.Thread(target=change, args=(alias, number, orders)) for number in range(3)
        ]
        relays = [threading.Thread(target=relay_until, args=(alias, over)) for _ in range(2)]
        for thread in writers + relays:
            thread.start()
        for thread in writers:
            thread.join()
        outbox.drain()
        over.set()
        for thread in relays:
            thread.join()
        last = {
            event["data"]["id"]: event["data"]
            for event in pusher_api.events
            if "customer" in event["data"]
        }
        for order in Order.objects.using(alias):
            assert last[order.pk] == OrderSerializer(order).data
        assert not OutboxRow.objects.using(alias).exists()
