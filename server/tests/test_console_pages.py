"""The console over real HTTP, as its page asks and as attackers would."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from dev_server_tests.client import Client
from dev_server_tests.raw import end_of
from dev_server_tests.serving import plain_uvicorn
from pusher_dev_server.activity import Kind
from pusher_dev_server.application import LOCAL_APP, Application
from pusher_dev_server.asgi import PusherServer
from pusher_dev_server.console import feed, pages
from pusher_dev_server.testing import LocalServer

TOKEN = "0123456789abcdef"
EVENT = {"name": "e", "channel": "pub", "data": "{}"}


def ask(port, path="/", body=None, method=None, **headers):
    """Make one request; return its status, headers and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method or ("GET" if body is None else "POST"), path, skip_host=True)
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        given = {"Host": f"127.0.0.1:{port}", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in given.items():
            connection.putheader(name, value)
        if content:  # older versions of websockets take no handshake with a length, not even of 0
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


class Stream:
    """An open stream of a console, in its ``with`` block."""

    def __init__(self, port, path="/console/stream", *, app="", token="", **options):
        self._connecting = connect(f"ws://127.0.0.1:{port}{path}", **options)
        self._said = json.dumps({"app": app, "token": token})
        self._lines = []

    def __enter__(self):
        self._socket = self._connecting.__enter__()
        self._socket.send(self._said)
        return self

    def __exit__(self, *error):
        self._connecting.__exit__(*error)

    def next(self, kind):
        """Return the next line of a type."""
        while True:
            while not self._lines:
                self._lines = self._socket.recv(10).splitlines()
            line = self._lines.pop(0)
            if line and json.loads(line)["type"] == kind:
                return json.loads(line)

    def close_code(self):
        try:
            while True:
                self._socket.recv(10)
        except ConnectionClosed as closed:
            return closed.rcvd.code


class TestPage:
    def test_it_brings_its_own_files_and_lets_nothing_else_in(self, server):
        status, headers, text = ask(server.port)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'; script-src 'self';" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")
        names = re.findall(r'(?:src|href)="([^"]+)"', text)
        assert len(names) == 3
        for name in names:
            assert ask(server.port, f"/{name}")[0] == 200

    def test_no_file_holds_a_secret_an_inline_script_or_a_way_to_make_html_of_text(self, server):
        static = pages.Path(pages.__file__).parent / "static"
        texts = [file.read_text() for file in static.iterdir()]
        assert len(texts) == 9
        for text in texts:
            assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
            assert not re.search(r"<script>|<style|\sstyle=|\son\w+=\"", text)

    @pytest.mark.parametrize("path", ["/console/", "/console/console.html", "/console/../conf.py"])
    def test_other_paths_are_404(self, server, path):
        assert ask(server.port, path)[0] == 404


class TestStream:
    def test_it_tells_the_state_and_what_happens(self, server):
        with Stream(server.port) as stream, Client(server) as client:
            assert stream.next("hello")["apps"] == [{"id": "1", "key": "local-key"}]
            client.subscribe("presence-a", '{"user_id":"7","user_info":{"name":"Ada"}}')
            while stream.next("activity")["kind"] != "subscribed":
                pass
            state = stream.next("state")
            assert state["connections"]["rows"][0]["id"] == client.socket_id
            (channel,) = state["channels"]["rows"]
            assert channel["members"] == [{"id": "7", "info": '{"name":"Ada"}'}]

    def test_no_secret_and_no_signature_is_ever_on_it(self, server):
        with Stream(server.port) as stream, Client(server) as client:
            client.subscribe("private-a")
            assert ask(server.port, "/console/events", EVENT)[0] == 200
            lines = []
            while not lines or lines[-1].get("event") != "e":
                lines.append(stream.next("activity"))
        text = json.dumps(lines)
        assert server.secret not in text
        assert not re.search("[0-9a-f]{64}", text)

    def test_nobody_watches_when_no_console_is_open(self, server):
        (hub,) = server.pusher.hubs.values()
        before = list(hub.observers)
        with Stream(server.port) as stream:
            stream.next("state")
            assert len(hub.observers) == len(before) + 1
        for _ in range(100):
            if hub.observers == before:
                break
            threading.Event().wait(0.05)
        assert hub.observers == before

    def test_a_console_that_does_not_keep_up_is_told_how_much_it_missed(self, server, monkeypatch):
        monkeypatch.setattr(feed, "BACKLOG", 2)
        (hub,) = server.pusher.hubs.values()
        with Stream(server.port) as stream:
            stream.next("state")
            many = [Kind.CONNECTED] * 9
            server.pusher.loop.call_soon_threadsafe(lambda: [*map(hub.notify, many)])
            assert stream.next("skipped")["count"] == 7

    def test_consoles_are_limited(self, server, monkeypatch):
        monkeypatch.setattr(pages, "CONSOLES", 1)
        with Stream(server.port) as first:
            first.next("state")
            with Stream(server.port) as second:
                assert second.close_code() == 1013

    def test_it_ends_when_the_server_does(self):
        with LocalServer() as server, Stream(server.port) as stream:
            stream.next("state")
            threading.Thread(target=server.stop).start()
            assert stream.close_code() in (1001, 1012)

    def test_each_app_has_its_own(self):
        apps = [Application(id=name, key=f"key-{name}", secret="s") for name in "12"]
        with LocalServer(apps) as server, Stream(server.port, app="2") as stream:
            hello = stream.next("hello")
            assert (hello["app"], len(hello["apps"])) == ("2", 2)
            with Stream(server.port, app="3") as other:
                assert other.close_code() == 4404


class TestSend:
    def test_what_is_sent_reaches_subscribers(self, server):
        with Client(server) as client:
            client.subscribe("pub")
            assert ask(server.port, "/console/events", EVENT)[0] == 200
            assert client.receive("e")["data"] == "{}"

    @pytest.mark.parametrize(
        ("event", "status"),
        [
            ({**EVENT, "channel": "a b"}, 400),
            ({**EVENT, "name": "pusher:x"}, 400),
            ({**EVENT, "channel": "private-encrypted-a"}, 400),
            ({**EVENT, "data": "x" * 10_241}, 413),
            (b"\xff", 400),
            (b"[" * 100_000, 400),
        ],
    )
    def test_what_the_api_refuses_is_refused(self, server, event, status):
        assert ask(server.port, "/console/events", event)[0] == status

    def test_a_form_of_another_site_cannot_send(self, server):
        status, *_ = ask(server.port, "/console/events", EVENT, Content_Type="text/plain")
        assert status == 415

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://attacker.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Host": "attacker.example"},
            {"X_Forwarded_For": "127.0.0.1"},
        ],
    )
    def test_attackers_are_refused_and_nothing_is_sent(self, server, headers):
        status, *_ = ask(server.port, "/console/events", EVENT, **headers)
        assert (status, server.events) == (403, [])

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://attacker.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Host": "attacker.example"},
            {"Host": "attacker.example", "Origin": "http://attacker.example"},
            {"X_Forwarded_For": "127.0.0.1"},
        ],
    )
    def test_attackers_see_nothing(self, server, headers):
        key = {"Sec_WebSocket_Key": "A" * 22 + "==", "Sec_WebSocket_Version": "13"}
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", **key}
        assert ask(server.port, "/console/stream", **upgrade, **headers)[0] == 403

    @pytest.mark.parametrize("said", ["", "[]", "{", '{"app":7}', b"\xff", '{"token":"\\ud800"}'])
    def test_nonsense_ends_a_stream_or_counts_as_nothing(self, server, said):
        with connect(f"ws://127.0.0.1:{server.port}/console/stream") as socket:
            socket.send(said)
            with contextlib.suppress(ConnectionClosed):
                socket.recv(10)
        assert ask(server.port)[0] == 200


class TestToken:
    @pytest.fixture
    def port(self):
        apps = [Application(id="1", key="k", secret="s")]
        with plain_uvicorn(PusherServer(apps, console_token=TOKEN)) as port:
            yield port

    def test_it_opens_the_console_under_any_name(self, port):
        away = {"Host": "pusher.internal", "Origin": "http://pusher.internal"}
        assert ask(port, "/", Host="pusher.internal")[0] == 200
        status, *_ = ask(port, "/console/events", EVENT, Authorization=f"Bearer {TOKEN}", **away)
        assert status == 200

    @pytest.mark.parametrize("given", [{}, {"Authorization": f"Bearer {TOKEN}x"}])
    def test_without_it_nothing_is_sent(self, port, given):
        status, _, text = ask(port, "/console/events", EVENT, **given)
        assert (status, TOKEN in text) == (401, False)

    @pytest.mark.parametrize(("given", "code"), [("", 4401), (f"{TOKEN}x", 4401)])
    def test_without_it_nothing_is_seen(self, port, given, code):
        with Stream(port, token=given) as stream:
            assert stream.close_code() == code
        with Stream(port, token=TOKEN) as stream:
            stream.next("state")


async def project(scope, receive, send):
    """A project without sockets and without a lifespan, as Django is."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"the project"})


def mounted(**options):
    """Return the server on one port with the project."""
    return PusherServer([LOCAL_APP], fallback=project, fallback_has_sockets=False, **options)


class TestMounted:
    def test_it_is_off_and_the_pages_are_the_projects(self):
        with plain_uvicorn(mounted(console=None)) as port:
            for path in ("/", "/console/stream"):
                status, _, text = ask(port, path)
                assert (status, text) == (404, "the project")
            assert end_of(f"ws://127.0.0.1:{port}/console/stream")[1] == 4005

    def test_an_open_console_does_not_keep_the_projects_server_from_ending(self):
        application = mounted(console="/console-of-pusher/")
        with contextlib.ExitStack() as stack:
            with plain_uvicorn(application) as port:
                stream = Stream(port, "/console-of-pusher/console/stream")
                stack.enter_context(stream).next("state")
            assert stream.close_code() in (1001, 1012)

    def test_it_stands_where_the_project_puts_it(self):
        application = mounted(console="/tools/pusher/")
        with plain_uvicorn(application) as port:
            assert 'src="console/main.js"' in ask(port, "/tools/pusher/")[2]
            assert ask(port, "/tools/pusher")[0] == 307
            assert ask(port, "/tools/pusher/console/main.js")[0] == 200
            with Stream(port, "/tools/pusher/console/stream") as stream:
                stream.next("state")
            assert ask(port, "/")[0] == 404

    def test_a_path_without_slashes_is_a_mistake(self):
        with pytest.raises(ValueError, match="slash"):
            mounted(console="tools")
