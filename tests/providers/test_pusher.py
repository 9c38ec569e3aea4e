import gc
import gzip
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
import weakref
from contextlib import ExitStack, suppress

import pytest
from pusher.crypto import generate_shared_secret

from drf_model_pusher.events import PusherEvent, request_size, wire_size
from drf_model_pusher.exceptions import ProviderError, SettingError
from drf_model_pusher.providers import PusherProvider, get_provider
from tests.pusher_api import Answer, PusherApi

MASTER_KEY = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="


@pytest.fixture
def provider(pusher_api):
    return get_provider(PusherProvider)


def event(**fields):
    return PusherEvent(**{"channels": ("orders",), "name": "order.update", "data": "{}"} | fields)


class TestTrigger:
    def test_one_event_for_several_channels_is_one_call(self, provider, pusher_api):
        provider.trigger(["a", "b"], "hello", {"word": "Zoë"}, "1.2")
        (call,) = pusher_api.calls
        assert (call.method, call.path, call.signed) == ("POST", "/apps/3/events", True)
        assert call.json == {
            "name": "hello",
            "channels": ["a", "b"],
            "data": '{"word":"Zoë"}',
            "socket_id": "1.2",
        }


class TestWithoutConfigure:
    """As in 0.2.0."""

    def test_one_that_was_just_made_sends(self, pusher_api):
        PusherProvider().trigger(["a"], "hello", {"n": 1})
        (call,) = pusher_api.calls
        assert (call.json["data"], call.signed) == ('{"n":1}', True)

    def test_the_official_client_is_there(self, pusher_api):
        PusherProvider().client.trigger("a", "hello", {"word": "Zoë"})
        (call,) = pusher_api.calls
        assert (call.json["channels"], call.signed) == (["a"], True)

    def test_settings_that_make_no_client_are_found_before_the_first_event(self, settings):
        settings.PUSHER_APP_ID = "my-app"
        with pytest.raises(ValueError, match="Invalid app id"):
            get_provider(PusherProvider)


class TestBody:
    def test_what_is_not_ascii_is_not_escaped(self, provider, pusher_api):
        provider.send([event(data=json.dumps("订" * 1_000, ensure_ascii=False))])
        (call,) = pusher_api.calls
        assert len(call.body) < 3_200
        assert (call.signed, call.events[0]["data"]) == (True, "订" * 1_000)

    def test_half_a_character_travels(self, provider, pusher_api):
        provider.trigger(["a"], "hello", "\ud800 é")
        assert pusher_api.events[0]["data"] == "\ud800 é"


class TestPath:
    @pytest.mark.parametrize("path", ["/ws", "ws", "/ws/", "deep/ws"])
    def test_it_stands_before_all_and_is_signed(self, settings, path):
        prefix = "/" + path.strip("/")
        settings.PUSHER_PATH = path
        with PusherApi(key=settings.PUSHER_KEY, secret=settings.PUSHER_SECRET) as api:
            settings.PUSHER_HOST, settings.PUSHER_PORT = "127.0.0.1", api.port
            settings.PUSHER_SSL = False
            api.default = Answer(body=b'{"channels":{}}')
            provider = get_provider(PusherProvider)
            provider.send([event()])
            provider.occupied_channels("private-")
            provider.client.trigger("a", "hello", {})
            paths = [(call.path, call.signed) for call in api.calls]
            address = provider.transport.address
        assert paths == [
            (f"{prefix}/apps/3/events", True),
            (f"{prefix}/apps/3/channels", True),
            (f"{prefix}/apps/3/events", True),
        ]
        assert address == f"http://127.0.0.1:{api.port}{prefix}"

    @pytest.mark.parametrize("wrong", ["/w s", "http://ws", "/ws?a", "/ä", 7.5])
    def test_what_is_none_is_a_wrong_setting(self, settings, wrong):
        settings.PUSHER_PATH = wrong
        with pytest.raises(SettingError, match="PUSHER_PATH"):
            get_provider(PusherProvider)


class TestLimitOfTheRequest:
    """As Laravel Reverb counts it: the whole body, quotes escaped."""

    @pytest.fixture
    def api(self, pusher_api, settings):
        settings.DRF_MODEL_PUSHER_MAX_REQUEST_BYTES = 10_000
        return pusher_api

    def test_batches_are_cut_to_fit(self, provider, api):
        provider.send([event(data=json.dumps("x" * 1_500)) for _ in range(25)])
        assert max(len(call.body) for call in api.calls) <= 10_000
        assert [len(call.events) for call in api.calls] == [6, 6, 6, 6, 1]

    def test_many_long_channels_are_cut_to_fit(self, provider, api):
        channels = tuple(f"orders.{n:03}{'x' * 150}" for n in range(100))
        provider.send([event(channels=channels, data=json.dumps("x" * 2_000))])
        assert max(len(call.body) for call in api.calls) <= 10_000
        assert [name for call in api.calls for name in call.events[0]["channels"]] == [*channels]

    def test_what_has_left_of_a_cut_event_is_known(self, provider, api):
        channels = tuple(f"orders.{n:03}{'x' * 150}" for n in range(100))
        api.script.extend([Answer(), Answer(status=500)])
        with pytest.raises(ProviderError) as caught:
            provider.send([event(channels=channels)])
        served = api.calls[0].events[0]["channels"]
        assert caught.value.partial.channels == channels[len(served) :]

    @pytest.mark.parametrize("channels", [("a",), ("private-encrypted-a",)])
    @pytest.mark.parametrize("data", ['[{"id":1,"n":"ab"}]', '"订"', '"\\ud800"'])
    def test_the_size_is_counted_to_the_byte(self, api, settings, channels, data):
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = MASTER_KEY
        one = event(channels=channels, data=data, socket_id="1.2")
        get_provider(PusherProvider).send([one])
        assert len(api.calls[0].body) == request_size(one)


class TestSend:
    def test_a_batch_carries_each_items_own_socket_id(self, provider, pusher_api):
        provider.send([event(socket_id="1.1"), event(name="other")])
        (call,) = pusher_api.calls
        assert call.path == "/apps/3/batch_events"
        assert call.json["batch"] == [
            {"channel": "orders", "name": "order.update", "data": "{}", "socket_id": "1.1"},
            {"channel": "orders", "name": "other", "data": "{}"},
        ]

    def test_data_that_the_library_measures_wrongly_passes(self, provider, pusher_api):
        """It counts bytes of Python's memory, not of the wire: 10,200 are refused as too many."""
        text = json.dumps("a" * 10_200)
        provider.send([event(data=text), event(data=text)])
        assert [event["data"] for event in pusher_api.events] == ["a" * 10_200] * 2

    def test_the_limit_may_be_raised_above_the_librarys_own(self, provider, pusher_api):
        provider.send([event(data=json.dumps("a" * 200_000))])
        assert len(pusher_api.events[0]["data"]) == 200_000


class TestEncryption:
    @pytest.fixture
    def provider(self, pusher_api, settings):
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = MASTER_KEY
        return get_provider(PusherProvider)

    def decrypt(self, channel, box):
        import base64

        import nacl.secret

        secret = generate_shared_secret(channel.encode(), base64.b64decode(MASTER_KEY))
        text = nacl.secret.SecretBox(secret).decrypt(
            base64.b64decode(box["ciphertext"]), base64.b64decode(box["nonce"])
        )
        return json.loads(text)

    def test_a_retry_encrypts_the_plain_text_again(self, provider, pusher_api):
        """The library encrypts in place, so that its retries carry a cipher of a cipher."""
        channels = ("private-encrypted-a", "private-encrypted-b")
        secret = event(channels=channels, data='{"to":"nobody"}')
        provider.send([secret])
        provider.send([secret])
        boxes = [(e["channels"][0], e["data"]) for e in pusher_api.events]
        assert [self.decrypt(*box) for box in boxes] == [{"to": "nobody"}] * 4
        assert len({box["nonce"] for _, box in boxes}) == 4
        assert b"nobody" not in pusher_api.calls[0].body

    def test_the_size_on_the_wire_is_known_beforehand(self, provider, pusher_api):
        for length in range(20):
            secret = event(channels=("private-encrypted-a",), data="x" * length)
            provider.send([secret])
            assert wire_size(secret) == len(pusher_api.calls[-1].json["data"])

    def test_without_a_master_key_the_error_names_the_setting(self, pusher_api):
        with pytest.raises(ProviderError, match="PUSHER_ENCRYPTION_MASTER_KEY_BASE64"):
            get_provider(PusherProvider).send([event(channels=("private-encrypted-a",))])
        assert pusher_api.calls == []


class TestRequest:
    def test_a_get_is_signed_without_the_md5_of_nothing(self, provider, pusher_api):
        """Reverb drops it before it verifies, so a signature over it is refused there."""
        pusher_api.default = Answer(body=b'{"channels":{}}')
        params = {"filter_by_prefix": "presence-a&b", "info": "user_count"}
        assert provider.request("GET", "channels", params) == {"channels": {}}
        (call,) = pusher_api.calls
        assert call.signed
        assert "body_md5" not in call.query
        assert call.query["filter_by_prefix"] == "presence-a&b"

    def test_retry_after_may_be_a_date(self, provider, pusher_api):
        date = "Wed, 21 Oct 2099 07:28:00 GMT"
        pusher_api.default = Answer(status=503, headers={"Retry-After": date})
        with pytest.raises(ProviderError) as caught:
            provider.request("GET", "channels")
        assert caught.value.retry_after > 1_000_000
        assert (caught.value.status, caught.value.retryable) == (503, True)

    @pytest.mark.parametrize("value", ["soon", "-5", "", "\xb2", "1 Jan 99999999999999 00:00:00"])
    def test_a_retry_after_that_means_nothing_is_ignored(self, provider, pusher_api, value):
        pusher_api.default = Answer(status=503, headers={"Retry-After": value})
        with pytest.raises(ProviderError) as caught:
            provider.request("GET", "channels")
        assert caught.value.retry_after is None

    def test_a_retry_after_beyond_all_waits_can_be_waited_for(self, provider, pusher_api):
        pusher_api.default = Answer(status=503, headers={"Retry-After": "9" * 400})
        with pytest.raises(ProviderError) as caught:
            provider.request("GET", "channels")
        assert caught.value.retry_after == threading.TIMEOUT_MAX

    @pytest.mark.parametrize(
        ("status", "retryable"),
        [(400, False), (408, True), (413, False), (422, False), (429, True), (500, True)],
    )
    def test_what_a_status_says_about_a_retry(self, provider, pusher_api, status, retryable):
        pusher_api.default = Answer(status=status, body=b'{"your payload":\n1}' + b"x" * 300)
        with pytest.raises(ProviderError) as caught:
            provider.request("POST", "events", {})
        assert (caught.value.status, caught.value.retryable) == (status, retryable)
        assert str(caught.value) == f"the service answered {status}"
        assert caught.value.detail.startswith('{"your payload":\n1}xxx')
        assert len(caught.value.detail) == 200

    @pytest.mark.parametrize(
        ("body", "status", "retryable"),
        [
            ('{"error":"","code":500}', 500, True),
            ('{"error":"busy","code":"429"}', 429, True),
            ('{"error":"no","code":"\u00b2\u00b2\u00b2"}', 400, False),
            ('{"error":"no","code":true}', 400, False),
            ('{"error":"no","code":200}', 400, False),
            ('{"error":{}}', 400, False),
        ],
    )
    def test_an_error_in_a_200_is_one(self, provider, pusher_api, body, status, retryable):
        pusher_api.default = Answer(body=body.encode())
        with pytest.raises(ProviderError) as caught:
            provider.request("POST", "events", {})
        assert (caught.value.status, caught.value.retryable) == (status, retryable)
        assert str(caught.value) == f"the service answered {status}"

    def test_an_error_that_is_null_is_none(self, provider, pusher_api):
        pusher_api.default = Answer(body=b'{"error":null}')
        assert provider.request("POST", "events", {}) == {"error": None}

    @pytest.mark.parametrize("body", [b"<p>proxy", b"\xff", b"[" * 200_000])
    def test_an_answer_that_is_no_json(self, provider, pusher_api, body):
        pusher_api.default = Answer(body=body)
        with pytest.raises(ProviderError) as caught:
            provider.request("POST", "events", {})
        assert (str(caught.value), caught.value.retryable) == ("the answer is not JSON", True)

    def test_redirects_are_not_followed(self, provider, pusher_api):
        pusher_api.default = Answer(status=302, headers={"Location": "/elsewhere"})
        with pytest.raises(ProviderError, match="302"):
            provider.request("POST", "events", {})
        assert len(pusher_api.calls) == 1


class TestWriting:
    def test_head_and_body_are_written_together(self, settings):
        settings.PUSHER_HOST, settings.PUSHER_SSL = "127.0.0.1", False
        with socket.create_server(("127.0.0.1", 0)) as server:
            settings.PUSHER_PORT = server.getsockname()[1]
            sender = threading.Thread(target=get_provider(PusherProvider).send, args=[[event()]])
            sender.start()
            connection, _ = server.accept()
            with connection:
                head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            sender.join()
        assert head.startswith(b"POST /apps/3/events?")
        assert json.loads(body)["name"] == "order.update"


@pytest.fixture
def raw_server(settings):
    """A server that answers each request on one connection with bytes that a test writes."""
    settings.PUSHER_HOST, settings.PUSHER_SSL = "127.0.0.1", False
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as ends:
        settings.PUSHER_PORT = server.getsockname()[1]

        def serve(*answers):
            def run():
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    for answer in answers:
                        connection.recv(65_536)
                        for piece in answer:
                            connection.sendall(piece)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            ends.callback(thread.join, 10)

        yield serve


def test_a_host_may_be_an_address_of_ipv6(settings):
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    settings.PUSHER_HOST, settings.PUSHER_SSL = "[::1]", False
    settings.PUSHER_PORT = server.getsockname()[1]

    def answer():
        connection, _ = server.accept()
        with connection:
            heads.append(connection.recv(65_536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    heads = []
    with server:
        thread = threading.Thread(target=answer)
        thread.start()
        get_provider(PusherProvider).send([event()])
        thread.join()
    assert f"Host: [::1]:{settings.PUSHER_PORT}\r\n".encode() in heads[0]


def drips(start, drop):
    yield start
    while True:
        time.sleep(0.05)
        yield drop


class TestBounds:
    @pytest.mark.parametrize(
        ("start", "drop"),
        [
            (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" "),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ],
    )
    def test_a_server_that_drips_is_given_up_after_the_time_out(
        self, raw_server, settings, start, drop
    ):
        settings.PUSHER_TIMEOUT = 0.3
        raw_server(drips(start, drop))
        provider = get_provider(PusherProvider)
        started = time.monotonic()
        with pytest.raises(ProviderError, match="ReadTimeoutError") as caught:
            provider.send([event()])
        assert caught.value.retryable
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize("head", [b"", b"Content-Length: 99999999\r\n"])
    def test_an_answer_without_end_is_not_read_to_its_end(self, raw_server, head):
        written = []
        answer = drips(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", b" " * 65_536)
        raw_server(written.append(piece) or piece for piece in answer)
        with pytest.raises(ProviderError, match="the answer is too long") as caught:
            get_provider(PusherProvider).send([event()])
        assert caught.value.retryable
        assert sum(map(len, written)) < 2_000_000

    def test_what_is_compressed_is_not_unpacked(self, raw_server, monkeypatch):
        """A few kilobytes may be gigabytes."""
        bomb = gzip.compress(b" " * 50_000_000)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        raw_server(iter([head.encode() + bomb]))
        provider = get_provider(PusherProvider)
        tracemalloc.start()
        with pytest.raises(ProviderError, match="the answer is not JSON"):
            provider.send([event()])
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 2_000_000

    def test_nobody_is_asked_to_compress(self, provider, pusher_api):
        provider.send([event()])
        assert pusher_api.calls[0].headers["Accept-Encoding"] == "identity"

    def test_a_refusal_is_known_by_its_status_however_long_it_is(self, provider, pusher_api):
        pusher_api.script.append(Answer(status=413, body=b"<p>" * 200_000))
        with pytest.raises(ProviderError, match="the service answered 413") as caught:
            provider.send([event()])
        assert (caught.value.status, len(caught.value.detail)) == (413, 200)

    def test_a_list_of_many_channels_is_read(self, provider, pusher_api):
        names = {f"private-orders.{n}.lines": {} for n in range(20_000)}
        pusher_api.script.append(Answer(body=json.dumps({"channels": names}).encode()))
        assert len(provider.occupied_channels()) == 20_000
        provider.send([event()])
        assert pusher_api.connections == 1

    def test_a_slow_answer_leaves_the_next_call_its_whole_time(self, raw_server, settings):
        settings.PUSHER_TIMEOUT = 5
        head, body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}"
        raw_server(iter([head[:9], head[9:], body]), iter([head + body]))
        provider = get_provider(PusherProvider)
        provider.send([event()])
        connection = provider.client._pusher_client.http._get_pool().pool.queue[-1]
        assert connection.sock.gettimeout() == 5
        provider.send([event()])


class TestTerminateUser:
    def test_an_id_that_needs_nothing_stays_as_it_is(self, provider, pusher_api):
        provider.terminate_user("Ada_=@,.;-7")
        assert pusher_api.calls[0].path == "/apps/3/users/Ada_=@,.;-7/terminate_connections"
        assert pusher_api.calls[0].signed

    def test_an_id_cannot_lead_elsewhere(self, provider, pusher_api):
        provider.terminate_user("a/../../x?y=1#z%2F")
        (call,) = pusher_api.calls
        escaped = "a%2F..%2F..%2Fx%3Fy%3D1%23z%252F".replace("%3D", "=")
        assert call.path == f"/apps/3/users/{escaped}/terminate_connections"
        assert "y" not in call.query
        assert call.signed

    @pytest.mark.parametrize("user_id", ["", ".", ".."])
    def test_one_that_no_escape_helps_is_refused(self, provider, pusher_api, user_id):
        with pytest.raises(ProviderError, match="user id") as caught:
            provider.terminate_user(user_id)
        assert not caught.value.retryable
        assert pusher_api.calls == []


PROGRAM = """
import os, signal, threading, time
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["drf_model_pusher"], PUSHER_APP_ID="3", PUSHER_KEY={key!r},
    PUSHER_SECRET={secret!r}, PUSHER_HOST="127.0.0.1", PUSHER_PORT={port}, PUSHER_SSL=False,
)
django.setup()
from drf_model_pusher.providers import get_provider
from drf_model_pusher.providers import transport

def push(name):
    get_provider().trigger(["c"], name, {{}})

def in_child(call, *args):
    pid = os.fork()
    if not pid:
        signal.alarm(10)
        try:
            call(*args)
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

{body}
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
class TestForks:
    def run(self, api, settings, body):
        program = PROGRAM.format(
            key=settings.PUSHER_KEY,
            secret=settings.PUSHER_SECRET,
            port=api.port,
            body=textwrap.dedent(body),
        )
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
        assert subprocess.run(command, timeout=30).returncode == 0

    def test_a_child_has_a_connection_of_its_own(self, pusher_api, settings):
        body = """
            push("parent")
            in_child(lambda: (push("child"), push("child")))
            push("parent")
        """
        self.run(pusher_api, settings, body)
        names = [event["name"] for event in pusher_api.events]
        assert names == ["parent", "child", "child", "parent"]
        first, second, third, fourth = [call.client for call in pusher_api.calls]
        assert (first, second) == (fourth, third)
        assert first != second
        assert pusher_api.connections == 2

    def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have(self, pusher_api, settings):
        body = """
            get_provider()
            make_pool, entered = transport.make_pool, threading.Event()

            def slow(*args):
                entered.set()
                time.sleep(1)
                return make_pool(*args)

            transport.make_pool = slow
            thread = threading.Thread(target=push, args=("parent",))
            thread.start()
            entered.wait()
            in_child(push, "child")
            thread.join()
        """
        self.run(pusher_api, settings, body)
        names = sorted(event["name"] for event in pusher_api.events)
        assert names == ["child", "parent"]

    def test_a_child_does_not_wait_for_a_connection_that_another_thread_takes(
        self, pusher_api, settings
    ):
        body = """
            pools, make_pool = [], transport.make_pool

            def kept(*args):
                pools.append(make_pool(*args))
                return pools[-1]

            transport.make_pool = kept
            push("parent")
            pools[0].pool.mutex.acquire()  # as a thread does at any moment
            in_child(lambda: (pools.clear(), push("child")))
        """
        self.run(pusher_api, settings, body)
        assert [event["name"] for event in pusher_api.events] == ["parent", "child"]

    def test_what_a_thread_imports_for_its_first_push_is_whole_in_a_child(
        self, pusher_api, settings
    ):
        body = """
            import sys
            entered = threading.Event()

            class Finder:
                def find_spec(name, path=None, target=None):
                    if name == "pusher.http":  # in the midst of importing pusher
                        entered.set()
                        time.sleep(0.5)

            for name in [name for name in sys.modules if name.partition(".")[0] == "pusher"]:
                del sys.modules[name]
            sys.meta_path.insert(0, Finder)
            thread = threading.Thread(target=push, args=("parent",))
            thread.start()
            entered.wait()
            in_child(push, "child")
            thread.join()
        """
        self.run(pusher_api, settings, body)
        names = sorted(event["name"] for event in pusher_api.events)
        assert names == ["child", "parent"]

    def test_a_transport_is_forgotten_with_its_last_user(self):
        from drf_model_pusher.providers.transport import Transport

        transport = Transport(None)
        reference = weakref.ref(transport)
        del transport
        gc.collect()
        assert reference() is None


@pytest.fixture
def all_by_proxy(monkeypatch):
    """An environment that excludes no host from its proxies."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


class TestProxy:
    @pytest.fixture
    def elsewhere(self, all_by_proxy, pusher_api, settings):
        """A service that only a proxy could reach."""
        settings.PUSHER_HOST, settings.PUSHER_PORT = "pusher.invalid", 80

    @pytest.mark.usefixtures("elsewhere")
    def test_the_environments_is_used(self, pusher_api, monkeypatch):
        monkeypatch.setenv("http_proxy", f"http://Ada:p%40ss@127.0.0.1:{pusher_api.port}")
        get_provider(PusherProvider).trigger(["a"], "hello", {})
        (call,) = pusher_api.calls
        assert call.signed
        assert call.headers["Host"].startswith("pusher.invalid")
        assert call.headers["Proxy-Authorization"] == "Basic QWRhOnBAc3M="

    @pytest.mark.usefixtures("elsewhere")
    def test_may_lack_its_scheme(self, pusher_api, monkeypatch):
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{pusher_api.port}")
        get_provider(PusherProvider).trigger(["a"], "hello", {})
        assert len(pusher_api.calls) == 1

    @pytest.mark.parametrize("excluded", ["127.0.0.1", "127.0.0.1:{port}"])
    def test_but_not_for_hosts_that_it_excludes(self, pusher_api, monkeypatch, excluded):
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", excluded.format(port=pusher_api.port))
        get_provider(PusherProvider).trigger(["a"], "hello", {})
        assert len(pusher_api.calls) == 1


class TestTls:
    def test_any_error_of_the_system_is_an_error_of_the_provider(
        self, pusher_api, settings, monkeypatch
    ):
        def where():
            raise FileNotFoundError("cacert.pem")

        monkeypatch.setattr("certifi.where", where)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.delenv(name, raising=False)
        settings.PUSHER_SSL = True
        with pytest.raises(ProviderError, match=r"^FileNotFoundError at 127\.0\.0\.1:") as caught:
            get_provider(PusherProvider).trigger(["a"], "hello", {})
        assert caught.value.retryable

    @pytest.mark.usefixtures("all_by_proxy")
    @pytest.mark.parametrize("proxy", [None, "https://127.0.0.1:{port}"])
    def test_an_authority_whose_file_has_gone_is_an_error_of_the_provider(
        self, pusher_api, settings, monkeypatch, tmp_path, proxy
    ):
        if proxy:
            monkeypatch.setenv("https_proxy", proxy.format(port=pusher_api.port))
        settings.PUSHER_SSL = True
        bundle = tmp_path / "authorities.pem"
        bundle.touch()
        settings.PUSHER_CA_BUNDLE = str(bundle)
        provider = get_provider(PusherProvider)
        bundle.unlink()
        with pytest.raises(ProviderError, match=f"Error at 127.0.0.1:{pusher_api.port}$") as caught:
            provider.trigger(["a"], "hello", {})
        assert caught.value.retryable

    def test_a_private_authority_is_trusted_if_the_setting_names_it(self, settings, tmp_path):
        import ssl
        import threading
        from http.server import BaseHTTPRequestHandler, HTTPServer

        authority, certificate = self.certificates(tmp_path)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass

        class Server(HTTPServer):
            def handle_error(self, *args):
                pass

        server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        settings.PUSHER_HOST, settings.PUSHER_PORT = "127.0.0.1", str(server.server_port)
        settings.PUSHER_SSL = True
        try:
            with pytest.raises(ProviderError, match="SSLError"):
                get_provider(PusherProvider).trigger(["a"], "hello", {})
            settings.PUSHER_CA_BUNDLE = str(authority)
            get_provider(PusherProvider).trigger(["a"], "hello", {})
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def certificates(self, folder):
        """Return the paths of an authority's certificate, and of a key and certificate from it."""
        import datetime
        import ipaddress

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID

        def name(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        def build(subject, public_key, signer, *extensions):
            now = datetime.datetime.now(datetime.timezone.utc)
            builder = (
                x509.CertificateBuilder()
                .subject_name(name(subject))
                .issuer_name(name("authority"))
                .public_key(public_key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1))
                .not_valid_after(now + datetime.timedelta(days=1))
            )
            for extension in extensions:
                critical = isinstance(extension, (x509.BasicConstraints, x509.KeyUsage))
                builder = builder.add_extension(extension, critical=critical)
            return builder.sign(signer, hashes.SHA256())

        signer, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        identifier = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
        own = build(
            "authority",
            signer.public_key(),
            signer,
            x509.BasicConstraints(ca=True, path_length=None),
            usage,
            identifier,
        )
        served = build(
            "server",
            key.public_key(),
            signer,
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
        )
        pem = serialization.Encoding.PEM
        authority, certificate = folder / "authority.pem", folder / "server.pem"
        authority.write_bytes(own.public_bytes(pem))
        private = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        certificate.write_bytes(private + served.public_bytes(pem))
        return authority, certificate
