"""A browser tab opens and closes; pushes start and stop."""

from __future__ import annotations

import os
import shutil
import threading
import time
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from rest_framework import viewsets

from drf_model_pusher.occupancy.state import STATE
from drf_model_pusher.views import ModelPusherViewMixin
from tests.availability import unavailable
from tests.occupied import use_cache
from tests.shop.models import Order
from tests.shop.serializers import OrderSerializer
from tests.views import call

pytest.importorskip("uvicorn", reason="the extra [server] is not installed")

from drf_model_pusher.server.testing import LocalServer
from pusher_dev_server.application import Application, Limits

pytestmark = pytest.mark.django_db(transaction=True)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Seconds that the server holds back the news of a leaving; Pusher's service takes 3.
HOLD = 1.0

SUBSCRIBE = """
([url, channel]) => new Promise((resolve, reject) => {
    window.heard = [];
    const socket = new WebSocket(url);
    socket.onerror = () => reject("the socket failed");
    setTimeout(() => reject("waited in vain for the subscription"), 10000);
    socket.onmessage = message => {
        const frame = JSON.parse(message.data);
        if (frame.event === "pusher:connection_established")
            socket.send(JSON.stringify({event: "pusher:subscribe", data: {channel}}));
        if (frame.event === "pusher_internal:subscription_succeeded") resolve();
        if (frame.channel === channel && !frame.event.startsWith("pusher"))
            window.heard.push([frame.event, JSON.parse(frame.data).customer]);
    };
})
"""


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


class OrderViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def get_pusher_channels(self):
        return ["orders"]


@pytest.fixture(params=["locmem", "redis"], autouse=True)
def _settings(request, settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    settings.ROOT_URLCONF = "drf_model_pusher.urls"
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    yield from use_cache(settings, request.param)


@pytest.fixture
def webhook_url():
    """The address of the project's webhook route, served over HTTP."""
    with make_server("127.0.0.1", 0, WSGIHandler(), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/webhook"
        server.shutdown()
        thread.join()


@pytest.fixture
def server(settings, webhook_url):
    app = Application(
        id=settings.PUSHER_APP_ID,
        key=settings.PUSHER_KEY,
        secret=settings.PUSHER_SECRET,
        webhooks=(webhook_url,),
    )
    with LocalServer([app], Limits(webhook_delay=HOLD)) as server:
        settings.PUSHER_HOST, settings.PUSHER_PORT = server.host, server.port
        settings.PUSHER_SSL = False
        yield server


@pytest.fixture
def browser(monkeypatch):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # Playwright runs an event loop in this thread; the tests use the ORM beside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with playwright.sync_playwright() as running:
        if CHROMIUM is None and not os.path.exists(running.chromium.executable_path):
            unavailable("there is no Chromium")
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def wait_for(reached, what):
    deadline = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def write(customer):
    assert call(OrderViewSet, "create", {"customer": customer}).status_code == 201


def test_pushes_start_with_the_first_tab_and_stop_with_the_last(server, browser):
    write("nobody yet")
    page = browser.new_page()
    page.evaluate(SUBSCRIBE, [server.ws_url, "orders"])
    wait_for(lambda: cache.get(STATE + "orders") is True, "the webhook of the first tab")

    write("Ada")
    page.wait_for_function("window.heard.length > 0")
    assert page.evaluate("window.heard") == [["order.create", "Ada"]]

    page.close()
    wait_for(lambda: cache.get(STATE + "orders") is False, "the webhook of the last tab")
    write("nobody any more")
    assert [event.data["customer"] for event in server.events] == ["Ada"]


def test_a_tab_that_goes_and_comes_back_at_once_is_not_forgotten(server, browser):
    page = browser.new_page()
    page.evaluate(SUBSCRIBE, [server.ws_url, "orders"])
    wait_for(lambda: cache.get(STATE + "orders") is True, "the webhook of the tab")
    page.close()
    page = browser.new_page()
    page.evaluate(SUBSCRIBE, [server.ws_url, "orders"])
    time.sleep(HOLD + 0.3)
    write("Ada")
    page.wait_for_function("window.heard.length > 0")
