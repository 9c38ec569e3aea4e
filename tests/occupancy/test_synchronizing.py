import threading
import time
from types import SimpleNamespace

import pytest
from django.core.cache import cache, caches

from drf_model_pusher.backends import PrivatePusherBackend
from drf_model_pusher.occupancy import synchronizing
from drf_model_pusher.occupancy.audience import Audience, audience, settle
from drf_model_pusher.occupancy.synchronizing import synchronize
from drf_model_pusher.providers import get_provider
from drf_model_pusher.pushing import make_event
from tests.occupancy.lines import sent, write
from tests.occupied import answer, questions
from tests.shop.serializers import LineSerializer
from tests.webhooks.posting import event, hear, now_ms

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


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
        event = make_event(["a"], "e", {}, occupancy_unknown=True)

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
        event = make_event(["a"], "e", {}, occupancy_unknown=True)
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

    def test_a_clock_that_is_set_back_meanwhile_makes_that_no_longer(
        self, api, settings, monkeypatch
    ):
        settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE = 1
        readings = iter([time.time(), time.time() - 3600])
        clock = SimpleNamespace(time=lambda: next(readings), monotonic=time.monotonic)
        monkeypatch.setattr(synchronizing, "time", clock)
        synchronize()
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

        monkeypatch.setattr(synchronizing, "registry", [Backend])
        settle([make_event(["private-a"], "e", {}, occupancy_unknown=True)])
        assert questions(api)[0].query["filter_by_prefix"] == "private-"
        assert audience(["private-b"]).channels == ()
        assert audience(["b"]) == Audience(channels=("b",), unsure=True)
        settle([make_event(["b"], "e", {}, occupancy_unknown=True)])
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
        assert len(trips) <= 7
        assert audience(["lines.2499", "lines.2500"]).channels == ("lines.2499",)
