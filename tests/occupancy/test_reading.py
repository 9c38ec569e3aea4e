import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

import pytest
from django.core.cache import caches

from drf_model_pusher.occupancy import reading, state
from drf_model_pusher.occupancy.audience import Audience, audience
from drf_model_pusher.occupancy.state import record
from tests.occupied import REDIS
from tests.webhooks.posting import now_ms

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


def idle():
    """The connections of this process that wait for the next question."""
    return reading._readers["default"][1]._idle


def interrupted(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("_cache", ["redis"], indirect=True)
class TestRedis:
    def test_servers_of_which_one_is_chosen_are_left_to_django(self, settings):
        settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": [REDIS, REDIS]}}
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_a_pool_that_is_not_redis_pys_own_lends_its_connections_itself(self, settings):
        pool = {"pool_class": "redis.BlockingConnectionPool", "max_connections": 1}
        settings.CACHES = {"default": settings.CACHES["default"] | {"OPTIONS": pool}}
        record({"a": True, "b": False}, now_ms())
        (only,) = caches["default"]._cache.get_client().connection_pool._connections
        only.disconnect()
        assert audience(["a", "b"]) == Audience(channels=("a",))
        assert only.is_connected

    def test_keys_are_spelled_as_the_cache_does(self, settings):
        own = {"KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"] + "-é"}
        own["OPTIONS"] = {"encoding": "latin-1"}
        settings.CACHES = {"default": settings.CACHES["default"] | own}
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_a_key_may_be_spelled_anew_for_each_tenant(self, settings):
        prefix, tenants = settings.CACHES["default"]["KEY_PREFIX"], ["a"]
        own = {"KEY_FUNCTION": lambda key, *others: f"{prefix}:{tenants[-1]}:{key}"}
        settings.CACHES = {"default": settings.CACHES["default"] | own}
        record({"c": True}, now_ms())
        assert audience(["c"]) == Audience(channels=("c",))
        tenants.append("b")
        record({"c": False}, now_ms())
        assert audience(["c"]) == Audience(channels=())

    def test_where_django_keeps_its_connections_elsewhere_it_reads_itself(self, monkeypatch):
        record({"a": True, "b": False}, now_ms())
        monkeypatch.setattr(reading, "RedisCacheClient", object())
        monkeypatch.setattr(reading, "_readers", {})
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_a_connection_that_redis_has_closed_is_replaced(self):
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))
        (connection,) = idle()
        connection.send_command("CLIENT", "ID")
        import redis

        redis.Redis.from_url(REDIS).client_kill_filter(_id=connection.read_response())
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_a_forked_child_asks_over_a_connection_of_its_own(self):
        record({"a": True, "b": False}, now_ms())
        audience(["a", "b"])
        (connection,) = idle()
        child = os.fork()
        if not child:
            right = audience(["a", "b"]) == Audience(channels=("a",))
            (own,) = idle()
            os._exit(0 if right and own is not connection else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert audience(["a", "b"]) == Audience(channels=("a",))
        assert idle() == [connection]

    def test_an_answer_that_is_not_awaited_is_read_by_nobody_else(self, monkeypatch):
        record({"a": True, "b": False}, now_ms())
        audience(["a", "b"])
        (connection,) = idle()
        with monkeypatch.context() as patch:
            patch.setattr(connection, "read_response", interrupted)
            with pytest.raises(KeyboardInterrupt):
                audience(["b"])
        assert audience(["a", "b"]) == Audience(channels=("a",))

    def test_caches_that_live_for_a_request_leave_it_their_connection(self):
        record({"a": True, "b": False}, now_ms())
        for _ in range(3):  # each with caches of its own, as tasks of an event loop have
            assert Context().run(audience, ["a", "b"]) == Audience(channels=("a",))
        assert len(idle()) == 1

    def test_threads_that_share_a_cache_share_no_connection(self):
        record({"a": True, "b": False}, now_ms())
        with ThreadPoolExecutor(8) as pool:
            keys = [state.STATE + name for name in "ab"]
            found = list(pool.map(lambda _: reading.read_many("default", keys), range(400)))
        assert found == [dict(zip(keys, (True, False), strict=True))] * 400
