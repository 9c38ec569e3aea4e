import threading
import time

import pytest
from django.core.cache import cache, caches
from rest_framework.test import APIRequestFactory

from drf_model_pusher.authorization.authorizer import ChannelAuthorizer
from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.occupancy import state
from drf_model_pusher.occupancy.audience import Audience, audience, settle
from drf_model_pusher.occupancy.state import OccupancyError, expect, record
from drf_model_pusher.occupancy.synchronizing import synchronize
from drf_model_pusher.pushing import make_event
from drf_model_pusher.views import AuthorizationView
from tests.occupancy.lines import sent, write
from tests.occupied import answer
from tests.webhooks.posting import event, hear, now_ms

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


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
        unsure = make_event(["a"], "e", {}, occupancy_unknown=audience(["a"]).unsure)
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

        monkeypatch.setattr(ChannelAuthorizer, "authorize", admit)
        asked = {"socket_id": "1.2", "channel_name": "private-a"}
        AuthorizationView.as_view()(APIRequestFactory().post("/", asked))
        synchronize()
        assert (audience(["private-a"]).channels == ("private-a",)) is granted

    def test_who_is_authorized_and_never_comes_is_not_waited_for(self, api, monkeypatch):
        monkeypatch.setattr(state, "_ARRIVAL", 1)
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
        monkeypatch.setattr(state, "_TURN", 0.05)
        cache.add("drf-model-pusher:recording", True)
        with pytest.raises(OccupancyError, match="too long"):
            record({"a": True}, now_ms())

    def test_a_process_that_died_while_writing_holds_nobody_up_for_long(self, api, monkeypatch):
        monkeypatch.setattr(state, "_RECORDING_LASTS", 1)
        cache.add("drf-model-pusher:recording", True, timeout=1)
        record({"a": True}, now_ms())
        assert audience(["a"]).channels == ("a",)
