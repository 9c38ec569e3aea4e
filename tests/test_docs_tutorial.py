"""The tutorial, followed word by word in an empty folder: its files, its commands, its browsers."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.availability import unavailable
from tests.e2e.test_board import CHROMIUM, FLAGS, PUSHER_JS
from tests.newcomer import ROOT, Reader

PAGE = ROOT / "docs" / "tutorial.md"


@pytest.fixture
def reader(tmp_path):
    if sys.platform == "win32" or shutil.which("bash") is None or shutil.which("curl") is None:
        unavailable("the tutorial needs bash and curl")
    pytest.importorskip("uvicorn", reason="the extra [server] is not installed")
    reader = Reader(tmp_path, PAGE.read_text())
    yield reader
    reader.end()


@pytest.fixture
def open_window(reader):
    """Return what opens a window of a new visitor; None without a browser."""
    script = PUSHER_JS / "dist" / "web" / "pusher.min.js"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        yield None
        return
    if CHROMIUM is None or not script.exists():
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def open_window():
            page = browser.new_context().new_page()
            page.set_default_timeout(30_000)
            page.route("https://js.pusher.com/**", lambda route: route.fulfill(path=script))
            page.goto(f"http://127.0.0.1:{reader.site_port}/")
            return page

        yield open_window
        browser.close()


def test_whoever_follows_the_tutorial_gets_what_it_shows(reader, open_window):
    windows = []

    def two_browsers():
        windows.extend([open_window(), open_window()])
        for window in windows:
            window.get_by_text("Ada: open").wait_for()
        windows[0].get_by_placeholder("Customer").fill("Grace")
        windows[0].get_by_role("button", name="Add").click()
        for window in windows:
            window.get_by_text("Grace: open").wait_for()
        windows[1].get_by_role("button", name="Pay").last.click()
        for window in windows:
            window.get_by_text("Grace: paid").wait_for()

    def only_for_those_who_may_see_it():
        for window in windows:
            window.reload()
            window.get_by_text("refused (403)").wait_for()
        signed_in, other = windows
        signed_in.goto(f"http://127.0.0.1:{reader.site_port}/accounts/login/?next=/")
        signed_in.get_by_label("Username").fill("ada")
        signed_in.get_by_label("Password").fill("lovelace")
        signed_in.get_by_role("button", name="Log in").click()
        signed_in.get_by_text("live", exact=True).wait_for()
        signed_in.get_by_text("Grace: paid").wait_for()
        other.reload()
        other.get_by_text("refused (403)").wait_for()
        assert other.get_by_role("listitem").count() == 0

    browsing = {
        "Two browsers": two_browsers,
        "Only for those who may see it": only_for_those_who_may_see_it,
    }

    def after_section(heading):
        step = browsing.pop(heading, None)
        if step and open_window:
            step()

    reader.follow(after_section)
    assert not browsing
    if open_window is None:
        unavailable("all but the browsers: there is no chromium, playwright or pusher-js")
