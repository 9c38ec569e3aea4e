import datetime
import decimal
import json
import uuid

import pytest
from django.utils.translation import gettext_lazy
from rest_framework import serializers, viewsets
from rest_framework.renderers import JSONRenderer

from drf_model_pusher.backends import PresencePusherBackend, PrivatePusherBackend, PusherBackend
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.providers import BaseProvider
from drf_model_pusher.registry import registry
from drf_model_pusher.views import ModelPusherViewMixin
from tests.pusher_api import Answer
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer, OrderForStaffSerializer, OrderSerializer
from tests.views import call

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


class LineViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Line.objects.all()
    serializer_class = LineSerializer

    def get_pusher_channels(self):
        return ["lines"]


@pytest.fixture
def order():
    return Order.objects.create(customer="Ada")


def create_line(order):
    return call(LineViewSet, "create", {"order": order.pk, "text": "tea"}).data


class TestDeclaration:
    def test_a_serializer_class_is_enough(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

        line = create_line(order)
        assert [(e.channels, e.name, e.json()) for e in memory] == [
            (("lines",), "line.create", line)
        ]

    def test_a_model_alone_uses_the_serializer_of_the_view(self, memory, order):
        class Backend(PusherBackend):
            class Meta:
                model = Line

        assert create_line(order) == memory[0].json()

    def test_neither_is_an_error_that_names_the_class(self):
        with pytest.raises(DeclarationError, match=r"Empty.*serializer_class.*abstract"):

            class Empty(PusherBackend):
                pass

    def test_a_serializer_without_a_model_is_an_error(self):
        class Plain(serializers.Serializer):
            pass

        with pytest.raises(DeclarationError, match="names no model"):

            class Backend(PusherBackend):
                serializer_class = Plain

    def test_a_model_by_its_name_is_an_error(self):
        with pytest.raises(DeclarationError, match=r"Backend has 'shop.Line' for a model: write"):

            class Backend(PusherBackend):
                class Meta:
                    model = "shop.Line"

    def test_abstract_is_not_registered(self):
        class Base(PusherBackend):
            serializer_class = LineSerializer

            class Meta:
                abstract = True

        assert registry.backends_for(Line) == []

    def test_abstract_false_is_registered(self):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

            class Meta:
                abstract = False

        assert registry.backends_for(Line) == [Backend]

    def test_a_child_of_an_abstract_backend_is_registered(self):
        class Base(PusherBackend):
            class Meta:
                abstract = True

        class Backend(Base):
            class Meta:
                model = Line

        assert registry.backends_for(Line) == [Backend]

    def test_a_child_inherits_the_model(self):
        class Base(PusherBackend):
            class Meta:
                abstract = True
                model = Line

        class Backend(Base):
            pass

        assert registry.backends_for(Line) == [Backend]

    def test_unregister_forgets_a_backend(self):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

        registry.unregister(Backend)
        assert registry.backends_for(Line) == []


class TestPrefixes:
    @pytest.mark.parametrize(
        ("base", "prefix"),
        [(PrivatePusherBackend, "private-"), (PresencePusherBackend, "presence-")],
    )
    @pytest.mark.parametrize("given", ["room", "{prefix}room"])
    def test_is_really_added_and_once(self, memory, order, base, prefix, given):
        class Backend(base):
            serializer_class = LineSerializer

            def get_channels(self, instance=None):
                return [given.format(prefix=prefix)]

        create_line(order)
        assert memory[0].channels == (prefix + "room",)

    def test_two_spellings_of_one_channel_are_one(self, memory, order):
        class Backend(PrivatePusherBackend):
            serializer_class = LineSerializer
            channels = ["room", "private-room"]

        create_line(order)
        assert memory[0].channels == ("private-room",)

    def test_holds_for_packets_of_ones_own(self, memory, order):
        class Backend(PrivatePusherBackend):
            serializer_class = LineSerializer

            def get_packet(self, event, instance):
                return ["room"], "secret", {}

        create_line(order)
        assert memory[0].channels == ("private-room",)

    def test_get_packet_gives_full_names(self, order):
        class Backend(PrivatePusherBackend):
            serializer_class = LineSerializer
            channels = ["room"]

        line = Line.objects.create(order=order, text="tea")
        assert Backend().get_packet("create", line) == (
            ["private-room"],
            "line.create",
            LineSerializer(line).data,
        )


class TestSeveralBackends:
    def test_each_pushes_with_its_own_serializer(self, memory, order):
        class ForAll(PusherBackend):
            serializer_class = OrderSerializer
            channels = ["orders"]

        class ForStaff(PrivatePusherBackend):
            serializer_class = OrderForStaffSerializer
            channels = ["orders"]

        for backend in (ForAll, ForStaff):
            backend().push_change("update", order)
        public, private = memory
        assert (public.channels, private.channels) == (("orders",), ("private-orders",))
        assert set(public.json()) == {"id", "customer", "total"}
        assert set(private.json()) == {"id", "reference", "customer", "total", "placed"}


class TestHooks:
    """Each documented hook is reached through self."""

    def test_get_event_name(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

            def get_event_name(self, event):
                return f"basket-{event}"

        create_line(order)
        assert memory[0].name == "basket-create"

    def test_get_channels_is_given_the_instance(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

            def get_channels(self, instance=None):
                return [f"order.{instance.order_id}"]

        create_line(order)
        assert memory[0].channels == (f"order.{order.pk}",)

    def test_channels_are_templates(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer
            channels = ["lines.{pk}", "customers.{order__customer}"]

        line = create_line(order)
        assert memory[0].channels == (f"lines.{line['id']}", "customers.Ada")

    def test_get_serializer_class(self, memory, order):
        class Short(serializers.ModelSerializer):
            class Meta:
                model = Line
                fields = ["text"]

        class Backend(PusherBackend):
            serializer_class = LineSerializer

            def get_serializer_class(self):
                return Short

        create_line(order)
        assert memory[0].json() == {"text": "tea"}

    def test_get_serializer_context_is_the_views(self, memory, order):
        class WithPath(serializers.ModelSerializer):
            path = serializers.SerializerMethodField()

            class Meta:
                model = Line
                fields = ["path"]

            def get_path(self, line):
                return self.context["request"].path + self.context["extra"]

        class Backend(PusherBackend):
            serializer_class = WithPath

            def get_serializer_context(self):
                return super().get_serializer_context() | {"extra": "!"}

        create_line(order)
        assert memory[0].json() == {"path": "/!"}

    def test_provider_class(self, memory, order):
        received = []

        class Own(BaseProvider):
            def trigger(self, channels, event_name, data, socket_id=None):
                received.append((channels, event_name, data["text"], socket_id))

        class Backend(PusherBackend):
            serializer_class = LineSerializer
            provider_class = Own

        create_line(order)
        assert received == [(["lines"], "line.create", "tea", None)]
        assert memory == []

    def test_provider_class_may_be_a_path(self, memory, order, capsys):
        class Backend(PusherBackend):
            serializer_class = LineSerializer
            provider_class = "drf_model_pusher.providers.ConsoleProvider"

        create_line(order)
        assert "line.create" in capsys.readouterr().out
        assert memory == []

    def test_without_view_and_channels_the_error_names_the_backend(self, order, pusher_events):
        class Lonely(PusherBackend):
            serializer_class = OrderSerializer

        with pytest.raises(DeclarationError, match=r"Lonely has no channels"):
            Lonely().push_change("update", order)

    def test_channels_that_are_no_names_are_an_error_that_names_who_gave_them(
        self, order, pusher_events
    ):
        class Vague(PusherBackend):
            serializer_class = OrderSerializer

            def get_channels(self, instance=None):
                return [7]

        class Packed(Vague):
            def get_packet(self, event, instance):
                return None, "order.update", {}

        with pytest.raises(DeclarationError, match=r"Vague\.get_channels\(\) gave \[7\]"):
            Vague().push_change("update", order)
        with pytest.raises(DeclarationError, match=r"Packed\.get_packet\(\) gave None"):
            Packed().push_change("update", order)

    def test_an_init_of_ones_own_need_not_call_ours(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer
            channels = ["lines"]

            def __init__(self, view):
                self.mine = view

        line = create_line(order)
        call(LineViewSet, "destroy", pk=line["id"])
        assert [event.name for event in memory] == ["line.create", "line.delete"]

    @pytest.mark.parametrize("error", [KeyError, OSError, RecursionError])
    def test_a_send_of_ones_own_may_raise_anything(self, order, error, caplog):
        class Own(BaseProvider):
            def trigger(self, channels, event_name, data, socket_id=None):
                """Not used."""

            def send(self, events):
                raise error("secret")

        class Backend(PusherBackend):
            serializer_class = LineSerializer
            provider_class = Own

        assert create_line(order)["text"] == "tea"
        assert error.__name__ in caplog.text
        assert "secret" not in caplog.text


class ProxyOfLine(Line):
    class Meta:
        proxy = True
        app_label = "shop"


class TestProxies:
    def test_are_pushed_by_the_backends_of_the_concrete_model(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer
            conflate = True

        class View(LineViewSet):
            queryset = ProxyOfLine.objects.all()

        line = create_line(order)
        call(View, "partial_update", {"text": "milk"}, pk=line["id"])
        call(View, "destroy", pk=line["id"])
        assert [event.name for event in memory] == ["line.create", "line.update", "line.delete"]
        assert {event.subject for event in memory} == {f"shop.line:{line['id']}"}
        assert len({event.conflation_key for event in memory}) == 1

    def test_with_backends_of_their_own_are_pushed_by_those(self):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

        class OfProxy(PusherBackend):
            class Meta:
                model = ProxyOfLine

        assert registry.backends_for(ProxyOfLine) == [OfProxy]
        assert registry.backends_for(Line) == [Backend]


class TestWithoutView:
    def test_disabled_does_no_work(self, memory, settings, order):
        class Backend(PusherBackend):
            serializer_class = OrderSerializer

            def get_channels(self, instance=None):
                raise AssertionError("work was done")

        settings.DRF_MODEL_PUSHER_DISABLED = True
        Backend().push_change("update", order)
        assert memory == []

    def test_a_wrong_setting_is_logged(self, memory, settings, order, caplog):
        class Backend(PusherBackend):
            serializer_class = OrderSerializer
            channels = ["orders"]

        settings.DRF_MODEL_PUSHER_DISABLED = "no"
        Backend().push_change("update", order)
        assert memory == []
        assert "DRF_MODEL_PUSHER_DISABLED" in caplog.text


class TestConflation:
    def test_a_backend_that_says_so_sends_the_net_effect_of_what_waits(
        self, pusher_api, settings, order
    ):
        class Backend(PusherBackend):
            serializer_class = LineSerializer
            conflate = True

        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
        pusher_api.script.append(Answer(delay=0.5))
        first = create_line(order)
        pusher_api.wait_for_calls(1)
        second = create_line(order)
        for text in ("milk", "sugar"):
            for line in (first, second):
                call(LineViewSet, "partial_update", {"text": text}, pk=line["id"])
        events = pusher_api.wait_for_events(3)
        assert get_delivery().flush(10)
        assert [(e["name"], e["data"]["id"], e["data"]["text"]) for e in events] == [
            ("line.create", first["id"], "tea"),
            ("line.create", second["id"], "sugar"),
            ("line.update", first["id"], "sugar"),
        ]

    def test_another_backend_keeps_each_event(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

        create_line(order)
        assert memory[0].conflation_key is None


class TestData:
    def test_knows_what_drf_responses_know(self, pusher_api, order):
        data = {
            "when": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
            "total": decimal.Decimal("1.10"),
            "reference": uuid.UUID(int=7),
            "label": gettext_lazy("Yes"),
            "word": "Zoë ☃",
        }

        class Odd(serializers.BaseSerializer):
            def to_representation(self, instance):
                return data

        class Backend(PusherBackend):
            serializer_class = Odd

            class Meta:
                model = Line

        create_line(order)
        assert pusher_api.wait_for_events(1)[0]["data"] == json.loads(JSONRenderer().render(data))

    def test_what_json_cannot_carry_is_a_loud_error_in_tests(self, pusher_events, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

            def get_packet(self, event, instance):
                return ["lines"], "line.create", {"value": float("nan")}

        with pytest.raises(ValueError, match="JSON"):
            create_line(order)

    @pytest.mark.parametrize("size", [1, 3_000])
    def test_half_a_character_travels_as_an_escape(self, pusher_api, order, size):
        class Halved(serializers.ModelSerializer):
            text = serializers.SerializerMethodField()

            class Meta:
                model = Line
                fields = ["id", "text"]

            def get_text(self, line):
                return "\ud83d" + "☃" * size

        class Backend(PusherBackend):
            serializer_class = Halved

        line = Line.objects.create(order=order, text="tea")
        assert call(LineViewSet, "destroy", pk=line.pk).status_code == 204
        assert not Line.objects.exists()
        (event,) = pusher_api.wait_for_events(1)
        assert event["data"] == {"id": line.pk, "text": "\ud83d" + "☃" * size}
        assert rb"\\ud83d" in pusher_api.calls[0].body

    def test_the_event_knows_its_object(self, memory, order):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

        line = create_line(order)
        assert memory[0].subject == f"shop.line:{line['id']}"
