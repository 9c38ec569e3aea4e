"""In Chromium, with pusher-js and laravel-echo as they are: who may listen, listens."""

from __future__ import annotations

import base64
import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connections
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.test import Client
from django.test.testcases import LiveServerThread
from django.urls import include, path
from rest_framework.authtoken.models import Token

from drf_model_pusher.backends import (
    EncryptedPusherBackend,
    PresencePusherBackend,
    PrivatePusherBackend,
)
from drf_model_pusher.users import revoke, send_to_user
from tests import urls_of_boards
from tests.availability import unavailable
from tests.boards import views
from tests.boards.models import Board
from tests.boards.serializers import BoardSerializer

pytest.importorskip("uvicorn", reason="the extra [server] is not installed")

from drf_model_pusher.server.testing import LocalServer
from pusher_dev_server.application import Application

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry", "scripts"),
]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# The clients, pinned by the lock file beside them.
CLIENTS = Path(__file__).parents[2] / "server" / "tests" / "clients" / "node_modules"
SCRIPTS = {
    "pusher.js": CLIENTS / "pusher-js/dist/web/pusher-with-encryption.js",
    "plugin.js": CLIENTS / "pusher-js-auth/lib/pusher-auth.js",
    "echo.js": CLIENTS / "laravel-echo/dist/echo.iife.js",
}
KEYS = [base64.b64encode(letter * 32).decode() for letter in (b"a", b"b")]

PAGE = """<!doctype html><link rel="icon" href="data:,">
<script src="/js/pusher.js"></script>
<script src="/js/plugin.js"></script>
<script src="/js/echo.js"></script>
<script>
    window.heard = [];
    const note = (channel, name) => data => window.heard.push([channel, name, data ?? null]);

    function connect({port, key, headers}) {
        window.pusher = new Pusher(key, {
            cluster: "", wsHost: "127.0.0.1", wsPort: port, forceTLS: false,
            enabledTransports: ["ws"], enableStats: false,
            channelAuthorization: {endpoint: "/pusher/auth", headers},
            userAuthentication: {endpoint: "/pusher/user-auth", headers},
        });
        pusher.connection.bind("state_change", state => note("connection", state.current)());
    }

    function batched({port, key, headers}) {
        window.pusher = new Pusher(key, {
            cluster: "", wsHost: "127.0.0.1", wsPort: port, forceTLS: false,
            enabledTransports: ["ws"], enableStats: false,
            authorizer: PusherBatchAuthorizer, authEndpoint: "/pusher/auth", auth: {headers},
        });
    }

    function subscribe(name) {
        const channel = pusher.subscribe(name);
        channel.bind("pusher:subscription_succeeded", members =>
            note(name, "succeeded")(members && members.members));
        channel.bind("pusher:subscription_error", error => note(name, "refused")(error.status));
        for (const event of ["board.create", "board.update", "board.delete"])
            channel.bind(event, note(name, event));
    }

    function echo({port, key, headers}, board) {
        window.laravel = new Echo.default({
            broadcaster: "pusher", client: new Pusher(key, {
                cluster: "", wsHost: "127.0.0.1", wsPort: port, forceTLS: false,
                enabledTransports: ["ws"], enableStats: false,
                channelAuthorization: {endpoint: "/pusher/auth", headers},
            }),
        });
        const listen = (name, channel) => channel
            .subscribed(note(name, "succeeded"))
            .error(error => note(name, "refused")(error.status))
            .listen(".board.update", note(name, "board.update"));
        listen("private", laravel.private(board));
        listen("encrypted", laravel.encryptedPrivate(board));
        listen("presence", laravel.join(board).here(members => note("presence", "here")(members)));
    }
</script>"""


def page_view(request):
    get_token(request)  # sets the cookie
    return HttpResponse(PAGE)


def script_view(request, name):
    return HttpResponse(SCRIPTS[name].read_bytes(), content_type="text/javascript; charset=utf-8")


urlpatterns = [
    path("", page_view),
    path("js/<name>", script_view),
    path("", include(urls_of_boards)),
]


@pytest.fixture(scope="session")
def scripts():
    if not all(script.exists() for script in SCRIPTS.values()):
        unavailable(f"the clients are not installed: run npm ci in {CLIENTS.parent}")


@pytest.fixture
def server(settings):
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = KEYS[0]
    app = Application(id="3", key=settings.PUSHER_KEY, secret=settings.PUSHER_SECRET)
    with LocalServer([app]) as server:
        settings.PUSHER_HOST, settings.PUSHER_PORT = server.host, server.port
        settings.PUSHER_SSL = False
        yield server


def one_at_a_time(handler):
    """Serve requests in turn: SQLite in memory is one connection, and not made for many threads."""
    turn = threading.Lock()

    def application(environ, start_response):
        with turn:
            return handler(environ, start_response)

    return application


@pytest.fixture
def site(server):
    """The address of the project, served by threads that share this one's database."""
    shared = {connection.alias: connection for connection in connections.all()}
    for connection in shared.values():
        connection.inc_thread_sharing()
    # Its own for each test: it reads MIDDLEWARE once.
    thread = LiveServerThread("127.0.0.1", one_at_a_time, connections_override=shared)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait()
    assert thread.error is None
    yield f"http://127.0.0.1:{thread.port}"
    thread.terminate()
    for connection in shared.values():
        connection.dec_thread_sharing()


@pytest.fixture
def browser(monkeypatch):
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("playwright is not installed")
    # Playwright runs an event loop in this thread; the tests use the ORM beside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as running:
        if CHROMIUM is None and not os.path.exists(running.chromium.executable_path):
            unavailable("there is no Chromium")
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def ada():
    return User.objects.create_user("ada", first_name="Ada")


@pytest.fixture
def board(ada):
    return Board.objects.create(owner=ada, slug="plans")


@pytest.fixture
def backends(own_registry):
    def declare(base, **more):
        attributes = {
            "serializer_class": BoardSerializer,
            "channels": ["boards.{pk}"],
            "view_class": views.BoardViewSet,
        } | more
        return type(base.__name__, (base,), attributes)

    return [
        declare(base)
        for base in (PrivatePusherBackend, PresencePusherBackend, EncryptedPusherBackend)
    ] + [declare(EncryptedPusherBackend, cache=True)]


class Tab:
    """A page of one user, signed in by a session or by a token."""

    def __init__(self, browser, site, server, user, way):
        self.context = browser.new_context()
        self.page = self.context.new_page()
        if user is not None and way == "session":
            client = Client()
            client.force_login(user)
            cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
            self.context.add_cookies([cookie | {"url": site}])
        self.page.goto(site)
        headers = {"X-CSRFToken": self.cookie("csrftoken")}
        if user is not None and way == "token":
            headers = {"Authorization": f"Token {Token.objects.get_or_create(user=user)[0].key}"}
        self.options = {"port": server.port, "key": server.key, "headers": headers}

    def cookie(self, name):
        return next(each["value"] for each in self.context.cookies() if each["name"] == name)

    def subscribe(self, *names):
        self.page.evaluate("options => window.pusher || connect(options)", self.options)
        for name in names:
            self.page.evaluate("name => subscribe(name)", name)

    def wait_for(self, *expected):
        deadline = time.monotonic() + 10
        while True:
            heard = self.page.evaluate("window.heard")
            if all(each in heard for each in expected):
                return
            assert time.monotonic() < deadline, (expected, heard)
            self.page.wait_for_timeout(20)

    def heard(self, *names):
        return [each for each in self.page.evaluate("window.heard") if each[1] in names]


@pytest.fixture
def open_tab(browser, site, server):
    def open_tab(user, way="session"):
        return Tab(browser, site, server, user, way)

    return open_tab


def names_of(board):
    return [
        f"{prefix}boards.{board.pk}" for prefix in ("private-", "presence-", "private-encrypted-")
    ]


@pytest.mark.parametrize("way", ["session", "token"])
class TestWays:
    def test_pusher_js_joins_all_kinds_of_channels(self, way, open_tab, ada, board, backends):
        tab = open_tab(ada, way)
        private, presence, encrypted = names_of(board)
        tab.subscribe(private, presence, encrypted)
        tab.wait_for(
            [private, "succeeded", None],
            [presence, "succeeded", {str(ada.pk): {"name": "Ada"}}],
            [encrypted, "succeeded", None],
        )
        for backend in backends:
            backend().push_change("update", board)
        data = {"id": board.pk, "slug": "plans"}
        tab.wait_for(*([name, "board.update", data] for name in (private, presence, encrypted)))

    def test_laravel_echo_joins_all_kinds_of_channels(self, way, open_tab, ada, board, backends):
        tab = open_tab(ada, way)
        tab.page.evaluate("([options, board]) => echo(options, board)",
                          [tab.options, f"boards.{board.pk}"])  # fmt: skip
        tab.wait_for(
            ["private", "succeeded", None],
            ["presence", "here", [{"name": "Ada"}]],
            ["encrypted", "succeeded", None],
        )
        for backend in backends:
            backend().push_change("update", board)
        data = {"id": board.pk, "slug": "plans"}
        tab.wait_for(
            *([kind, "board.update", data] for kind in ("private", "presence", "encrypted"))
        )

    def test_a_stranger_is_refused_and_hears_nothing(self, way, open_tab, board, backends):
        tab = open_tab(User.objects.create_user("bo"), way)
        names = names_of(board)
        tab.subscribe(*names)
        tab.wait_for(*([name, "refused", 403] for name in names))
        for backend in backends:
            backend().push_change("update", board)
        tab.page.wait_for_timeout(300)
        assert tab.heard("succeeded", "board.update") == []


def test_the_plugin_pusher_js_auth_asks_for_all_channels_at_once(open_tab, ada, board, backends):
    other = Board.objects.create(owner=User.objects.create_user("bo"), slug="other")
    tab = open_tab(ada)
    asked = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.page.evaluate("options => batched(options)", tab.options)
    private, presence, encrypted = names_of(board)
    names = [private, presence, encrypted, f"private-boards.{other.pk}"]
    tab.page.evaluate("names => names.forEach(subscribe)", names)
    tab.wait_for(
        [private, "succeeded", None],
        [presence, "succeeded", {str(ada.pk): {"name": "Ada"}}],
        [encrypted, "succeeded", None],
    )
    tab.page.wait_for_timeout(300)
    assert len(tab.heard("succeeded")) == 3
    assert len([url for url in asked if url.endswith("/pusher/auth")]) == 1
    backends[2]().push_change("update", board)
    tab.wait_for([encrypted, "board.update", {"id": board.pk, "slug": "plans"}])


def test_without_the_csrf_token_a_session_is_refused(open_tab, ada, board, backends):
    tab = open_tab(ada)
    tab.options["headers"] = {}
    tab.subscribe(f"private-boards.{board.pk}")
    tab.wait_for([f"private-boards.{board.pk}", "refused", 403])


def test_nobody_can_read_an_encrypted_event_on_its_way(server, ada, board, backends):
    backends[2]().push_change("update", board)
    event = server.wait_for_event("board.update")
    assert "plans" not in json.dumps(event.data)


def test_members_see_each_other_come(open_tab, ada, board, backends):
    bo = User.objects.create_user("bo")
    board.members.add(bo)
    name = f"presence-boards.{board.pk}"
    first, second = open_tab(ada), open_tab(bo)
    first.subscribe(name)
    first.wait_for([name, "succeeded", {str(ada.pk): {"name": "Ada"}}])
    second.subscribe(name)
    members = {str(ada.pk): {"name": "Ada"}, str(bo.pk): {"name": "bo"}}
    second.wait_for([name, "succeeded", members])
    assert first.page.evaluate(f"pusher.channel('{name}').members.count") == 2


def test_a_user_who_lost_the_right_is_sent_away_and_not_let_in_again(
    open_tab, ada, board, backends
):
    bo = User.objects.create_user("bo")
    board.members.add(bo)
    tab = open_tab(bo)
    name = f"private-boards.{board.pk}"
    tab.subscribe(name)
    tab.page.evaluate("pusher.user.bind('hello', note('user', 'hello')); pusher.signin()")
    tab.wait_for([name, "succeeded", None])
    tab.page.wait_for_function("pusher.user.user_data")
    send_to_user(bo, "hello", {"a": 1})
    tab.wait_for(["user", "hello", {"a": 1}])

    board.members.remove(bo)
    revoke(bo)
    tab.wait_for(["connection", "disconnected", None])
    # pusher-js stays away by itself; an app that calls connect() is asked for its right again.
    tab.page.evaluate("pusher.connect()")
    tab.wait_for([name, "refused", 403])
    backends[0]().push_change("update", board)
    tab.page.wait_for_timeout(300)
    assert tab.heard("board.update") == []


class TestKeys:
    def push(self, settings, backend, board, key, slug):
        keys = settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = key
        board.slug = slug
        board.save()
        backend().push_change("update", board)
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = keys

    def test_can_be_changed_under_those_who_are_there(
        self, open_tab, ada, board, backends, settings
    ):
        """Events of the new key, then of the old one from a process that has not heard of it."""
        cache.clear()
        name = f"private-encrypted-boards.{board.pk}"
        tab = open_tab(ada)
        tab.subscribe(name)
        tab.wait_for([name, "succeeded", None])
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = KEYS[1]
        settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64 = KEYS[0]
        for key, slug in [(KEYS[1], "new"), (KEYS[0], "old"), (KEYS[1], "again")]:
            self.push(settings, backends[2], board, key, slug)
            tab.wait_for([name, "board.update", {"id": board.pk, "slug": slug}])
            tab.page.wait_for_timeout(1_100)  # what fails within a second fails together

    def test_of_a_cached_event_may_be_the_older_one(self, open_tab, ada, board, backends, settings):
        cache.clear()
        self.push(settings, backends[3], board, KEYS[0], "old")
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = KEYS[1]
        settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64 = KEYS[0]
        name = f"private-encrypted-cache-boards.{board.pk}"
        tab = open_tab(ada)
        tab.subscribe(name)
        tab.wait_for([name, "board.update", {"id": board.pk, "slug": "old"}])


def test_who_comes_late_to_a_cache_channel_is_given_the_last_state(open_tab, ada, board, backends):
    backends[3]().push_change("update", board)
    name = f"private-encrypted-cache-boards.{board.pk}"
    tab = open_tab(ada)
    tab.subscribe(name)
    tab.wait_for([name, "board.update", {"id": board.pk, "slug": "plans"}])
