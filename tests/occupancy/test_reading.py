import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.core.cache import caches

from drf_model_pusher.occupancy import reading, state, synchronizing
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
        assert only._sock

    @pytest.mark.parametrize(
        "options",
        [
            {"encoding": "latin-1"},
            {"decode_responses": True, "serializer": "tests.occupancy.test_reading.Words"},
            {},
        ],
    )
    def test_keys_are_spelled_as_the_cache_does(self, settings, options):
        own = {"KEY_PREFIX": settings.CACHES["default"]["KEY_PREFIX"] + "-é", "OPTIONS": options}
        settings.CACHES = {"default": settings.CACHES["default"] | own}
        record({"a": True, "b": False}, now_ms())
        assert audience(["a", "b"]) == Audience(channels=("a",))
        record({"a": False}, now_ms() + 1)
        assert not is_heard("a")

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
            found = list(
                pool.map(lambda _: reading.read_many("default", keys, stamp="s"), range(400))
            )
        assert found == [dict(zip(keys, (True, False), strict=True))] * 400


def asks(monkeypatch):
    """Return a list of what is asked of Redis from now on, over connections that there are."""
    asked, ask = [], reading._Line._ask

    def count_and_ask(line, keys, before=()):
        asked.append([*(command[0] for command in before), "MGET"])
        return ask(line, keys, before)

    monkeypatch.setattr(reading._Line, "_ask", count_and_ask)
    return asked


def elsewhere(channel, occupied, **kwargs):
    """Record a channel's state as another process does."""
    caches["default"].set_many({state.STATE + channel: occupied, state.CHANGED: True}, **kwargs)


def soon(question):
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_heard(channel):
    return bool(audience([channel]).channels)


def deaf(connection):
    """Have Redis tell a connection nothing any more, as if it were cut."""
    connection.send_command("CLIENT", "TRACKING", "OFF")
    connection.read_response()


WATCH = ["CLIENT", "GET", "MGET"]


@pytest.mark.parametrize("_cache", ["redis"], indirect=True)
class TestWhatIsKnown:
    @pytest.fixture(autouse=True)
    def _told(self, settings, monkeypatch):
        """What is seen is what Redis has told, however slow the machine is."""
        settings.CACHES = {"default": settings.CACHES["default"] | {"OPTIONS": {"protocol": 3}}}
        monkeypatch.setattr(reading, "_LASTS", 3600)
        record({"a": False, "b": False}, now_ms())
        audience(["a", "b", "unknown"])
        (line,) = reading._readers["default"][1]._idle
        if line._watched is None:
            pytest.skip("this version of redis-py tells nothing")

    def test_what_has_not_changed_is_not_asked_for_again(self, monkeypatch):
        asked = asks(monkeypatch)
        for _ in range(3):
            assert audience(["a", "b", "unknown"]) == Audience(("unknown",), unsure=True)
        assert asked == []
        assert not is_heard("a")
        assert asked == []

    def test_what_was_not_asked_for_is(self, monkeypatch):
        asked = asks(monkeypatch)
        assert audience(["a", "another"]) == Audience(("another",), unsure=True)
        assert asked == [["MGET"]]

    def test_what_another_process_records_is_seen(self, monkeypatch):
        asked = asks(monkeypatch)
        elsewhere("a", occupied=True)
        soon(lambda: is_heard("a"))
        assert asked == [WATCH]
        assert not is_heard("b")
        assert asked == [WATCH, ["MGET"]]
        elsewhere("b", occupied=True)
        soon(lambda: is_heard("b"))

    def test_what_this_process_records_is_seen_at_once(self):
        for at in range(1, 50):
            record({"a": bool(at % 2)}, now_ms() + at)
            assert is_heard("a") == bool(at % 2)

    def test_who_is_expected_is_heard(self, settings):
        settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
        record({"private-a": False}, now_ms())
        assert not is_heard("private-a")
        state.expect("private-a")
        soon(lambda: is_heard("private-a"))

    def test_a_synchronization_is_seen(self, monkeypatch):
        nobody = SimpleNamespace(occupied_channels=lambda prefix: [])
        monkeypatch.setattr(synchronizing, "get_provider", lambda: nobody)
        assert is_heard("unknown")
        synchronizing.synchronize()
        assert not is_heard("unknown")

    def test_what_changes_while_it_is_asked_for_is_not_remembered(self, monkeypatch):
        ask = reading._Line._ask

        def change_and_ask(line, keys, before=()):
            elsewhere("a", occupied=True)
            return ask(line, keys, before)

        with monkeypatch.context() as patch:
            patch.setattr(reading._Line, "_ask", change_and_ask)
            audience(["another"])  # its answer comes behind the news
        assert is_heard("a")

    def test_many_changes_leave_one_message(self, caplog):
        many = [f"c{n}" for n in range(1_500)]
        record(dict.fromkeys(many, False), now_ms())
        assert not audience(many).channels
        (connection,) = idle()
        record(dict.fromkeys(many, True), now_ms() + 1)
        assert audience(many) == Audience(tuple(many))
        assert idle() == [connection]
        assert caplog.messages == []

    def test_where_all_is_thrown_away_nothing_is_known(self, monkeypatch):
        (line,) = reading._readers["default"][1]._idle
        line._news.append([b"invalidate", None])
        asked = asks(monkeypatch)
        is_heard("a")
        assert asked == [WATCH]

    def test_a_connection_that_may_be_dead_is_trusted_for_a_moment_only(self, monkeypatch):
        (connection,) = idle()
        deaf(connection)
        elsewhere("a", occupied=True)
        assert not is_heard("a")
        monkeypatch.setattr(reading, "_LASTS", 0)
        assert is_heard("a")

    def test_a_check_of_its_health_does_not_replace_a_connection(self, settings, monkeypatch):
        patient = {"protocol": 3, "health_check_interval": 1, "retry_on_timeout": True}
        settings.CACHES = {"default": settings.CACHES["default"] | {"OPTIONS": patient}}
        audience(["a", "b"])
        (connection,) = idle()
        connection.send_command("CLIENT", "ID")
        redis.Redis.from_url(REDIS).client_kill_filter(_id=connection.read_response())
        connection.next_health_check = 0
        first = connection
        with monkeypatch.context() as patch:
            patch.setattr(reading, "_LASTS", 0)
            patch.setattr(reading._Line, "_hear", lambda line: None)
            is_heard("b")
        is_heard("a")
        (connection,) = idle()
        assert connection is not first
        elsewhere("a", occupied=True)
        soon(lambda: is_heard("a"))

    def test_answers_out_of_order_are_nobodys(self, monkeypatch, caplog):
        (connection,) = idle()
        connection.send_command("PING")
        soon(connection.can_read)
        assert is_heard("a")  # in doubt
        assert "reason=cache" in caplog.text
        assert connection._sock is None
        assert idle() == []
        assert not is_heard("a")

    def test_a_list_that_is_none_of_entries_is_nobodys(self, monkeypatch, caplog):
        (connection,) = idle()
        found = [[b"invalidate", [b"a"]], b"1", b"1"]
        monkeypatch.setattr(connection, "read_response", lambda: found)
        assert audience(["another", "a"]).channels == ("another", "a")
        assert "reason=cache" in caplog.text
        assert idle() == []

    def test_what_others_ask_for_keeps_nothing_alive(self, monkeypatch):
        (connection,) = idle()
        assert not is_heard("a")
        deaf(connection)
        elsewhere("a", occupied=True)
        monkeypatch.setattr(reading, "_LASTS", 0.5)
        asked = asks(monkeypatch)
        soon(lambda: is_heard(f"other{len(asked)}") and len(asked) > 1 and is_heard("a"))

    def test_each_tenant_has_a_stamp_of_its_own(self, settings):
        prefix, tenant = settings.CACHES["default"]["KEY_PREFIX"], ["one"]
        own = {"KEY_FUNCTION": lambda key, *others: f"{prefix}:{tenant[0]}:{key}"}
        settings.CACHES = {"default": settings.CACHES["default"] | own}
        for tenant[0] in ("one", "two"):
            record({"c": False}, now_ms())
            assert not is_heard("c")
        for tenant[0] in ("two", "one"):  # else news of one's would do for two's
            elsewhere("c", occupied=True)
            soon(lambda: is_heard("c"))

    def test_redis_remembers_one_entry_however_many_are_read(self):
        (line,) = reading._readers["default"][1]._idle
        audience([f"c{n}" for n in range(2_000)])
        stamp = caches["default"].make_key(state.CHANGED).encode()
        assert line._watched == {stamp}
        assert len(line._known) > 2_000

    def test_where_the_server_goes_away_all_connections_are_closed(self):
        reader = reading._readers["default"][1]
        reader._idle[:0] = [reading._Line(reader._make(), b"s") for _ in range(2)]
        connections = idle()
        connections[-1].send_command("CLIENT", "ID")
        redis.Redis.from_url(REDIS).client_kill_filter(_id=connections[-1].read_response())
        assert audience(["a", "another"]).channels == ("another",)
        assert [connection._sock for connection in connections] == [None] * 3
        assert len(idle()) == 1

    def test_who_is_never_told_asks_each_time(self, settings, monkeypatch):
        old = {"OPTIONS": {"protocol": 2}}
        settings.CACHES = {"default": settings.CACHES["default"] | old}
        self._asks_each_time(monkeypatch)

    @pytest.mark.parametrize("command", ["client|tracking", "client|caching", "get"])
    def test_an_account_that_may_not_be_told_asks_each_time(self, settings, monkeypatch, command):
        server, name = redis.Redis.from_url(REDIS), f"test-{uuid.uuid4().hex}"
        server.execute_command("ACL", "SETUSER", name, "on", "nopass", "~*", "+@all", f"-{command}")
        try:
            host = urlsplit(REDIS).netloc.rpartition("@")[2]
            own = {"LOCATION": urlsplit(REDIS)._replace(netloc=f"{name}:any@{host}").geturl()}
            settings.CACHES = {"default": settings.CACHES["default"] | own}
            self._asks_each_time(monkeypatch)
        finally:
            server.execute_command("ACL", "DELUSER", name)

    def _asks_each_time(self, monkeypatch):
        assert not is_heard("a")
        (connection,) = idle()
        asked = asks(monkeypatch)
        assert not is_heard("a")
        assert asked == [["MGET"]]
        elsewhere("a", occupied=True)
        assert is_heard("a")
        assert idle() == [connection]


class Words:
    """A serializer of text, as one for ``decode_responses`` must be."""

    def __init__(self, protocol=None):
        """Django's own takes the protocol of pickle."""

    dumps, loads = staticmethod(json.dumps), staticmethod(json.loads)
