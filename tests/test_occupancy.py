import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from rest_framework import viewsets
from rest_framework.test import APIRequestFactory

from drf_model_pusher import cache_reads, occupancy, occupancy_state
from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.authorization.subscriptions import Doorkeeper
from drf_model_pusher.backends import PrivatePusherBackend, PusherBackend
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.exceptions import InvalidEventError
from drf_model_pusher.occupancy import Audience, audience, expect, settle
from drf_model_pusher.occupancy_state import OccupancyError, record, synchronize
from drf_model_pusher.providers import BaseProvider, get_provider
from drf_model_pusher.pushing import make_event
from drf_model_pusher.views import AuthorizationView, ModelPusherViewMixin
from tests.occupied import REDIS, answer, local_cache, questions, use_cache
from tests.pusher_api import Answer
from tests.shop.models import Line, Order
from tests.shop.serializers import LineSerializer
from tests.views import call
from tests.webhooks import event, hear, now_ms

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


@pytest.fixture(params=["locmem", "redis"], autouse=True)
def _cache(request, settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    yield from use_cache(settings, request.param)


@pytest.fixture
def api(pusher_api):
    answer(pusher_api, [])
    return pusher_api


class LineViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Line.objects.all()
    serializer_class = LineSerializer
    pusher_channels = ("lines",)

    def get_pusher_channels(self):
        return list(self.pusher_channels)


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


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.fixture
def rendered(own_registry):
    """How often a backend of lines has rendered one."""
    times = []

    class Rendered(LineSerializer):
        def to_representation(self, instance):
            times.append(instance.pk)
            return super().to_representation(instance)

    class Backend(PusherBackend):
        serializer_class = Rendered

    return times


def write(*channels):
    """Create a line through the API, which is pushed to the channels."""
    order = Order.objects.create(customer="Ada")
    view = type("View", (LineViewSet,), {"pusher_channels": channels or ("lines",)})
    assert call(view, "create", {"order": order.pk, "text": "tea"}).status_code == 201


def sent(api):
    """The channels of each event that was sent."""
    return [
        event["channels"] for call in api.calls if call.method == "POST" for event in call.events
    ]


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

    def test_a_name_that_pusher_refuses_is_loud_even_if_nobody_could_listen(self, api, rendered):
        synchronize()
        with pytest.raises(InvalidEventError, match="li:nes"):
            write("li:nes")

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
        answer(api, ["b"], delay=0.3)
        started = time.monotonic()
        write("a")
        write("b")
        assert time.monotonic() - started < 0.25
        assert get_delivery().flush(5)
        assert (sent(api), len(questions(api))) == ([["b"]], 1)


class TestLooking:
    def test_one_read_however_many_channels(self, api, trips):
        synchronize()
        audience(["lines.0"])  # whoever reads first connects
        trips.clear()
        audience([f"lines.{number}" for number in range(500)])
        assert trips in (["get_many"], ["MGET"])

    def test_servers_of_which_one_is_chosen_are_left_to_django(self, api, settings, request):
        if "redis" not in request.node.callspec.id:
            pytest.skip("about Redis")
        settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": [REDIS, REDIS]}}
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_a_pool_that_is_not_redis_pys_own_lends_its_connections_itself(
        self, api, settings, request
    ):
        if "redis" not in request.node.callspec.id:
            pytest.skip("about Redis")
        pool = {"pool_class": "redis.BlockingConnectionPool", "max_connections": 1}
        settings.CACHES = {"default": settings.CACHES["default"] | {"OPTIONS": pool}}
        record({"a": True, "b": False}, now_ms())
        (only,) = caches["default"]._cache.get_client().connection_pool._connections
        only.disconnect()
        assert audience(["a", "b"]) == Audience(channels=("a",))
        assert only.is_connected

    def test_keys_are_spelled_as_the_cache_does(self, api, settings, request):
        if "redis" not in request.node.callspec.id:
            pytest.skip("about Redis")
        own = {"KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"] + "-é"}
        own["OPTIONS"] = {"encoding": "latin-1"}
        settings.CACHES = {"default": settings.CACHES["default"] | own}
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_where_django_keeps_its_connections_elsewhere_it_reads_itself(self, api, monkeypatch):
        record({"a": True, "b": False}, now_ms())
        monkeypatch.setattr(cache_reads, "RedisCacheClient", object())
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_a_connection_that_redis_has_closed_is_replaced(self, api, request):
        if "redis" not in request.node.callspec.id:
            pytest.skip("about Redis")
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))
        (connection,) = cache_reads._readers[caches["default"]]._idle
        connection.send_command("CLIENT", "ID")
        import redis

        redis.Redis.from_url(REDIS).client_kill_filter(_id=connection.read_response())
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_a_forked_child_asks_over_a_connection_of_its_own(self, api, request):
        if "redis" not in request.node.callspec.id:
            pytest.skip("about Redis")
        record({"a": True, "b": False}, now_ms())
        audience(["a", "b"])
        (connection,) = cache_reads._readers[caches["default"]]._idle
        child = os.fork()
        if not child:
            right = audience(["a", "b"]) == Audience(channels=("a",))
            (own,) = cache_reads._readers[caches["default"]]._idle
            os._exit(0 if right and own is not connection else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert audience(["a", "b"]) == Audience(channels=("a",))
        assert cache_reads._readers[caches["default"]]._idle == [connection]

    def test_an_answer_that_is_not_awaited_is_read_by_nobody_else(self, api, monkeypatch, request):
        if "redis" not in request.node.callspec.id:
            pytest.skip("about Redis")
        record({"a": True, "b": False}, now_ms())
        audience(["a", "b"])
        (connection,) = cache_reads._readers[caches["default"]]._idle
        with monkeypatch.context() as patch:
            patch.setattr(connection, "read_response", interrupted)
            with pytest.raises(KeyboardInterrupt):
                audience(["b"])
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_threads_that_share_a_cache_share_no_connection(self, api):
        record({"a": True, "b": False}, now_ms())
        shared = caches["default"]
        with ThreadPoolExecutor(8) as pool:
            keys = [occupancy_state.STATE + name for name in "ab"]
            found = list(pool.map(lambda _: cache_reads.read_many(shared, keys), range(400)))
        assert found == [dict(zip(keys, (True, False), strict=True))] * 400

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


class TestSynchronization:
    def test_one_question_for_all_unknown_channels(self, api, rendered):
        answer(api, ["lines.7"])
        for number in range(200):
            write(f"lines.{number}")
        assert len(questions(api)) == 1
        assert sent(api) == [["lines.7"]]

    def test_a_channel_that_was_never_occupied_asks_once(self, api, rendered):
        for _ in range(5):
            write("nowhere")
        assert len(questions(api)) == 1

    def test_concurrent_first_pushes_ask_once(self, api):
        answer(api, [], delay=0.1)
        barrier = threading.Barrier(20)
        event = make_event(["a"], "e", {}, unsure=True)

        def push():
            barrier.wait()
            settle([event])

        threads = [threading.Thread(target=push) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(questions(api)) == 1

    def test_who_comes_second_sends_in_doubt(self, api):
        cache.add("drf-model-pusher:synchronizing", True)
        event = make_event(["a"], "e", {}, unsure=True)
        assert [left.channels for left in settle([event])] == [("a",)]
        assert questions(api) == []

    def test_asks_again_when_it_has_aged(self, api, rendered, settings):
        settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE = 1
        write("a")
        answer(api, ["a"])
        write("a")
        time.sleep(1.1)
        write("a")
        assert (len(questions(api)), sent(api)) == (2, [["a"]])

    def test_a_lost_webhook_does_harm_until_then_and_no_longer(self, api, settings):
        settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE = 1
        hear(event("channel_vacated", "a"))
        synchronize()
        assert audience(["a"]).channels == ()
        time.sleep(1.1)
        assert audience(["a"]).unsure

    def test_a_channel_seen_occupied_outlives_one_that_meets_its_reload(self, api, settings):
        settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE = 1
        hear(event("channel_occupied", "a"))
        time.sleep(1.1)
        synchronize()
        assert audience(["a"]) == Audience(channels=("a",))

    def test_a_webhook_that_comes_meanwhile_is_not_overridden(self, api, monkeypatch):
        def answered_before_and_heard_after(prefix="", attributes=()):
            hear(event("channel_occupied", "a"))
            return {}

        monkeypatch.setattr(get_provider(), "occupied_channels", answered_before_and_heard_after)
        synchronize()
        assert audience(["a"]).channels == ("a",)

    def test_believes_in_doubt_that_a_channel_is_occupied(self, api):
        fast = now_ms(5)  # Pusher's clock may be ahead of ours
        hear(event("channel_vacated", "a"), time_ms=fast)
        answer(api, ["a"])
        synchronize()
        assert audience(["a"]).channels == ("a",)
        hear(event("channel_vacated", "a"), time_ms=fast)
        assert audience(["a"]).channels == ("a",)

    def test_asks_only_for_the_kind_that_the_project_pushes_to(self, api, monkeypatch):
        class Backend(PrivatePusherBackend):
            serializer_class = LineSerializer

        monkeypatch.setattr(occupancy_state, "registry", [Backend])
        settle([make_event(["private-a"], "e", {}, unsure=True)])
        assert questions(api)[0].query["filter_by_prefix"] == "private-"
        assert audience(["private-b"]).channels == ()
        assert audience(["b"]) == Audience(channels=("b",), unsure=True)
        settle([make_event(["b"], "e", {}, unsure=True)])
        assert "filter_by_prefix" not in questions(api)[1].query
        assert audience(["b", "private-b"]).channels == ()

    def test_many_channels_are_written_in_few_trips(self, api, monkeypatch):
        answer(api, [f"lines.{number}" for number in range(2_500)])
        trips = []
        backend = type(caches["default"])
        original = backend.set_many
        monkeypatch.setattr(
            backend, "set_many", lambda *args, **kw: trips.append(1) or original(*args, **kw)
        )
        assert synchronize() == 2_500
        assert len(trips) <= 12
        assert audience(["lines.2499", "lines.2500"]).channels == ("lines.2499",)


class TestFailures:
    @pytest.fixture
    def broken(self):
        """Cache operations that fail."""

        def fail(*args, **kwargs):
            raise ConnectionError("no cache")

        patch = pytest.MonkeyPatch()

        def breaks(*names):
            if not names and not isinstance(caches["default"], LocMemCache):
                patch.setattr("redis.connection.AbstractConnection.send_command", fail)
            for name in names or ("get", "get_many", "set", "set_many", "add", "delete"):
                patch.setattr(type(caches["default"]), name, fail)

        yield breaks
        patch.undo()  # before the cache is emptied

    def test_without_the_cache_everything_is_sent_and_it_is_logged(
        self, api, rendered, broken, caplog
    ):
        broken()
        write()
        assert (sent(api), questions(api)) == ([["lines"]], [])
        assert "occupancy unknown reason=cache error=ConnectionError" in caplog.text

    def test_a_cache_that_fails_before_the_synchronization_sends_too(self, api, rendered, broken):
        broken("add")
        write()
        assert sent(api) == [["lines"]]

    @pytest.mark.parametrize(
        "wrong",
        [
            Answer(status=500, body=b"{}"),
            Answer(status=401, body=b"no"),
            Answer(status=429, body=b"{}"),
            Answer(body=b"<html>"),
            Answer(body=b"[]"),
            Answer(body=b'{"channels":5}'),
            Answer(body=b'{"error":"unknown app","code":404}'),
            Answer(reset=True),
        ],
        ids=repr,
    )
    def test_if_pusher_cannot_tell_everything_is_sent_and_it_is_logged(
        self, api, rendered, wrong, caplog
    ):
        api.script.append(wrong)
        with caplog.at_level(logging.WARNING, "drf_model_pusher"):
            write()
        assert sent(api) == [["lines"]]
        assert "synchronization failed" in caplog.text

    def test_pusher_is_not_asked_again_for_every_event_when_it_fails(self, api, rendered):
        api.script.append(Answer(status=500, body=b"{}"))
        for _ in range(5):
            write()
        assert (len(questions(api)), len(sent(api))) == (1, 5)

    def test_reverbs_empty_list_is_no_failure(self, api, rendered):
        api.default = Answer(body=b'{"channels":[]}')
        write()
        assert sent(api) == []

    def test_without_the_cache_nobody_is_refused(self, api, broken, caplog):
        broken()
        expect("private-a")
        assert "subscriber not expected" in caplog.text

    def test_without_the_setting_authorization_leaves_no_trace(self, api, settings):
        settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = False
        expect("private-a")
        assert cache.get("drf-model-pusher:expected:private-a") is None

    def test_a_webhook_that_cannot_be_remembered_is_sent_again(self, api, broken):
        broken("set_many")
        from tests.webhooks import body_of, post

        assert post(body_of(event("channel_occupied", "a"))).status_code == 500

    def test_an_entry_that_the_cache_did_not_take_is_a_failure(self, api, monkeypatch):
        monkeypatch.setattr(type(caches["default"]), "set_many", lambda *args, **kw: ["key"])
        answer(api, ["a"])
        with pytest.raises(OccupancyError, match="did not take"):
            synchronize()
        assert audience(["b"]).unsure


class TestRaces:
    def test_an_older_webhook_never_overrides_a_newer_one(self, api):
        at = now_ms()
        record({"a": True, "b": False}, at)
        record({"a": False, "b": True}, at - 1)
        synchronize()
        assert audience(["a", "b"]).channels == ("a",)

    def test_a_late_webhook_is_known_to_be_late_when_the_state_itself_has_aged(self, api, settings):
        settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE = 1
        at = now_ms()
        record({"a": False}, at)
        time.sleep(1.1)
        record({"a": True}, at - 1)
        synchronize()
        assert audience(["a"]).channels == ()

    def test_of_one_millisecond_occupied_is_believed_in_any_order(self, api):
        at = now_ms()
        record({"a": True}, at)
        record({"a": False}, at)
        record({"b": False}, at)
        record({"b": True}, at)
        assert audience(["a", "b"]).channels == ("a", "b")

    def test_a_webhook_that_comes_twice_changes_nothing(self, api):
        at = now_ms(-5)
        hear(event("channel_occupied", "a"), time_ms=at)
        hear(event("channel_vacated", "a"), time_ms=at + 1000)
        hear(event("channel_occupied", "a"), time_ms=at)
        assert audience(["a"]).channels == ()

    def test_of_one_webhook_the_last_word_counts(self, api):
        hear(event("channel_occupied", "a"), event("channel_vacated", "a"))
        hear(event("channel_vacated", "b"), event("channel_occupied", "b"))
        assert audience(["a", "b"]).channels == ("b",)

    def test_news_that_were_held_back_do_not_undo_what_a_synchronization_saw(self, api):
        answer(api, ["a"])
        left = now_ms(-3)
        synchronize()
        hear(event("channel_vacated", "a"), time_ms=left)
        assert audience(["a"]).channels == ("a",)

    def test_a_subscriber_between_look_and_send_hears_the_next_event(self, api, rendered):
        synchronize()
        write()
        hear(event("channel_occupied", "lines"))
        write()
        assert len(sent(api)) == 1

    def test_a_subscriber_who_comes_while_it_is_unsure_hears_this_one(self, api):
        unsure = make_event(["a"], "e", {}, unsure=audience(["a"]).unsure)
        hear(event("channel_occupied", "a"))
        assert [left.channels for left in settle([unsure])] == [("a",)]

    def test_who_is_authorized_hears_what_happens_before_the_webhook(self, api, rendered):
        synchronize()
        hear(event("channel_vacated", "private-a"))
        expect("private-a")
        write("private-a", "private-b")
        assert sent(api) == [["private-a"]]

    @pytest.mark.parametrize("granted", [True, False])
    def test_the_endpoint_expects_whom_it_lets_in_and_nobody_else(self, api, monkeypatch, granted):
        def admit(self, socket_id, channel):
            if not granted:
                raise Refused("no")
            return {"auth": "key:signature"}

        monkeypatch.setattr(Doorkeeper, "admit", admit)
        asked = {"socket_id": "1.2", "channel_name": "private-a"}
        AuthorizationView.as_view()(APIRequestFactory().post("/", asked))
        synchronize()
        assert (audience(["private-a"]).channels == ("private-a",)) is granted

    def test_who_is_authorized_and_never_comes_is_not_waited_for(self, api, monkeypatch):
        monkeypatch.setattr(occupancy, "_ARRIVAL", 1)
        synchronize()
        expect("private-a")
        assert audience(["private-a"]).channels == ("private-a",)
        time.sleep(1.1)
        assert audience(["private-a"]).channels == ()

    def test_webhooks_of_many_threads_leave_the_newest_word(self, api):
        at = now_ms(-50)
        words = [({"a": number % 2 == 0}, at + number) for number in range(41)]

        def tell(word):
            record(*word)
            caches.close_all()

        threads = [threading.Thread(target=tell, args=(word,)) for word in reversed(words)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert audience(["a"]) == Audience(channels=("a",))

    def test_who_does_not_get_a_turn_fails_and_pusher_sends_again(self, api, monkeypatch):
        monkeypatch.setattr(occupancy_state, "_TURN", 0.05)
        cache.add("drf-model-pusher:recording", True)
        with pytest.raises(OccupancyError, match="too long"):
            record({"a": True}, now_ms())

    def test_a_process_that_died_while_writing_holds_nobody_up_for_long(self, api, monkeypatch):
        monkeypatch.setattr(occupancy_state, "_RECORDING_LASTS", 1)
        cache.add("drf-model-pusher:recording", True, timeout=1)
        record({"a": True}, now_ms())
        assert audience(["a"]).channels == ("a",)


class TestSettling:
    def test_sure_events_pass_untouched(self, api):
        event = make_event(["a"], "e", {})
        assert settle([event]) == [event]
        assert questions(api) == []

    def test_each_unsure_event_keeps_its_place(self, api):
        answer(api, ["b"])
        sure = make_event(["a"], "sure", {})
        gone = make_event(["a"], "gone", {}, unsure=True)
        some = make_event(["a", "b"], "some", {}, unsure=True)
        first, second, third = settle([sure, gone, some])
        assert (first, second) == (sure, None)
        assert (third.channels, third.unsure) == (("b",), False)
