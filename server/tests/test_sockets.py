"""The WebSocket side over real sockets: codes, time-outs, clients that do not read."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

from dev_server_tests.api_client import post
from dev_server_tests.client import Client
from dev_server_tests.raw import end_of, frame, handshake
from pusher_dev_server import protocol, runner, uvicorn_protocols, writers
from pusher_dev_server.activity import Kind
from pusher_dev_server.application import Application, Limits
from pusher_dev_server.signatures import sign
from pusher_dev_server.testing import LocalServer

EMPTY_PONG = frame(0x8A, b"")


@contextlib.contextmanager
def opened(server: LocalServer) -> Iterator[socket.socket]:
    """Yield a WebSocket without a library around it, greeted."""
    with socket.create_connection((server.host, server.port), 10) as raw:
        raw.sendall(handshake(server.ws_url))
        read = b""
        while b"connection_established" not in read or not read.endswith(b"}"):
            read += raw.recv(65_536)
        yield raw


class TestRefusals:
    @pytest.mark.parametrize(
        ("address", "code"),
        [
            ("/app/unknown?protocol=7", 4001),
            ("/app/?protocol=7", 4001),
            ("/", 4005),
            ("/application/KEY?protocol=7", 4005),
            ("/app/KEY?protocol=7&version=new", 4006),
            ("/app/KEY?protocol=7&version=", 4006),
            ("/app/KEY?protocol=4", 4007),
            ("/app/KEY?protocol=%FF", 4007),
            ("/app/KEY", 4008),
        ],
    )
    def test_an_address_that_leads_nowhere_is_told_why(self, server, address, code):
        url = server.url.replace("http", "ws") + address.replace("KEY", server.key)
        frames, closed = end_of(url)
        assert closed == code
        (error,) = frames
        assert (error["event"], error["data"]["code"]) == ("pusher:error", code)

    def test_a_disabled_app_is_4003(self):
        with LocalServer([Application(id="1", key="k", secret="s", enabled=False)]) as server:
            assert end_of(server.ws_url)[1] == 4003

    def test_an_app_that_is_full_is_4004(self):
        with LocalServer(limits=Limits(connections=1)) as server, Client(server):
            assert end_of(server.ws_url)[1] == 4004

    def test_parameters_of_other_clients_are_no_matter(self, server):
        url = f"{server.ws_url}&client=js&version=8.6.0&flash=false&more="
        with connect(url) as ws:
            assert json.loads(ws.recv(5))["event"] == "pusher:connection_established"


class TestFrames:
    def test_nonsense_is_answered_and_the_connection_stays(self, server):
        with Client(server) as client:
            for message in ("garbage", "", "[]", b"binary", b"\xff", '{"event":"\\ud800"}'):
                client.socket.send(message)
                client.receive("pusher:error")
            client.subscribe("pub")

    def test_a_large_frame_is_answered(self, server):
        with Client(server) as client:
            client.say("client-x", "x" * 70_000, "private-a")
            assert "larger than" in client.receive("pusher:error")["data"]["message"]
            client.subscribe("pub")

    def test_a_monstrous_frame_ends_its_connection_and_no_other(self, server):
        with Client(server) as monster, Client(server) as other:
            monster.socket.send("x" * 1_000_000)
            assert monster.close_code() == 1009
            other.subscribe("pub")

    def test_a_connection_that_is_torn_off_is_forgotten(self, server):
        with Client(server) as client:
            client.subscribe("pub")
            client.socket.socket.shutdown(socket.SHUT_RDWR)
            server.recorder.wait_for(Kind.DISCONNECTED)
        hub = server.pusher.hubs[server.app_id]
        assert (hub.connections, hub.channels) == ({}, {})


class TestActivity:
    def test_a_silent_connection_is_pinged_and_closed_with_4201(self):
        limits = Limits(activity_timeout=0.3, pong_timeout=0.3)
        with LocalServer(limits=limits) as server, Client(server) as client:
            client.receive("pusher:ping")
            client.say("pusher:pong", {})
            client.receive("pusher:ping")
            assert client.close_code() == 4201


class TestSlowReaders:
    DATA = "x" * 10_000

    def publish(self, server: LocalServer, seconds: float = 10) -> float:
        """Publish until the server has cut somebody off; return the longest call's seconds."""
        longest, end = 0.0, time.monotonic() + seconds
        batch = {"batch": [{"name": "e", "channel": "deaf", "data": self.DATA}] * 10}
        while time.monotonic() < end:
            start = time.monotonic()
            assert post(server, "/batch_events", batch).status == 200
            longest = max(longest, time.monotonic() - start)
            if any(item.kind is Kind.DISCONNECTED for item in server.recorder.activities):
                break
        return longest

    def test_one_that_stops_reading_is_cut_off_and_the_others_get_everything(self):
        limits = Limits(outgoing_bytes=200_000)
        with (
            LocalServer(limits=limits) as server,
            self.deaf(server) as deaf,
            Client(server) as reader,
        ):
            reader.subscribe("deaf")
            received: list[str] = []

            def read() -> None:
                while json.loads(reader.socket.recv(10))["event"] != "end":
                    received.append("e")

            thread = threading.Thread(target=read)
            thread.start()
            longest = self.publish(server)
            gone = server.recorder.wait_for(Kind.DISCONNECTED, 10)
            post(server, "/events", {"name": "end", "channel": "deaf", "data": ""})
            thread.join(10)
            deaf.settimeout(5)
            self.drain(deaf)
            assert gone.socket_id != reader.socket_id
            assert len(received) == len([item for item in server.events if item.name == "e"])
            assert longest < 2
            hub = server.pusher.hubs[server.app_id]
            assert len(hub.connections) == 1

    def test_one_that_does_not_read_its_close_is_cut_off_in_time(self, monkeypatch):
        monkeypatch.setattr(writers, "CLOSE_TIMEOUT", 0.3)
        limits = Limits(outgoing_bytes=100_000_000, activity_timeout=0.5, pong_timeout=0.2)
        with LocalServer(limits=limits) as server, self.deaf(server):
            batch = {"batch": [{"name": "e", "channel": "deaf", "data": self.DATA}] * 10}
            for _ in range(60):
                post(server, "/batch_events", batch)
            server.recorder.wait_for(Kind.DISCONNECTED, 5)

    def test_one_that_was_sent_its_close_and_does_not_read_it_is_not_kept(self, monkeypatch):
        """Else it would hold a socket of the process for as long as it likes."""
        monkeypatch.setattr(runner, "SWEEP", 2)
        limits = Limits(activity_timeout=0.5, pong_timeout=0.2)
        with LocalServer(limits=limits) as server, self.deaf(server):
            (connection,) = server.pusher.hubs[server.app_id].connections.values()
            transport = connection.send.__self__._transport
            # The system keeps so little that something waits before its time is over.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            post(server, "/events", {"name": "e", "channel": "deaf", "data": self.DATA})
            assert transport.get_write_buffer_size()
            server.recorder.wait_for(Kind.DISCONNECTED)
            self.wait_until_nobody_is_connected(server)

    def test_one_that_does_not_read_answers_is_not_kept(self, monkeypatch):
        monkeypatch.setattr(runner, "SWEEP", 2)
        monkeypatch.setattr(uvicorn_protocols, "REQUEST_TIMEOUT", 0.3)
        with LocalServer() as server, socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.settimeout(0.2)
            deaf.connect((server.host, server.port))
            ask = b"GET /console/console.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
            with contextlib.suppress(OSError):
                while True:
                    deaf.sendall(ask * 100)
            self.wait_until_nobody_is_connected(server)

    def test_one_that_is_sent_away_says_nothing_more(self):
        """Its close waits behind what it does not read; what it says meanwhile counts no more."""
        with LocalServer() as server, opened(server) as deaf, Client(server) as other:
            hub = server.pusher.hubs[server.app_id]
            name, connection = next(iter(hub.connections.items()))

            def say(event: str, **message: object) -> None:
                text = json.dumps({"event": event, **message}).encode()
                deaf.sendall(Frame(Opcode.TEXT, text).serialize(mask=True))

            user = '{"id":"7"}'
            auth = f"{server.key}:{sign(server.secret, f'{name}::user::{user}')}"
            say("pusher:signin", data={"auth": auth, "user_data": user})
            auth = f"{server.key}:{sign(server.secret, f'{name}:private-a')}"
            say("pusher:subscribe", data={"auth": auth, "channel": "private-a"})
            server.recorder.wait_for_subscription("private-a")
            transport = connection.send.__self__._transport
            while transport.get_write_buffer_size() < 200_000:
                post(server, "/events", {"name": "e", "channel": "private-a", "data": self.DATA})
            other.subscribe("private-a")
            assert post(server, "/users/7/terminate_connections", {}).status == 200
            say("client-x", channel="private-a", data={})
            with pytest.raises(TimeoutError):
                server.recorder.wait_for(Kind.CLIENT_EVENT, 0.5)
            assert other.is_silent()

    def wait_until_nobody_is_connected(self, server: LocalServer) -> None:
        connections = server._server.server_state.connections
        end = time.monotonic() + 5
        while connections and time.monotonic() < end:
            time.sleep(0.01)
        assert not connections

    def test_one_that_pings_and_does_not_read_the_pongs_is_cut_off(self):
        """uvicorn answers such pings by itself, and takes no account of what waits."""
        with LocalServer(limits=Limits(outgoing_bytes=100_000)) as server:
            with self.deaf(server) as deaf, pytest.raises(ConnectionError):
                ping = bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + b"x" * 125
                end = time.monotonic() + 20
                while time.monotonic() < end:
                    deaf.sendall(ping * 500)
            server.recorder.wait_for(Kind.DISCONNECTED, 10)
            with Client(server) as other:
                other.subscribe("pub")

    def deaf(self, server: LocalServer) -> socket.socket:
        """Return a connection that has subscribed, and reads no more, with a small buffer."""
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect((server.host, server.port))
        deaf.sendall(handshake(server.ws_url))
        assert b" 101 " in deaf.recv(100)
        text = b'{"event":"pusher:subscribe","data":{"channel":"deaf"}}'
        deaf.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        server.recorder.wait_for_subscription("deaf")
        return deaf

    def drain(self, deaf: socket.socket) -> None:
        """Read to the end: the transport was closed, and not merely forgotten."""
        try:
            while deaf.recv(65_536):
                pass
        except ConnectionResetError:
            pass


class TestFloods:
    def test_a_client_that_floods_does_not_keep_others_waiting(self, server):
        with (
            Client(server, max_queue=1_000_000) as flood,
            Client(server) as other,
        ):
            stop = threading.Event()

            def pour() -> None:
                while not stop.is_set():
                    flood.socket.send('{"event":"pusher:ping"}')

            def swallow() -> None:
                while not stop.is_set():
                    flood.socket.recv(5)

            threads = [threading.Thread(target=pour), threading.Thread(target=swallow)]
            for thread in threads:
                thread.start()
            start = time.monotonic()
            for _ in range(20):
                assert other.is_silent()
            stop.set()
            for thread in threads:
                thread.join()
            assert time.monotonic() - start < 5

    def test_what_comes_at_once_is_taken_in_pieces(self, server, monkeypatch):
        """Between two pieces others have their turn: thousands of tiny frames fit into a read."""
        sizes = []
        take = uvicorn_protocols.StrictWebSocketProtocol.data_received

        def measured(self, data):
            sizes.append(len(data))
            take(self, data)

        monkeypatch.setattr(uvicorn_protocols.StrictWebSocketProtocol, "data_received", measured)
        with opened(server) as raw:
            raw.sendall(EMPTY_PONG * 50_000 + frame(0x89, b"done"))
            answer = raw.recv(6)
        assert answer == b"\x8a\x04done"
        assert max(sizes) <= 16_384

    @pytest.mark.parametrize("piece", [b"", b"x"])
    def test_a_message_in_too_many_pieces_ends_its_connection(self, server, piece):
        """Pieces without content would fill the memory: no size is ever reached."""
        with opened(server) as raw:
            raw.sendall(frame(0x01, b"") + frame(0x00, piece) * 2_000)
            assert raw.recv(2)[0] == 0x88
            assert raw.recv(2) == (1009).to_bytes(2, "big")

    def test_a_message_in_some_pieces_is_one(self, server):
        with Client(server) as client:
            text = '{"event":"pusher:subscribe","data":{"channel":"pub"}}'
            client.socket.send(iter(text))
            client.receive("pusher_internal:subscription_succeeded")


class TestSlowRequests:
    HEAD = b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"

    @pytest.mark.parametrize(
        "sent",
        [b"", b"GET / HT", HEAD, HEAD + b"\r\n{", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET"],
        ids=["nothing", "line", "head", "body", "second"],
    )
    def test_one_that_never_ends_its_request_is_not_waited_for(self, monkeypatch, sent):
        monkeypatch.setattr(uvicorn_protocols, "REQUEST_TIMEOUT", 0.3)
        with (
            LocalServer() as server,
            socket.create_connection((server.host, server.port), 10) as raw,
        ):
            raw.sendall(sent)
            while raw.recv(65_536):
                pass

    def test_sockets_and_requests_that_come_in_time_are(self, monkeypatch):
        monkeypatch.setattr(uvicorn_protocols, "REQUEST_TIMEOUT", 0.3)
        with LocalServer() as server, Client(server) as client:
            connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
            for _ in range(5):
                connection.request("GET", "/")
                assert connection.getresponse().read()
                time.sleep(0.2)
            connection.close()
            client.subscribe("pub")


class TestBadHandshakes:
    @pytest.mark.parametrize(
        "extra",
        [
            "Content-Length: 5\r\n\r\nhello",
            "Content-Length: 5\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            f"X: {'a' * 9_000}\r\n\r\n",
            "X: a\r\n" * 200 + "\r\n",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        ],
        ids=["body", "no-body", "chunks", "long-header", "many-headers", "two-keys"],
    )
    def test_they_are_answered_and_their_connections_closed(self, server, extra):
        address = (server.host, server.port)
        with socket.create_connection(address, 10) as raw:
            raw.sendall(handshake(server.ws_url).removesuffix(b"\r\n") + extra.encode())
            answer = b"".join(iter(lambda: raw.recv(65_536), b""))
        assert re.match(rb"HTTP/1.1 4\d\d ", answer)

    def test_a_method_other_than_get_is_one(self, server):
        address = (server.host, server.port)
        with socket.create_connection(address, 10) as raw:
            raw.sendall(handshake(server.ws_url).replace(b"GET", b"PUT", 1))
            answer = b"".join(iter(lambda: raw.recv(65_536), b""))
        assert re.match(rb"HTTP/1.1 4\d\d ", answer)


class TestWireFrames:
    @pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 100_000])
    def test_texts_of_any_size_arrive_as_they_are(self, size):
        limits = Limits(event_data_bytes=200_000)
        with LocalServer(limits=limits) as server, Client(server) as client:
            client.subscribe("pub")
            frame = protocol.event_frame(protocol.event_head("e", ""), "pub")
            data = "é" * ((size - len(frame)) // 2) if size > len(frame) else ""
            post(server, "/events", {"name": "e", "channel": "pub", "data": data})
            assert client.receive("e")["data"] == data

    @pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
    def test_they_are_what_the_library_would_write(self, size):
        text = "x" * size
        expected = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
        assert writers.wire_frame(text) == expected


class TestEnd:
    def test_clients_are_sent_away_with_a_code_that_brings_them_back(self, server):
        with Client(server) as client:
            threading.Thread(target=server.stop).start()
            assert client.close_code() == 4200

    @pytest.mark.parametrize("is_reader", [True, False])
    def test_a_request_that_never_ends_is_left_without_a_traceback(
        self, monkeypatch, caplog, is_reader
    ):
        monkeypatch.setattr(runner, "GRACE", 1)
        with LocalServer() as server, socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            raw.settimeout(0.2)
            raw.connect((server.host, server.port))
            if is_reader:
                raw.sendall(TestSlowRequests.HEAD + b"\r\n{")
            else:
                with contextlib.suppress(OSError):
                    while True:
                        raw.sendall(b"GET /console/console.css HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with Client(server):
                pass
            server.stop()
        assert "Traceback" not in caplog.text
