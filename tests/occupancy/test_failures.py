import logging

import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache

from drf_model_pusher.occupancy.audience import audience
from drf_model_pusher.occupancy.state import OccupancyError, expect
from drf_model_pusher.occupancy.synchronizing import synchronize
from tests.occupancy.lines import sent, write
from tests.occupied import answer, questions
from tests.pusher_api import Answer
from tests.webhooks.posting import event

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


class TestFailures:
    @pytest.fixture
    def broken(self):
        """Cache operations that fail."""

        def fail(*args, **kwargs):
            raise ConnectionError("no cache")

        patch = pytest.MonkeyPatch()

        def breaks(*names):
            if not names and not isinstance(caches["default"], LocMemCache):
                patch.setattr("redis.connection.AbstractConnection.send_packed_command", fail)
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
        from tests.webhooks.posting import body_of, post

        assert post(body_of(event("channel_occupied", "a"))).status_code == 500

    def test_an_entry_that_the_cache_did_not_take_is_a_failure(self, api, monkeypatch):
        monkeypatch.setattr(type(caches["default"]), "set_many", lambda *args, **kw: ["key"])
        answer(api, ["a"])
        with pytest.raises(OccupancyError, match="did not take"):
            synchronize()
        assert audience(["b"]).unsure
