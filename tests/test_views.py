import json
import logging

import pytest
from django.db import connections, transaction
from django.urls import path
from rest_framework import generics, mixins, serializers, viewsets
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.exceptions import DeclarationError, InvalidEventError
from drf_model_pusher.signals import change_failed
from drf_model_pusher.views import ModelPusherViewMixin
from tests.archive.models import Order as ArchivedOrder
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer, OrderSerializer
from tests.views import call

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


class OrderViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def get_pusher_channels(self):
        return ["orders"]


@pytest.fixture
def order():
    return Order.objects.create(customer="Ada")


class TestTheRoad:
    """A write through a view arrives, signed, at the HTTP API."""

    def test_create(self, pusher_api):
        response = call(OrderViewSet, "create", {"customer": "Ada", "total": "9.50"})
        (event,) = pusher_api.wait_for_events(1)
        assert event == {
            "channels": ["orders"],
            "name": "order.create",
            "data": response.data,
            "socket_id": None,
        }
        assert pusher_api.calls[0].path.startswith("/apps/3/")

    def test_update(self, pusher_api, order):
        call(OrderViewSet, "update", {"customer": "Grace"}, pk=order.pk)
        (event,) = pusher_api.wait_for_events(1)
        assert (event["name"], event["data"]["customer"]) == ("order.update", "Grace")

    def test_partial_update(self, pusher_api, order):
        call(OrderViewSet, "partial_update", {"total": "3.00"}, pk=order.pk)
        (event,) = pusher_api.wait_for_events(1)
        assert event["data"] == {"id": order.pk, "customer": "Ada", "total": "3.00"}

    def test_delete_carries_what_the_object_was(self, pusher_api, order):
        response = call(OrderViewSet, "destroy", pk=order.pk)
        (event,) = pusher_api.wait_for_events(1)
        assert response.status_code == 204
        assert (event["name"], event["data"]["id"]) == ("order.delete", order.pk)

    def test_reading_pushes_nothing(self, memory, order):
        call(OrderViewSet, "list")
        call(OrderViewSet, "retrieve", pk=order.pk)
        assert memory == []


class TestAnyView:
    def test_with_a_queryset_that_needs_the_request(self, memory):
        class View(OrderViewSet):
            queryset = None

            def get_queryset(self):
                return Order.objects.filter(customer=self.request.headers["X-Customer"])

        order = Order.objects.create(customer="Ada")
        headers = {"X-Customer": "Ada"}
        call(View, "create", {"customer": "Ada"}, headers=headers)
        call(View, "partial_update", {"total": "1.00"}, pk=order.pk, headers=headers)
        call(View, "destroy", pk=order.pk, headers=headers)
        assert [event.name for event in memory] == ["order.create", "order.update", "order.delete"]

    def test_with_a_serializer_class_alone(self, memory):
        class View(ModelPusherViewMixin, generics.CreateAPIView):
            serializer_class = OrderSerializer

            def get_pusher_channels(self):
                return ["orders"]

            def perform_create(self, serializer):
                super().perform_create(serializer)
                self.push_change("audited")

        View.as_view()(APIRequestFactory().post("/", {"customer": "Ada"}))
        assert [event.name for event in memory] == ["order.create", "order.audited"]

    def test_that_can_do_one_thing_only(self, memory, order):
        class View(ModelPusherViewMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet):
            queryset = Order.objects.all()

            def get_pusher_channels(self):
                return ["orders"]

        call(View, "destroy", pk=order.pk, serializer_class=OrderSerializer)
        assert [event.name for event in memory] == ["order.delete"]

    def test_that_has_no_model_pushes_nothing(self, memory):
        class Plain(serializers.Serializer):
            text = serializers.CharField()

            def create(self, validated_data):
                return validated_data

        class View(ModelPusherViewMixin, mixins.DestroyModelMixin, generics.CreateAPIView):
            serializer_class = Plain

            def get_pusher_channels(self):
                return ["plain"]

        response = View.as_view()(APIRequestFactory().post("/", {"text": "tea"}))
        assert (response.status_code, memory) == (201, [])
        assert View().get_pusher_model() is None

    def test_that_has_no_model_may_push_objects_of_one(self, memory, order, own_registry):
        class View(ModelPusherViewMixin, generics.GenericAPIView):
            lookup_field = "reference"

            def get_pusher_channels(self):
                return ["orders"]

            def post(self, request):
                self.push_change("delete", order)
                return Response(status=204)

        class Backend(PusherBackend):
            serializer_class = OrderSerializer
            delete_data = "key"

        View.as_view()(APIRequestFactory().post("/"))
        assert memory[-1].json() == {"id": order.pk}

    @pytest.mark.parametrize("kind", [list, tuple, lambda objects: objects])
    def test_that_changes_many_at_once(self, memory, kind):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                serializer.save()
                self.push_changes("update", kind(Order.objects.order_by("pk")))

        Order.objects.create(customer="Ada")
        call(View, "create", {"customer": "Grace"})
        assert [(event.name, event.json()["customer"]) for event in memory] == [
            ("order.create", "Grace"),
            ("order.update", "Ada"),
        ]

    def test_that_deletes_many_at_once_pushes_nothing_if_that_fails(self, memory):
        class View(OrderViewSet):
            fails = True

            def get_object(self):
                return Order.objects.order_by("pk")

            def perform_destroy(self, instance):
                if self.fails:
                    instance.delete = lambda: 1 / 0
                super().perform_destroy(instance)

        for name in ("Ada", "Grace"):
            Order.objects.create(customer=name)
        with pytest.raises(ZeroDivisionError):
            call(View, "destroy")
        assert memory == []
        call(View, "destroy", fails=False)
        assert [event.json()["customer"] for event in memory] == ["Ada", "Grace"]

    def test_that_creates_many_at_once(self, memory):
        class View(OrderViewSet):
            def get_serializer(self, *args, **kwargs):
                return super().get_serializer(*args, many=True, **kwargs)

        call(View, "create", [{"customer": "Ada"}, {"customer": "Grace"}])
        assert [event.json()["customer"] for event in memory] == ["Ada", "Grace"]

    def test_without_backends_pushes_nothing_and_needs_no_channels(self, memory, order):
        class View(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Line.objects.all()
            serializer_class = LineSerializer

        assert call(View, "create", {"order": order.pk, "text": "tea"}).status_code == 201
        assert memory == []

    def test_renders_relations_as_they_are_after_the_update(self, memory, order, own_registry):
        class WithLines(serializers.ModelSerializer):
            lines = serializers.SlugRelatedField("text", many=True, read_only=True)

            class Meta:
                model = Order
                fields = ["id", "lines"]

        class View(OrderViewSet):
            queryset = Order.objects.prefetch_related("lines")
            serializer_class = WithLines

            def perform_update(self, serializer):
                super().perform_update(serializer)

        class Backend(PusherBackend):
            serializer_class = WithLines
            channels = ["lines"]

        def save(serializer, **kwargs):
            Line.objects.create(order=serializer.instance, text="tea")
            return serializer.instance

        WithLines.save = save
        response = call(View, "update", {}, pk=order.pk)
        pushed = next(event for event in memory if event.channels == ("lines",))
        assert pushed.json()["lines"] == response.data["lines"] == ["tea"]


class TestChannels:
    def test_missing_everywhere_is_an_error_that_names_the_view_and_both_ways_out(
        self, pusher_events
    ):
        class Nameless(ModelPusherViewMixin, viewsets.ModelViewSet):
            queryset = Order.objects.all()
            serializer_class = OrderSerializer

        with pytest.raises(DeclarationError, match=r"Nameless.*get_pusher_channels.*channels"):
            call(Nameless, "create", {"customer": "Ada"})

    def test_none_today_pushes_nothing(self, memory):
        class View(OrderViewSet):
            def get_pusher_channels(self):
                return []

        assert call(View, "create", {"customer": "Ada"}).status_code == 201
        assert memory == []

    @pytest.mark.parametrize("given", [None, ["a", None]])
    def test_that_are_no_names_are_an_error_that_names_the_view(self, pusher_events, given):
        class Vague(OrderViewSet):
            def get_pusher_channels(self):
                return given

        with pytest.raises(
            DeclarationError, match=r"Vague\.get_pusher_channels\(\).*list of names"
        ):
            call(Vague, "create", {"customer": "Ada"})

    @pytest.mark.parametrize("kind", [tuple, iter])
    def test_may_come_in_any_iterable(self, memory, kind):
        class View(OrderViewSet):
            def get_pusher_channels(self):
                return kind(["b", "a", "b"])

        call(View, "create", {"customer": "Ada"})
        assert memory[0].channels == ("b", "a")

    def test_a_name_that_pusher_refuses_is_a_loud_error_in_tests(self, pusher_events):
        class View(OrderViewSet):
            def get_pusher_channels(self):
                return ["or:ders"]

        with pytest.raises(InvalidEventError, match="'or:ders'"):
            call(View, "create", {"customer": "Ada"})

    def test_that_are_wrong_fail_no_request(self, memory, caplog):
        class View(OrderViewSet):
            def get_pusher_channels(self):
                return ["or:ders"]

        failed = []

        def on_failed(sender, verb, error, **kwargs):
            failed.append((sender.__name__, verb, type(error)))

        change_failed.connect(on_failed)
        response = call(View, "create", {"customer": "Ada"})
        change_failed.disconnect(on_failed)
        assert (response.status_code, memory) == (201, [])
        assert Order.objects.get().customer == "Ada"
        assert caplog.text.count("change not pushed") == 1
        assert failed == [("OrderPusherBackend", "create", InvalidEventError)]


class TestSwitches:
    @pytest.mark.parametrize(
        ("switch", "silent"),
        [("push_creations", "create"), ("push_updates", "update"), ("push_deletions", "delete")],
    )
    @pytest.mark.parametrize("way", ["attribute", "as_view"])
    def test_each_kind_can_be_turned_off(self, memory, switch, silent, way):
        if way == "attribute":
            view, initkwargs = type("View", (OrderViewSet,), {switch: False}), {}
        else:
            view, initkwargs = OrderViewSet, {switch: False}
        pk = call(view, "create", {"customer": "Ada"}, **initkwargs).data["id"]
        call(view, "update", {"customer": "Grace"}, pk=pk, **initkwargs)
        call(view, "destroy", pk=pk, **initkwargs)
        left = [f"order.{kind}" for kind in ("create", "update", "delete") if kind != silent]
        assert [event.name for event in memory] == left

    def test_disabled_pushes_nothing_and_does_no_work(self, memory, settings, order):
        settings.DRF_MODEL_PUSHER_DISABLED = True

        class View(OrderViewSet):
            def get_pusher_channels(self):
                raise AssertionError("work was done")

            def get_pusher_backends(self, model=None):
                raise AssertionError("work was done")

            def perform_create(self, serializer):
                super().perform_create(serializer)
                self.push(["orders"], "hello", object())

        call(View, "create", {"customer": "Ada"})
        call(View, "update", {"customer": "Grace"}, pk=order.pk)
        call(View, "destroy", pk=order.pk)
        assert memory == []


class TestWrongSettings:
    """A change that is made is no failure, whatever the settings say."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DRF_MODEL_PUSHER_DISABLED", "no"),
            ("DRF_MODEL_PUSHER_MAX_EVENT_BYTES", "10k"),
            ("DRF_MODEL_PUSHER_DELIVERY", "nope.X"),
            ("DRF_MODEL_PUSHER_DELIVERY", "decimal.Decimal"),
            ("DRF_MODEL_PUSHER_DELIVERY", 7.5),
            ("DRF_MODEL_PUSHER_PROVIDER", "nope.X"),
            ("DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED", "no"),
            ("PUSHER_SECRET", b"hidden"),
            ("PUSHER_TIMEOUT", "soon"),
        ],
    )
    def test_are_logged_once_for_each_event(self, pusher_api, settings, caplog, order, name, value):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                super().perform_create(serializer)
                self.push("lobby", "bell.rung", {})

        setattr(settings, name, value)
        for action, data, lines in (
            ("create", {"customer": "Ada"}, 2),
            ("partial_update", {"customer": "Grace"}, 1),
            ("destroy", None, 1),
        ):
            caplog.clear()
            pk = None if action == "create" else order.pk
            assert call(View, action, data, pk=pk).status_code < 300
            assert [record.levelname for record in caplog.records] == ["ERROR"] * lines
            assert "hidden" not in caplog.text
            if name.startswith("DRF_") and not name.endswith("PROVIDER"):
                assert caplog.text.count(f"hint={name} is") == lines
        assert pusher_api.calls == []
        assert Order.objects.get().customer == "Ada"

    def test_are_logged_in_a_process_that_delivers_in_the_background(
        self, settings, caplog, monkeypatch
    ):
        from drf_model_pusher.delivery import base

        monkeypatch.setattr(base, "_instances", {})
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
        settings.DRF_MODEL_PUSHER_QUEUE_SIZE = "many"
        assert call(OrderViewSet, "create", {"customer": "Ada"}).status_code == 201
        assert "DRF_MODEL_PUSHER_QUEUE_SIZE" in caplog.text


class TestPush:
    def test_tells_the_writer_if_told_so(self, memory):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                serializer.save()
                self.push("lobby", "bell.rung", {})
                self.push("lobby", "bell.rung", {}, ignore=False)

        call(View, "create", {"customer": "Ada"}, headers={"X-Pusher-Socket-Id": "1.2"})
        assert [event.socket_id for event in memory] == ["1.2", "1.2", None]

    def test_waits_for_the_database_that_it_is_told(self, memory):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                serializer.save()
                self.push("lobby", "bell.rung", {}, using="other")

        with transaction.atomic("default"):
            call(View, "create", {"customer": "Ada"}, push_creations=False)
            assert len(memory) == 1
        with transaction.atomic("other"):
            call(View, "create", {"customer": "Ada"}, push_creations=False)
            assert len(memory) == 1
        assert len(memory) == 2

    def test_to_what_is_no_list_of_names_is_an_error_that_names_the_view(self, pusher_events):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                self.push(None, "bell.rung", {})

        with pytest.raises(DeclarationError, match=r"View\.push\(\) gave None"):
            call(View, "create", {"customer": "Ada"})

    def test_pushes_anything_else_and_leaves_out_the_writer(self, pusher_api):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                self.push(["private-shop", "lobby"], "bell.rung", {"times": 3})
                serializer.save()

        headers = {"X-Pusher-Socket-Id": "1.2"}
        call(View, "create", {"customer": "Ada"}, headers=headers, push_creations=False)
        events = pusher_api.wait_for_events(1)
        assert [channel for event in events for channel in event["channels"]] == [
            "private-shop",
            "lobby",
        ]
        assert {(e["name"], e["data"]["times"], e["socket_id"]) for e in events} == {
            ("bell.rung", 3, "1.2")
        }

    def test_waits_for_the_commit(self, memory):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                self.push("lobby", "bell.rung", {})

                raise serializers.ValidationError("no")

        with transaction.atomic():
            call(View, "create", {"customer": "Ada"})
            assert memory == []
        assert [event.name for event in memory] == ["bell.rung"]


class TestIgnoringTheCurrentConnection:
    @pytest.mark.parametrize("header", ["X-Pusher-Socket-Id", "x-pusher-socket-id", "X-Socket-ID"])
    def test_the_writer_is_left_out(self, pusher_api, header):
        call(OrderViewSet, "create", {"customer": "Ada"}, headers={header: "6512.9948"})
        assert pusher_api.wait_for_events(1)[0]["socket_id"] == "6512.9948"

    def test_one_good_id_of_two_is_enough(self, memory, caplog):
        headers = {"X-Pusher-Socket-Id": "undefined", "X-Socket-ID": "6512.9948"}
        call(OrderViewSet, "create", {"customer": "Ada"}, headers=headers)
        assert [event.socket_id for event in memory] == ["6512.9948"]
        assert "malformed" in caplog.text

    def test_unless_told_otherwise(self, memory):
        class View(OrderViewSet):
            def perform_create(self, serializer):
                serializer.save()
                self.push_change("create", serializer.instance, ignore=False)

        call(View, "create", {"customer": "Ada"}, headers={"X-Pusher-Socket-Id": "6512.9948"})
        assert [event.socket_id for event in memory] == [None]

    @pytest.mark.parametrize("socket_id", ["nonsense", "1.1:presence-x", "1.1 ", "٣.٣"])
    def test_a_malformed_id_is_ignored_and_logged(self, memory, caplog, socket_id):
        headers = {"X-Pusher-Socket-Id": socket_id}
        with caplog.at_level(logging.WARNING, "drf_model_pusher"):
            response = call(OrderViewSet, "create", {"customer": "Ada"}, headers=headers)
        assert response.status_code == 201
        assert [event.socket_id for event in memory] == [None]
        assert "malformed" in caplog.text
        assert socket_id not in caplog.text


class TestTransactions:
    def test_nothing_leaves_before_the_commit(self, memory):
        with transaction.atomic():
            call(OrderViewSet, "create", {"customer": "Ada"})
            assert memory == []
        assert len(memory) == 1

    def test_a_rollback_pushes_nothing(self, memory):
        with pytest.raises(KeyError), transaction.atomic():
            call(OrderViewSet, "create", {"customer": "Ada"})
            raise KeyError
        assert memory == []

    def test_a_rolled_back_savepoint_pushes_nothing_of_its_own(self, memory):
        with transaction.atomic():
            call(OrderViewSet, "create", {"customer": "kept"})
            with pytest.raises(KeyError), transaction.atomic():
                call(OrderViewSet, "create", {"customer": "lost"})
                raise KeyError
        assert [event.json()["customer"] for event in memory] == ["kept"]

    def test_a_failed_atomic_request_pushes_nothing(self, memory, client, settings, monkeypatch):
        settings.ROOT_URLCONF = __name__
        monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
        client.raise_request_exception = False
        assert client.post("/fails/", {"customer": "Ada"}).status_code == 500
        assert (memory, Order.objects.count()) == ([], 0)
        assert client.post("/works/", {"customer": "Ada"}).status_code == 201
        assert len(memory) == 1

    def test_a_delete_that_fails_pushes_nothing(self, memory, order):
        class View(OrderViewSet):
            def perform_destroy(self, instance):
                instance.delete = self.refuse
                super().perform_destroy(instance)

            def refuse(self):
                raise KeyError

        with pytest.raises(KeyError):
            call(View, "destroy", pk=order.pk)
        assert memory == []

    def test_the_database_that_was_written_decides(self, memory):
        class View(OrderViewSet):
            queryset = Order.objects.using("other")

            def perform_create(self, serializer):
                super().perform_create(serializer)

        class Elsewhere(OrderSerializer):
            def create(self, validated_data):
                return Order.objects.using("other").create(**validated_data)

        with transaction.atomic("default"):
            pk = call(View, "create", {"customer": "Ada"}, serializer_class=Elsewhere).data["id"]
            assert len(memory) == 1  # "other" was committed already
        with transaction.atomic("other"):
            call(View, "partial_update", {"customer": "Bo"}, pk=pk)
            assert len(memory) == 1
        with transaction.atomic("other"):
            call(View, "destroy", pk=pk)
            assert len(memory) == 2
        assert [event.name for event in memory] == ["order.create", "order.update", "order.delete"]

    def test_a_deletion_waits_for_the_database_that_it_is_done_in(self, memory, settings):
        class View(OrderViewSet):
            def get_object(self):
                replica = Order.objects.using("other").get(pk=7)
                assert replica._state.db == "other"
                return replica

        for alias in ("default", "other"):
            Order.objects.using(alias).create(pk=7, customer="Ada")
        settings.DATABASE_ROUTERS = [f"{__name__}.WritesToDefault"]
        with transaction.atomic("other"):
            call(View, "destroy", pk=7)
            assert len(memory) == 1
        assert not Order.objects.using("default").exists()


class WritesToDefault:
    """A router for a replica, which is read, of a database that is written."""

    def db_for_write(self, model, **hints):
        return "default"


class TestManyModels:
    def test_models_of_one_name_in_two_apps_share_nothing(self, memory):
        class ArchivedSerializer(serializers.ModelSerializer):
            class Meta:
                model = ArchivedOrder
                fields = ["year"]

        class View(OrderViewSet):
            queryset = ArchivedOrder.objects.all()
            serializer_class = ArchivedSerializer

        call(View, "create", {"year": 1999})
        assert memory == []

    def test_the_wire_carries_no_more_than_the_serializer_renders(self, pusher_api):
        call(OrderViewSet, "create", {"customer": "Zoë"})
        pusher_api.wait_for_events(1)
        payload = json.dumps(pusher_api.events[0]["data"], ensure_ascii=False)
        assert "Zoë" in payload
        assert "reference" not in payload


class FailingViewSet(OrderViewSet):
    def perform_create(self, serializer):
        super().perform_create(serializer)
        raise RuntimeError("after the push")


urlpatterns = [
    path("fails/", FailingViewSet.as_view({"post": "create"})),
    path("works/", OrderViewSet.as_view({"post": "create"})),
]
