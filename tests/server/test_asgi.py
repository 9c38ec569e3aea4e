"""The server on one port with a Django project."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from django.core.asgi import get_asgi_application
from websockets.sync.client import connect

from dev_server_tests.api_client import post
from dev_server_tests.raw import end_of
from dev_server_tests.serving import plain_uvicorn
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.server.asgi import with_pusher_server
from drf_model_pusher.server.testing import LocalServer


@pytest.fixture
def mounted(settings) -> Iterator[LocalServer]:
    """A server on one port with Django."""
    with plain_uvicorn(with_pusher_server(get_asgi_application())) as port:
        server = LocalServer(port=port)
        server.app_id = settings.PUSHER_APP_ID
        server.key = settings.PUSHER_KEY
        server.secret = settings.PUSHER_SECRET
        yield server


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

    def test_the_console_is_off_and_its_pages_are_the_projects(self, mounted):
        with pytest.raises(urllib.error.HTTPError) as missing:
            urllib.request.urlopen(f"{mounted.url}/console/main.js")
        missing.value.close()
        assert missing.value.code == 404
        assert end_of(f"ws://127.0.0.1:{mounted.port}/console/stream")[1] == 4005

    def test_the_limits_are_those_of_the_settings(self, settings):
        settings.DRF_MODEL_PUSHER_SERVER_LIMITS = {"outgoing_bytes": 200_000}
        (hub,) = with_pusher_server(get_asgi_application()).hubs.values()
        assert hub.limits.outgoing_bytes == 200_000

    @pytest.mark.parametrize("token", ["tiny", "é" * 16, "x" * 15 + "\n"])
    def test_a_console_token_that_is_easily_guessed_or_cannot_be_sent_is_refused(
        self, settings, token
    ):
        settings.DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN = token
        with pytest.raises(SettingError) as wrong:
            with_pusher_server(get_asgi_application())
        assert repr(token) not in str(wrong.value)
