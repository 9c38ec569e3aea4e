"""The development server's console, as a person sees it in a browser."""

from __future__ import annotations

import json

import pytest

from dev_server_tests.api_client import post
from dev_server_tests.client import Client
from dev_server_tests.serving import plain_uvicorn
from drf_model_pusher.server.testing import LocalServer
from pusher_dev_server.application import LOCAL_APP, Application
from pusher_dev_server.asgi import PusherServer

from .test_board import browser  # noqa: F401 - a fixture

HOSTILE = '<script>document.title = 1</script><img src=x onerror="document.title = 1">'
TOKEN = "0123456789abcdef"


class Window:
    """A console, and what went wrong in it."""

    def __init__(self, browser, url, **options):  # noqa: F811
        self.errors = []
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page = page = self.context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)
        page.goto(url)

    def wait_until_live(self):
        self.page.locator("#status[data-state=live]").wait_for()

    def row(self, list_id, *texts):
        """Return the row of a list that has all these texts, once there is one."""
        row = self.page.locator(f"#{list_id} > li")
        for text in texts:
            row = row.filter(has_text=text)
        row.first.wait_for()
        return row.first

    def open_row(self, list_id, *texts):
        row = self.row(list_id, *texts)
        row.locator("summary").click()
        return row

    def send(self, channel, name, data):
        self.page.get_by_label("Channel", exact=True).fill(channel)
        self.page.get_by_label("Event", exact=True).fill(name)
        self.page.get_by_label("Data").fill(data)
        self.page.get_by_role("button", name="Send", exact=True).click()

    def _note(self, message):
        # A refused script would be reported here, and so would a request to somewhere else.
        if "Content Security Policy" in message.text or "Trusted" in message.text:
            self.errors.append(message.text)


@pytest.fixture
def open_window(browser):  # noqa: F811
    windows = []

    def open_window(url, **options):
        windows.append(Window(browser, url, **options))
        return windows[-1]

    yield open_window
    for window in windows:
        window.context.close()
    assert [window.errors for window in windows] == [[] for _ in windows]


@pytest.fixture
def console(open_window, pusher_server):
    window = open_window(pusher_server.url)
    window.wait_until_live()
    return window


class TestConsole:
    def test_connections_channels_members_and_payloads_appear_as_they_happen(
        self, console, pusher_server
    ):
        with Client(pusher_server) as client:
            assert "0 channels" in console.row("connections", client.socket_id).inner_text()
            client.subscribe("presence-board", '{"user_id":"7","user_info":{"name":"Ada"}}')
            channel = console.open_row("channels", "presence-board", "1 member, 1 subscriber")
            assert '7 {"name":"Ada"}' in channel.inner_text()
            console.row("connections", client.socket_id, "1 channel")

            event = {"name": "card.update", "channel": "presence-board", "data": '{"id":5}'}
            post(pusher_server, "/events", event)
            entry = console.open_row("log", "published", "card.update", "presence-board")
            assert '"id": 5' in entry.locator("pre").inner_text()
        console.page.get_by_text("Nobody is connected.").or_(
            console.page.locator("#connections:empty")
        ).first.wait_for(state="attached")
        assert console.page.locator("#channels > li").count() == 0

    @pytest.mark.parametrize(
        ("data", "shown"),
        [
            ('{"id":9007199254740993,"2":1.0}', '{\n  "id": 9007199254740993,\n  "2": 1.0\n}'),
            ('[[],{}, "a\\"[,\\u00e9"]', '[\n  [],\n  {},\n  "a\\"[,é"\n]'),
            ("17", "17"),
            ("no JSON, ", "no JSON, "),
        ],
    )
    def test_payloads_are_laid_out_and_not_changed(self, console, pusher_server, data, shown):
        post(pusher_server, "/events", {"name": "e", "channel": "a", "data": data})
        entry = console.open_row("log", "published")
        assert entry.locator("pre").text_content() == shown

    def test_numbers_of_members_are_not_changed(self, console, pusher_server):
        with Client(pusher_server) as client:
            client.subscribe("presence-a", '{"user_id":"7","user_info":{"id":9007199254740993}}')
            channel = console.open_row("channels", "presence-a")
            assert '7 {"id":9007199254740993}' in channel.inner_text()

    def test_a_test_event_reaches_a_real_client(self, console, pusher_server):
        with Client(pusher_server) as client:
            client.subscribe("orders")
            console.send("orders", "order.update", '{"id": 7}')
            assert json.loads(client.receive("order.update")["data"]) == {"id": 7}
            console.page.get_by_text("Sent to orders.").wait_for()
            console.row("log", "published", "order.update")

    @pytest.mark.parametrize(
        ("channel", "data", "reason"),
        [("orders", "{", "The data is not JSON"), ("a b", "{}", "channel")],
    )
    def test_what_cannot_be_sent_is_explained(self, console, pusher_server, channel, data, reason):
        console.send(channel, "e", data)
        console.page.locator("#result[data-state=error]", has_text=reason).wait_for()
        assert pusher_server.events == []

    def test_the_keyboard_is_enough(self, console, pusher_server):
        page = console.page
        with Client(pusher_server) as client:
            client.subscribe("orders")
            console.row("channels", "orders")
            page.locator("#channels summary").focus()
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")  # "Send to it"
            page.keyboard.press("Control+Enter")
            assert client.receive("test-event")["channel"] == "orders"

    def test_it_can_be_paused_filtered_and_cleared(self, console, pusher_server):
        console.page.get_by_role("button", name="Pause").click()
        for name in ("one", "two"):
            post(pusher_server, "/events", {"name": name, "channel": "c", "data": "{}"})
        console.page.get_by_role("button", name="Go on (2)").click()
        console.row("log", "one")
        console.page.get_by_label("Filter events").fill("two")
        console.page.locator("#log > li", has_text="one").wait_for(state="hidden")
        console.page.get_by_role("button", name="Clear").click()
        assert console.page.locator("#log > li").count() == 0

    def test_it_comes_back_when_the_server_does(self, open_window):
        with LocalServer() as server:
            window = open_window(server.url)
            window.wait_until_live()
        window.page.locator("#status[data-state=offline]").wait_for()
        with LocalServer(port=server.port) as again:
            window.wait_until_live()
            post(again, "/events", {"name": "back", "channel": "c", "data": "{}"})
            window.row("log", "back")

    def test_apps_are_chosen(self, open_window):
        apps = [Application(id=name, key=f"key-{name}", secret="s") for name in "12"]
        with LocalServer(apps) as server:
            window = open_window(server.url)
            window.wait_until_live()
            window.page.get_by_label("App").select_option("2")
            window.page.get_by_text("App 2 with key key-2").wait_for()


class TestLongNames:
    BEGINNING = "private-tenants.0198a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b.orders."

    @pytest.mark.parametrize("width", [320, 800, 1280])
    def test_channels_that_share_a_long_beginning_are_told_apart(
        self, console, pusher_server, width
    ):
        console.page.set_viewport_size({"width": width, "height": 900})
        for end in ("one", "two"):
            event = {"name": "order.update", "channel": self.BEGINNING + end, "data": "{}"}
            post(pusher_server, "/events", event)
        for end in ("one", "two"):
            row = console.row("log", self.BEGINNING + end)
            assert row.bounding_box()["height"] < 100
            tail, what = (row.locator(place).bounding_box() for place in (".tail", ".what"))
            assert tail["x"] + tail["width"] <= what["x"] + what["width"] + 1
            assert row.locator(".tail").inner_text().endswith(f"orders.{end}")

    def test_a_phone_shows_events_first(self, console, pusher_server):
        console.page.set_viewport_size({"width": 390, "height": 844})
        post(pusher_server, "/events", {"name": "e", "channel": "a", "data": "{}"})
        entry = console.row("log", "published").bounding_box()
        form = console.page.locator("#send").bounding_box()
        assert entry["y"] + entry["height"] < 400
        assert entry["y"] < form["y"]


class TestAttacks:
    def test_hostile_text_stays_text(self, console, pusher_server):
        member = {"user_id": HOSTILE[:100], "user_info": {"name": HOSTILE}}
        with Client(pusher_server) as client:
            client.subscribe("presence-a", json.dumps(member))
            client.say("pusher:subscribe", {"channel": HOSTILE})
            post(
                pusher_server,
                "/events",
                {"name": HOSTILE[:190], "channel": "presence-a", "data": HOSTILE},
            )
            console.open_row("log", "published", "<script>")
            console.open_row("log", "refused", "<script>")
            channel = console.open_row("channels", "presence-a")
            assert "<script>" in channel.inner_text()
        assert console.page.title() == "Pusher server"
        assert console.page.locator("main script, main img").count() == 0

    def test_another_page_can_neither_read_nor_send_nor_frame(self, open_window, pusher_server):
        """The other page is of the same machine and another port: as near as another can be."""

        async def other(scope, receive, send):
            if scope["type"] == "lifespan":
                return
            head = {"type": "http.response.start", "status": 200}
            await send({**head, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"<!doctype html>"})

        with plain_uvicorn(other) as port:
            window = open_window(f"http://127.0.0.1:{port}/")
            body = json.dumps({"name": "e", "channel": "c", "data": "{}"})
            outcomes = window.page.evaluate(
                """async ([url, body]) => {
                    const outcome = (path, options) =>
                        fetch(url + path, options).then((r) => r.type, () => "refused");
                    const stream = new WebSocket(url.replace("http", "ws") + "/console/stream");
                    const streamed = new Promise((resolve) => {
                        stream.onmessage = () => resolve("told");
                        stream.onerror = () => resolve("refused");
                    });
                    return [
                        await streamed,
                        await outcome("/console/events", { method: "POST", body,
                            headers: { "Content-Type": "application/json" } }),
                        await outcome("/console/events", { method: "POST", body, mode: "no-cors" }),
                    ];
                }""",
                [pusher_server.url, body],
            )
        assert outcomes in (["refused"] * 3, ["refused", "refused", "opaque"])
        assert pusher_server.events == []


class TestToken:
    def test_it_is_asked_for_until_it_is_right(self, open_window):
        with plain_uvicorn(PusherServer([LOCAL_APP], console_token=TOKEN)) as port:
            window = open_window(f"http://127.0.0.1:{port}/")
            for given in ("wrong", TOKEN):
                window.page.get_by_role("textbox", name="Token").fill(given)
                window.page.get_by_role("button", name="Open").click()
            window.wait_until_live()
            assert TOKEN not in window.page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 800, 1600])
def test_nothing_is_wider_than_the_window(open_window, pusher_server, scheme, width):
    window = open_window(pusher_server.url, color_scheme=scheme)
    window.page.set_viewport_size({"width": width, "height": 700})
    window.wait_until_live()
    with Client(pusher_server) as client:
        client.subscribe("presence-" + "long" * 35, '{"user_id":"%s"}' % ("x" * 120))
        window.open_row("channels", "presence-")
        client.say("pusher:subscribe", {"channel": "#" + "y" * 190})
        window.open_row("log", "refused")
        assert window.page.evaluate("document.documentElement.scrollWidth") <= width
