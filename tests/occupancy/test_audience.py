import logging
import threading

import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache

from drf_model_pusher.backends import PrivatePusherBackend, PusherBackend
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.occupancy.audience import Audience, audience, settle
from drf_model_pusher.occupancy.state import record
from drf_model_pusher.occupancy.synchronizing import synchronize
from drf_model_pusher.providers import BaseProvider
from drf_model_pusher.pushing import make_event
from tests.occupancy.lines import LineViewSet, sent, write
from tests.occupied import answer, local_cache, questions
from tests.pusher_api import PATIENCE
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer
from tests.views import call
from tests.webhooks.posting import event, hear, now_ms

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


@pytest.fixture
def trips(monkeypatch):
    """The operations of the cache, or the commands that Redis is sent."""
    made = []
    backend = type(caches["default"])
    names = ["get_many", "set", "set_many", "add", "delete"]
    if not issubclass(backend, LocMemCache):
        import redis

        backend, names = redis.connection.AbstractConnection, ["send_packed_command"]

    def counted(name, original):
        def operation(self, *args, **kwargs):
            packed = name == "send_packed_command"
            made.append(b"".join(args[0]).split(b"\r\n")[2].decode() if packed else name)
            return original(self, *args, **kwargs)

        return operation

    for name in names:
        monkeypatch.setattr(backend, name, counted(name, getattr(backend, name)))
    return made


class TestPushing:
    def test_only_occupied_channels_hear(self, api, rendered):
        answer(api, ["b", "d"])
        write("a", "b", "c", "d")
        assert sent(api) == [["b", "d"]]

    def test_nothing_is_rendered_for_nobody(self, api, rendered):
        synchronize()
        write("a", "b")
        assert (rendered, sent(api)) == ([], [])

    def test_somebody_who_comes_is_heard_of_and_who_goes_as_well(self, api, rendered):
        synchronize()
        hear(event("channel_occupied", "lines"))
        write()
        hear(event("channel_vacated", "lines"))
        write()
        assert sent(api) == [["lines"]]

    def test_views_that_push_anything_else_too(self, api):
        synchronize()
        hear(event("channel_occupied", "lobby"))

        class View(LineViewSet):
            def perform_create(self, serializer):
                serializer.save()
                self.push(["lobby", "cellar"], "bell.rung", {})
                self.push("cellar", "bell.rung", object())

        order = Order.objects.create(customer="Ada")
        call(View, "create", {"order": order.pk, "text": "tea"})
        assert sent(api) == [["lobby"]]

    def test_deletions_too(self, api, rendered):
        synchronize()
        order = Order.objects.create(customer="Ada")
        line = Line.objects.create(order=order, text="tea")
        assert call(LineViewSet, "destroy", pk=line.pk).status_code == 204
        assert (rendered, sent(api)) == ([], [])

    def test_without_the_setting_everything_is_sent_and_nobody_asked(self, api, rendered, settings):
        settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = False
        record({"lines": False}, now_ms())
        write()
        assert (sent(api), questions(api)) == ([["lines"]], [])

    def test_prefixes_are_added_before_the_look(self, api):
        class Backend(PrivatePusherBackend):
            serializer_class = LineSerializer

        synchronize()
        hear(event("channel_occupied", "private-lines"))
        write()
        assert sent(api) == [["private-lines"]]

    def test_who_looks_for_an_event_that_nobody_hears_finds_a_line_in_the_log(
        self, api, rendered, caplog
    ):
        with caplog.at_level(logging.DEBUG, "drf_model_pusher"):
            write("a", "b")  # asked about when it is to leave
            write("a")  # known not to be heard
        unheard = [line for line in caplog.messages if line.startswith("nobody listens")]
        assert unheard == ["nobody listens channels=2", "nobody listens channels=1"]

    def test_a_packet_of_ones_own_is_respected_and_filtered(self, api):
        class Backend(PusherBackend):
            serializer_class = LineSerializer

            def get_packet(self, event, instance):
                return ["mine", "yours"], "own.event", {"own": True}

        synchronize()
        hear(event("channel_occupied", "yours"))
        write()
        (pushed,) = api.calls[-1].events
        assert (pushed["channels"], pushed["name"], pushed["data"]) == (
            ["yours"],
            "own.event",
            {"own": True},
        )

    def test_a_name_that_pusher_refuses_is_logged_even_if_nobody_could_listen(
        self, api, rendered, caplog
    ):
        synchronize()
        write("li:nes")
        assert "InvalidEventError" in caplog.text
        assert "li:nes" in caplog.text

    @pytest.mark.parametrize(
        "channel", ["cache-lines", "private-cache-lines", "presence-cache-lines"]
    )
    def test_cache_channels_are_always_sent(self, api, rendered, channel):
        synchronize()
        hear(event("channel_vacated", channel))
        write("a", channel)
        assert sent(api) == [[channel]]

    def test_users_own_channels_are_always_sent(self, api, rendered):
        synchronize()
        write("#server-to-user-7")
        assert sent(api) == [["#server-to-user-7"]]

    def test_a_backend_with_a_provider_of_its_own_always_sends(self, api):
        received = []

        class Own(BaseProvider):
            def trigger(self, channels, event_name, data, socket_id=None):
                received.append(channels)

        class Backend(PusherBackend):
            serializer_class = LineSerializer
            provider_class = Own

        synchronize()
        write()
        assert received == [["lines"]]

    def test_a_provider_that_cannot_tell_always_sends(self, memory, rendered, settings):
        write()
        write()
        assert [event.channels for event in memory] == [("lines",), ("lines",)]

    def test_the_background_delivery_asks_and_the_request_does_not(self, api, rendered, settings):
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
        held = threading.Event()
        answer(api, ["b"], held=held)
        write("a")
        write("b")
        held.set()  # whoever asked in the request has given up by now, and sends both
        assert get_delivery().flush(PATIENCE)
        assert (sent(api), len(questions(api))) == ([["b"]], 1)


class TestLooking:
    def test_one_read_however_many_channels(self, api, trips):
        synchronize()
        audience(["lines.0"])  # whoever reads first connects
        trips.clear()
        audience([f"lines.{number}" for number in range(500)])
        assert trips in (["get_many"], ["MGET"])

    def test_the_state_has_the_key_of_0_2_0(self, api):
        hear(event("channel_occupied", "a"), event("channel_vacated", "b"))
        assert cache.get("drf-model-pusher:occupied:a") is True
        assert cache.get("drf-model-pusher:occupied:b") is False

    def test_the_cache_is_a_setting(self, api, settings):
        settings.CACHES = {"default": local_cache(), "channels": local_cache()}
        settings.DRF_MODEL_PUSHER_CACHE = "channels"
        hear(event("channel_occupied", "a"))
        assert caches["default"].get("drf-model-pusher:occupied:a") is None
        assert caches["channels"].get("drf-model-pusher:occupied:a") is True

    def test_order_is_kept(self, api):
        record({"c": True, "a": True}, now_ms())
        synchronize()
        assert audience(["c", "b", "a"]) == Audience(channels=("c", "a"))

    def test_nothing_known_is_a_doubt(self, api):
        assert audience(["a", "b"]) == Audience(channels=("a", "b"), unsure=True)

    def test_something_known_and_something_not_is_a_doubt(self, api):
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b", "c"]) == Audience(channels=("a", "c"), unsure=True)

    def test_what_webhooks_told_needs_no_synchronization(self, api):
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))


class TestSettling:
    def test_sure_events_pass_untouched(self, api):
        event = make_event(["a"], "e", {})
        assert settle([event]) == [event]
        assert questions(api) == []

    def test_each_unsure_event_keeps_its_place(self, api):
        answer(api, ["b"])
        sure = make_event(["a"], "sure", {})
        gone = make_event(["a"], "gone", {}, occupancy_unknown=True)
        some = make_event(["a", "b"], "some", {}, occupancy_unknown=True)
        first, second, third = settle([sure, gone, some])
        assert (first, second) == (sure, None)
        assert (third.channels, third.occupancy_unknown) == (("b",), False)
