"""Webhooks at a real HTTP server, verified by the official library."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pusher
import pytest

from dev_server_tests.api_client import post
from dev_server_tests.client import Client
from dev_server_tests.pure import APP
from pusher_dev_server import webhooks
from pusher_dev_server.application import Limits
from pusher_dev_server.testing import LocalServer


class App(ThreadingHTTPServer):
    """The app that the webhooks are for; it refuses as often as it is told to."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.library = pusher.Pusher(APP.id, APP.key, APP.secret)
        self.refusals = 0
        self.bodies: list[bytes] = []
        self.paths: set[str] = set()
        self.changed = threading.Condition()
        self.url = f"http://127.0.0.1:{self.server_port}/webhook?from=server"

    def events(self) -> list[dict]:
        return [event for body in self.bodies for event in json.loads(body)["events"]]

    def wait_for(self, *names: str, timeout: float = 10) -> list[dict]:
        """Return the events when at least these have come, in this order."""

        def have_come() -> bool:
            came = iter(event["name"] for event in self.events())
            return all(name in came for name in names)

        with self.changed:
            assert self.changed.wait_for(have_come, timeout), self.events()
            return self.events()


class Handler(BaseHTTPRequestHandler):
    server: App

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key, signature = self.headers["X-Pusher-Key"], self.headers["X-Pusher-Signature"]
        with self.server.changed:
            self.server.paths.add(self.path)
            is_ours = self.server.library.validate_webhook(key, signature, body)
            status = 200
            if self.server.refusals:
                self.server.refusals -= 1
                status = 500
            elif not is_ours or self.headers["Content-Type"] != "application/json":
                status = 401
            self.server.bodies.append(body if status == 200 else b'{"events":[]}')
            self.server.changed.notify_all()
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def app() -> Iterator[App]:
    with App() as app:
        thread = threading.Thread(target=app.serve_forever, args=(0.01,))
        thread.start()
        yield app
        app.shutdown()
        thread.join()


@pytest.fixture
def server(app, monkeypatch) -> Iterator[LocalServer]:
    monkeypatch.setattr(webhooks, "FIRST_WAIT", 0.02)
    application = replace(APP, webhooks=(app.url,), subscription_count=True)
    with LocalServer([application], Limits(webhook_delay=0.3)) as server:
        yield server


class TestKinds:
    def test_all_seven_arrive_signed(self, app, server):
        with Client(server) as client:
            client.subscribe("presence-cache-a", '{"user_id":"1"}')
            client.receive("pusher:cache_miss")
            client.subscribe("pub")
            client.say("client-x", {"a": 1}, "presence-cache-a")
        events = app.wait_for("channel_occupied", "member_removed")
        assert {event["name"] for event in app.wait_for("channel_vacated")} >= {
            "channel_occupied",
            "channel_vacated",
            "member_added",
            "member_removed",
            "client_event",
            "cache_miss",
            "subscription_count",
        }
        (sent,) = [event for event in events if event["name"] == "client_event"]
        assert (sent["data"], sent["user_id"]) == ('{"a":1}', "1")

    def test_the_query_of_the_address_is_kept(self, app, server):
        with Client(server) as client:
            client.subscribe("pub")
            app.wait_for("channel_occupied")
        assert app.paths == {"/webhook?from=server"}


class TestBatching:
    def test_what_comes_together_is_sent_together(self, app, server):
        with Client(server) as client:
            for number in range(20):
                client.subscribe(f"cache-{number}")
                client.receive("pusher:cache_miss")
                client.receive("pusher_internal:subscription_count")
            app.wait_for(*["cache_miss"] * 20)
        assert len(app.bodies) < 20


class TestRetries:
    def test_what_is_refused_is_sent_again_and_nothing_overtakes_it(self, app, server):
        app.refusals = 3
        with Client(server) as client:
            client.subscribe("one")
            with app.changed:
                app.changed.wait_for(lambda: app.refusals < 3, 5)
            client.receive("pusher_internal:subscription_count")
            client.subscribe("two")
            events = app.wait_for("channel_occupied", "channel_occupied")
        occupied = [event["channel"] for event in events if event["name"] == "channel_occupied"]
        assert occupied == ["one", "two"]
        assert app.refusals == 0

    def test_an_app_that_is_down_does_not_disturb_the_server(self, monkeypatch, caplog):
        monkeypatch.setattr(webhooks, "FIRST_WAIT", 0.01)
        monkeypatch.setattr(webhooks, "RETRY_FOR", 0.05)
        application = replace(APP, webhooks=("http://127.0.0.1:1/",))
        with LocalServer([application]) as server, Client(server) as client:
            client.subscribe("pub")
            event = {"name": "e", "channel": "pub", "data": "{}"}
            assert post(server, "/events", event).status == 200
            client.receive("e")
            for _ in range(100):
                if "webhook_failed" in caplog.text:
                    break
                threading.Event().wait(0.05)
        assert "webhook_failed url=http://127.0.0.1:1/ reason=ConnectionRefusedError" in caplog.text
        assert APP.secret not in caplog.text


@pytest.fixture
def dripping() -> Iterator[list[socket.socket]]:
    """The connections to an app that never ends its answer; the first is where it listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections = [listener]
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not ended.wait(0.05):
                connection.sendall(b"X: y\r\n")

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threads.append(threading.Thread(target=drip, args=(connection,)))
                threads[-1].start()

    threads = [threading.Thread(target=accept)]
    threads[0].start()
    yield connections
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()


class TestDrippingAnswers:
    def url(self, dripping: list[socket.socket]) -> str:
        return f"http://127.0.0.1:{dripping[0].getsockname()[1]}/"

    def test_they_are_given_up_in_time_and_leave_no_thread(self, dripping, monkeypatch, caplog):
        monkeypatch.setattr(webhooks, "FIRST_WAIT", 0.01)
        monkeypatch.setattr(webhooks, "TIMEOUT", 0.3)
        application = replace(APP, webhooks=(self.url(dripping),))
        with LocalServer([application]) as server, Client(server) as client:
            client.subscribe("pub")
            end = time.monotonic() + 5
            while len(dripping) < 4 and time.monotonic() < end:
                time.sleep(0.01)
            assert len(dripping) >= 4
            posting = [each for each in threading.enumerate() if each.name == "pusher-webhook"]
            assert len(posting) <= 2
        assert "webhook_retry" in caplog.text

    def test_the_end_does_not_wait_for_them(self, dripping):
        with LocalServer([replace(APP, webhooks=(self.url(dripping),))]) as server:
            with Client(server) as client:
                client.subscribe("pub")
                while len(dripping) < 2:
                    time.sleep(0.01)
            start = time.monotonic()
            server.stop()
            assert time.monotonic() - start < 2


def test_what_an_address_may_hold_back_is_not_logged(monkeypatch, caplog):
    monkeypatch.setattr(webhooks, "FIRST_WAIT", 0.01)
    application = replace(APP, webhooks=("http://me:word@127.0.0.1:1/hook?token=hidden",))
    with LocalServer([application]) as server, Client(server) as client:
        client.subscribe("pub")
        end = time.monotonic() + 5
        while "webhook_retry" not in caplog.text and time.monotonic() < end:
            time.sleep(0.01)
    assert "webhook_retry url=http://127.0.0.1:1/hook in=" in caplog.text
    assert "word" not in caplog.text
    assert "hidden" not in caplog.text


class TestBody:
    def test_a_body_is_compact_json_with_the_time_in_milliseconds(self):
        body = webhooks.encode_body([{"name": "channel_occupied", "channel": "a"}], 1327078148132)
        assert body == (
            b'{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"a"}]}'
        )

    def test_the_published_vector(self):
        body = (
            b'{"time_ms":1327078148132,"events":[{"name":"channel_occupied",'
            b'"channel":"my-channel"}]}'
        )
        assert webhooks.headers(APP, body) == {
            "Content-Type": "application/json",
            "X-Pusher-Key": APP.key,
            "X-Pusher-Signature": (
                "c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf"
            ),
        }
