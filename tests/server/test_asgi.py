"""The server on one port with a Django project."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from django.core.asgi import get_asgi_application
from websockets.sync.client import connect

from drf_model_pusher.server.asgi import PusherServer, with_pusher_server
from drf_model_pusher.server.runner import LocalServer

from .api_client import post
from .client import Client
from .test_sockets import end_of, frame, handshake


@contextmanager
def plain_uvicorn(app: PusherServer, ws: str = "websockets-sansio") -> Iterator[int]:
    """Serve an application as a project would; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws=ws))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def known(settings, port: int) -> LocalServer:
    """Return a mounted server, as far as a client needs to know it."""
    server = LocalServer(port=port)
    server.app_id = settings.PUSHER_APP_ID
    server.key = settings.PUSHER_KEY
    server.secret = settings.PUSHER_SECRET
    return server


@pytest.fixture
def mounted(settings) -> Iterator[LocalServer]:
    """A server on one port with Django."""
    with plain_uvicorn(with_pusher_server(get_asgi_application())) as port:
        yield known(settings, port)


class TestMounted:
    def test_sockets_the_api_and_django_share_a_port(self, mounted):
        with connect(mounted.ws_url) as ws:
            assert json.loads(ws.recv(5))["event"] == "pusher:connection_established"
            ws.send('{"event":"pusher:subscribe","data":{"channel":"pub"}}')
            ws.recv(5)
            assert (
                post(mounted, "/events", {"name": "e", "channel": "pub", "data": ""}).status == 200
            )
            assert json.loads(ws.recv(5))["event"] == "e"
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{mounted.url}/no/such/page")
        with missing.value as response:
            assert b"Not Found" in response.read()

    def test_a_socket_elsewhere_is_refused(self, mounted):
        assert end_of(f"ws://127.0.0.1:{mounted.port}/chat")[1] == 4005


class TestLifespan:
    def test_the_projects_application_starts_and_ends_too(self, settings):
        told = []

        async def application(scope, receive, send):
            while scope["type"] == "lifespan":
                kind = (await receive())["type"]
                told.append(kind)
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return

        with plain_uvicorn(with_pusher_server(application)) as port:
            with connect(known(settings, port).ws_url) as ws:
                ws.recv(5)
            assert told == ["lifespan.startup"]
        assert told == ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .websockets. implementation")
class TestOlderProtocol:
    def test_it_is_greeted_after_the_handshake(self, settings):
        """uvicorn's former default writes the handshake some time after `accept`."""
        app = with_pusher_server(get_asgi_application())
        with plain_uvicorn(app, "websockets") as port:
            mounted = known(settings, port)
            with connect(mounted.ws_url) as ws:
                assert json.loads(ws.recv(5))["event"] == "pusher:connection_established"
                ws.send('{"event":"pusher:subscribe","data":{"channel":"pub"}}')
                ws.recv(5)
                post(mounted, "/events", {"name": "e", "channel": "pub", "data": ""})
                assert json.loads(ws.recv(5))["event"] == "e"

    def test_a_client_that_stops_reading_is_cut_off_and_others_get_everything(self, settings):
        settings.DRF_MODEL_PUSHER_SERVER_LIMITS = {"outgoing_bytes": 200_000}
        app = with_pusher_server(get_asgi_application())
        (hub,) = app.hubs.values()
        with plain_uvicorn(app, "websockets") as port:
            mounted = known(settings, port)
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
