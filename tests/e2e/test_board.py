"""Two browser windows show one board."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.example.running import Demo

PUSHER_JS = Path(__file__).parents[2] / "example" / "node_modules" / "pusher-js"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that a test puts in place of the site's may connect to the site as well.
    "--disable-features=LocalNetworkAccessChecks",
]


# Its event loop runs in this thread as long as the fixture lives, and tests of other modules use
# the ORM there: so not for the whole session.
@pytest.fixture(scope="module")
def browser():
    try:
        import uvicorn  # noqa: F401
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        unavailable(f"{error.name} is not installed")
    if CHROMIUM is None:
        unavailable("chromium is not installed; CHROMIUM may name its path")
    if not PUSHER_JS.exists():
        unavailable("pusher-js is not installed: npm ci --prefix example")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def demo(browser, tmp_path):
    with Demo(tmp_path) as demo:
        yield demo


class Window:
    """One browser window, as its user knows it."""

    def __init__(self, browser, url, person):
        self.frames = []
        self.errors = []
        # A person of its own, and without motion, so that the mouse finds a card where it is.
        self.context = browser.new_context(
            viewport={"width": 1300, "height": 900}, reduced_motion="reduce"
        )
        self.page = page = self.context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("websocket", lambda socket: socket.on("framereceived", self._take))
        page.goto(url)
        page.get_by_role("button", name=person).click()

    def wait_until_live(self):
        self.page.locator("#status[data-state=live]").wait_for()
        self.page.locator(".card").first.wait_for()

    def card(self, title, within=""):
        """Return the card of this title; in a list, if one is named."""
        scope = self.page
        if within:
            scope = scope.get_by_role("region", name=re.compile(rf"^{within} "))
        heading = self.page.get_by_role("heading", name=title, exact=True)
        return scope.get_by_role("listitem").filter(has=heading)

    def button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def logged(self):
        """Return the events of the log, oldest first."""
        items = self.page.locator("#log li").all()
        return [item.get_attribute("data-event") for item in reversed(items)]

    def wait_for_logged(self, count):
        self.page.locator("#log li").nth(count - 1).wait_for()
        return self.logged()

    def add(self, title, to="To do"):
        self.page.get_by_label(f"New card in {to}").fill(title)
        self.page.keyboard.press("Enter")

    def drag(self, title, to):
        """Drag the card of this title to the top of a list."""
        source = self.card(title).bounding_box()
        target = self.page.get_by_role("region", name=re.compile(rf"^{to} ")).bounding_box()
        mouse = self.page.mouse
        mouse.move(source["x"] + 60, source["y"] + 15)
        mouse.down()
        mouse.move(target["x"] + 60, target["y"] + 45, steps=8)
        mouse.up()

    def _take(self, frame):
        message = json.loads(frame)
        if message["event"].startswith("card."):
            self.frames.append((message["event"], json.loads(message["data"])["title"]))


@pytest.fixture
def open_window(browser, demo):
    windows = []

    def open_window(person="Mira"):
        windows.append(Window(browser, demo.url, person))
        if person != "Alma":
            windows[-1].wait_until_live()
        return windows[-1]

    yield open_window
    for window in windows:
        window.context.close()
    assert [window.errors for window in windows] == [[] for window in windows]


@pytest.fixture
def here(open_window):
    return open_window()


@pytest.fixture
def there(open_window):
    return open_window("Jonas")


class TestTwoWindows:
    def test_a_card_moved_in_one_moves_in_the_other_and_the_mover_gets_no_echo(self, here, there):
        here.drag("Write the release notes", to="Doing")
        there.card("Write the release notes", within="Doing").wait_for()
        here.card("Write the release notes", within="Doing").wait_for()
        assert there.wait_for_logged(1) == ["card.update"]

        # Events come in order: had there been an echo, it would have come before this one.
        there.add("Sentinel")
        assert here.wait_for_logged(1) == ["card.create"]
        assert here.frames == [("card.create", "Sentinel")]
        assert there.frames == [("card.update", "Write the release notes")]

    def test_a_request_that_names_no_connection_is_heard_by_its_own_page(self, here):
        here.page.evaluate(
            """() => fetch("/api/cards/1/", {
                method: "PATCH",
                headers: {
                    "Content-Type": "application/json",
                    "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value,
                },
                body: JSON.stringify({title: "Echo"}),
            })"""
        )
        assert here.wait_for_logged(1) == ["card.update"]
        here.card("Echo").wait_for()

    def test_what_is_added_edited_and_deleted_shows_in_the_other(self, here, there):
        here.add("A card", to="Doing")
        there.card("A card", within="Doing").wait_for()

        here.card("A card").hover()
        here.button("Edit “A card”").click()
        here.page.get_by_label("Title", exact=True).fill("A better card")
        here.page.get_by_label("Notes", exact=True).fill("With notes")
        here.button("Save").click()
        there.card("A better card").get_by_text("With notes").wait_for()

        here.card("A better card").hover()
        here.button("Delete “A better card”").click()
        here.button("Delete").click()
        there.card("A better card").wait_for(state="detached")
        assert there.wait_for_logged(3) == ["card.create", "card.update", "card.delete"]

    def test_an_edit_sends_only_what_was_edited(self, here, there):
        here.card("Pick the colours").hover()
        here.button("Edit “Pick the colours”").click()
        there.drag("Pick the colours", to="Doing")
        here.page.locator("#log li").wait_for()
        here.page.get_by_label("Title", exact=True).fill("Choose the colours")
        here.page.keyboard.press("Enter")
        there.card("Choose the colours", within="Doing").wait_for()

    def test_markup_is_text(self, here, there):
        title = "<img src=x onerror=alert(1)>"
        here.add(title)
        there.card(title).wait_for()
        assert there.page.locator("main img").count() == 0


class TestPeople:
    def test_members_see_who_is_here_until_they_leave(self, here, there):
        for window, names in ((here, ["Jonas", "Mira (you)"]), (there, ["Mira", "Jonas (you)"])):
            for name in names:
                window.page.get_by_role("list", name="Who is here").get_by_title(
                    name, exact=True
                ).wait_for()
        there.button("Leave, Jonas").click()
        here.page.get_by_title("Jonas").wait_for(state="detached")

    def test_two_windows_of_one_person_are_one(self, here, open_window):
        open_window("Mira")
        assert here.page.locator("#here li").count() == 1

    def test_others_see_where_somebody_writes(self, here, there):
        from playwright.sync_api import TimeoutError as Late

        doing = here.page.get_by_role("region", name=re.compile("^Doing "))
        hint = doing.get_by_text("Jonas is writing …")
        for _ in range(30):  # it goes by itself, maybe before a busy machine has looked
            there.page.get_by_label("New card in Doing").press("m")
            with suppress(Late):
                hint.wait_for(timeout=1_000)
                break
        else:
            pytest.fail("Nobody has seen that Jonas writes.")
        assert there.page.get_by_text("is writing").count() == 0
        hint.wait_for(state="detached")

    def test_who_is_not_a_member_is_told_kindly_and_hears_nothing(self, here, open_window):
        alma = open_window("Alma")
        alma.page.get_by_text("This board is not shared with you").wait_for()
        here.add("For members only")
        here.card("For members only").wait_for()
        assert alma.page.get_by_text("Write the release notes").count() == 0
        assert alma.frames == []
        assert here.page.locator("#here li").count() == 1


class TestKeyboard:
    def test_keys_move_a_card(self, here, there):
        press = here.page.keyboard.press
        handle = here.button("Move “Plan the demo for Thursday”")
        handle.focus()
        press("Space")
        press("ArrowRight")
        press("ArrowUp")
        assert here.page.locator("#announcer").inner_text() == "Doing, place 2 of 3."
        assert there.logged() == []
        press("Space")
        there.card("Plan the demo for Thursday", within="Doing").wait_for()
        titles = there.page.get_by_role("region", name=re.compile("^Doing ")).get_by_role(
            "heading", level=3
        )
        assert titles.all_inner_texts()[1] == "Plan the demo for Thursday"
        assert handle.evaluate("element => element === document.activeElement")

    def test_escape_puts_the_card_back(self, here):
        here.button("Move “Plan the demo for Thursday”").focus()
        for key in ["Space", "ArrowRight", "Escape"]:
            here.page.keyboard.press(key)
        assert here.card("Plan the demo for Thursday", within="To do").count() == 1


class TestTrouble:
    def test_a_refused_move_is_taken_back(self, here):
        here.page.route(
            "**/api/cards/*/", lambda route: route.fulfill(status=400, json={"list": ["Closed."]})
        )
        here.drag("Write the release notes", to="Done")
        here.page.get_by_role("alert").get_by_text("Closed.").wait_for()
        assert here.card("Write the release notes", within="To do").count() == 1

    def test_a_refused_new_card_leaves_its_title_in_the_field(self, here):
        here.page.route("**/api/cards/", lambda route: route.abort())
        here.add("Precious words")
        here.page.get_by_role("alert").get_by_text("Not saved.").wait_for()
        assert here.card("Precious words").count() == 0
        assert here.page.get_by_label("New card in To do").input_value() == "Precious words"

    def test_what_happened_while_disconnected_shows_after_the_reconnect(self, demo, here, there):
        here.page.evaluate("Pusher.instances[0].disconnect()")
        here.page.locator("#status[data-state=offline]").wait_for()
        there.drag("Write the release notes", to="Done")
        there.add("Meanwhile")
        # The demo's own subscriber has heard of it: so this page has missed it.
        demo.wait_for_line("card.create .*Meanwhile")

        here.page.evaluate("Pusher.instances[0].connect()")
        here.card("Meanwhile").wait_for()
        here.card("Write the release notes", within="Done").wait_for()
        assert here.logged() == []
