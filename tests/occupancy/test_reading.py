import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from urllib.parse import urlsplit

import pytest
from django.core.cache import caches

from drf_model_pusher.occupancy import reading, state
from drf_model_pusher.occupancy.audience import Audience, audience
from drf_model_pusher.occupancy.state import record
from tests.occupied import REDIS
from tests.pusher_api import PATIENCE
from tests.webhooks.posting import now_ms

redis = pytest.importorskip("redis", reason="the Redis client is not installed")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


def idle():
    """The connections of this process that wait for the next question."""
    return [line.connection for line in reading._readers["default"][1]._idle]


def asked(monkeypatch):
    """The commands that the only connection sends from now on."""
    (connection,) = idle()
    sent, send = [], connection.send_command

    def record_and_send(name, *args):
        sent.append(name)
        send(name, *args)

    monkeypatch.setattr(connection, "send_command", record_and_send)
    return sent


def elsewhere(channel, value, **kwargs):
    """Write a channel's state as another process does."""
    caches["default"].set(state.STATE + channel, value, **kwargs)


def soon(question):
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_heard(channel):
    return bool(audience([channel]).channels)


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
                audience(["another"])
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


@pytest.mark.parametrize("_cache", ["redis"], indirect=True)
class TestWhatIsKnown:
    @pytest.fixture(autouse=True)
    def _trust(self, monkeypatch):
        """What is seen is what Redis has told, however slow the machine is."""
        monkeypatch.setattr(reading, "_TRUST", 3600)

    def test_what_has_not_changed_is_not_asked_for_again(self, monkeypatch):
        record({"a": True, "b": False}, now_ms())
        audience(["a", "b", "unknown"])
        sent = asked(monkeypatch)
        for _ in range(3):
            assert audience(["a", "b", "unknown"]) == Audience(("a", "unknown"), unsure=True)
        assert sent == []

    def test_what_another_process_changes_is_asked_for_alone(self, monkeypatch):
        record({"a": False, "b": False}, now_ms())
        assert not is_heard("a")
        assert not is_heard("b")
        sent = asked(monkeypatch)
        elsewhere("a", value=True)
        soon(lambda: is_heard("a"))
        assert sent == ["MGET"]
        assert not is_heard("b")
        assert sent == ["MGET"]

    def test_what_comes_up_goes_away_or_expires_is_a_change(self):
        audience(["a", "b"])  # a synchronization knows of neither
        elsewhere("a", value=True)
        elsewhere("b", value=False)
        soon(lambda: audience(["a", "b"]) == Audience(("a",)))
        caches["default"].delete(state.STATE + "b")
        soon(lambda: audience(["a", "b"]).unsure)
        elsewhere("a", value=False, timeout=1)
        soon(lambda: not is_heard("a"))
        soon(lambda: is_heard("a"))

    def test_what_changes_while_others_are_asked_for_is_noticed(self, monkeypatch):
        record({"a": False, "b": False}, now_ms())
        audience(["a"])
        monkeypatch.setattr(reading._Line, "_is_current", lambda line: False)
        elsewhere("a", value=True)
        audience(["b"])  # its answer comes behind the news
        (line,) = reading._readers["default"][1]._idle
        made = caches["default"].make_key(state.STATE + "a").encode()
        assert made not in line._known

    def test_where_all_is_thrown_away_nothing_is_known(self):
        record({"a": True}, now_ms())
        audience(["a"])
        (line,) = reading._readers["default"][1]._idle
        line.connection._parser.handle_push_response([b"invalidate", None])
        assert line._known == {}

    def test_what_this_process_writes_it_sees_at_once(self, monkeypatch):
        record({"a": False}, now_ms())
        assert not is_heard("a")
        deaf(idle())
        record({"a": True}, now_ms() + 1)
        assert is_heard("a")

    def test_a_connection_that_may_be_dead_is_trusted_for_a_moment_only(self, monkeypatch):
        record({"a": False}, now_ms())
        assert not is_heard("a")
        deaf(idle())
        elsewhere("a", value=True)
        assert not is_heard("a")
        monkeypatch.setattr(reading, "_TRUST", 0)
        assert is_heard("a")

    @pytest.mark.parametrize("limit", ["_MEMORY", "_USE"])
    def test_a_connection_that_redis_remembers_too_much_of_is_replaced(self, monkeypatch, limit):
        record({"a": True}, now_ms())
        audience(["a"])
        (connection,) = idle()
        monkeypatch.setattr(reading, limit, 0)
        assert is_heard("a")
        assert not connection.is_connected
        assert idle() == []

    def test_who_is_never_told_asks_each_time(self, settings, monkeypatch):
        old = {"OPTIONS": {"protocol": 2}}
        settings.CACHES = {"default": settings.CACHES["default"] | old}
        self._asks_each_time(monkeypatch)

    def test_an_account_that_may_not_be_told_asks_each_time(self, settings, monkeypatch):
        server, name = redis.Redis.from_url(REDIS), f"test-{uuid.uuid4().hex}"
        server.execute_command(
            *("ACL", "SETUSER", name, "on", "nopass", "~*", "+@all", "-client|tracking")
        )
        try:
            host = urlsplit(REDIS).netloc.rpartition("@")[2]
            own = {"LOCATION": urlsplit(REDIS)._replace(netloc=f"{name}:any@{host}").geturl()}
            settings.CACHES = {"default": settings.CACHES["default"] | own}
            self._asks_each_time(monkeypatch)
        finally:
            server.execute_command("ACL", "DELUSER", name)

    def _asks_each_time(self, monkeypatch):
        record({"a": False}, now_ms())
        assert not is_heard("a")
        sent = asked(monkeypatch)
        assert not is_heard("a")
        assert sent == ["MGET"]
        elsewhere("a", value=True)
        assert is_heard("a")


def deaf(connections):
    """Have Redis tell the connections nothing any more, as if they were cut."""
    for connection in connections:
        connection.send_command("CLIENT", "TRACKING", "OFF")
        connection.read_response()
