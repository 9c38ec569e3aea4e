"""The server as an ASGI application in a project's own uvicorn."""

from __future__ import annotations

import json
import socket

import pytest
from websockets.sync.client import connect

from dev_server_tests.api_client import post
from dev_server_tests.client import Client
from dev_server_tests.raw import end_of, frame, handshake
from dev_server_tests.serving import plain_uvicorn
from pusher_dev_server.application import LOCAL_APP, Limits
from pusher_dev_server.asgi import PusherServer
from pusher_dev_server.testing import LocalServer


class TestLifespan:
    def test_the_projects_application_starts_and_ends_too(self):
        told = []

        async def application(scope, receive, send):
            while scope["type"] == "lifespan":
                kind = (await receive())["type"]
                told.append(kind)
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return

        with plain_uvicorn(PusherServer([LOCAL_APP], fallback=application)) as port:
            with connect(LocalServer(port=port).ws_url) as ws:
                ws.recv(5)
            assert told == ["lifespan.startup"]
        assert told == ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .websockets. implementation")
class TestOlderProtocol:
    def test_it_is_greeted_after_the_handshake(self):
        """uvicorn's former default writes the handshake some time after `accept`."""
        app = PusherServer([LOCAL_APP])
        with plain_uvicorn(app, "websockets") as port:
            mounted = LocalServer(port=port)
            with connect(mounted.ws_url) as ws:
                assert json.loads(ws.recv(5))["event"] == "pusher:connection_established"
                ws.send('{"event":"pusher:subscribe","data":{"channel":"pub"}}')
                ws.recv(5)
                post(mounted, "/events", {"name": "e", "channel": "pub", "data": ""})
                assert json.loads(ws.recv(5))["event"] == "e"

    def test_a_client_that_stops_reading_is_cut_off_and_others_get_everything(self):
        app = PusherServer([LOCAL_APP], Limits(outgoing_bytes=200_000))
        (hub,) = app.hubs.values()
        with plain_uvicorn(app, "websockets") as port:
            mounted = LocalServer(port=port)
            with Client(mounted) as reader, socket.socket() as deaf:
                reader.subscribe("pub")
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                deaf.connect((mounted.host, mounted.port))
                deaf.sendall(handshake(mounted.ws_url))
                assert b" 101 " in deaf.recv(100)
                deaf.sendall(frame(0x81, b'{"event":"pusher:subscribe","data":{"channel":"pub"}}'))
                event = {"name": "e", "channel": "pub", "data": "x" * 10_000}
                for _ in range(2_000):
                    post(mounted, "/events", event)
                    reader.receive("e")
                    if len(hub.connections) == 1:
                        break
                assert list(hub.connections) == [reader.socket_id]
                assert reader.is_silent()


class TestFallback:
    def test_sockets_elsewhere_are_the_projects_if_it_takes_any(self):
        async def project(scope, receive, send) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": '"the project"'})
            await send({"type": "websocket.close", "code": 1000})

        with plain_uvicorn(PusherServer([], fallback=project)) as port:
            frames, _ = end_of(f"ws://127.0.0.1:{port}/chat")
        assert frames == ["the project"]
