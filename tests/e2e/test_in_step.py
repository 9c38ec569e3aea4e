"""Two pages, pusher-js and Laravel Echo, whose network is cut and slowed, end equal to a GET.

``ROUNDS=200`` runs as many rounds; by default there are fewer.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.availability import unavailable
from tests.e2e.network import Network
from tests.e2e.test_board import browser, demo  # noqa: F401 - fixtures

ROUNDS = int(os.environ.get("ROUNDS", "15"))
ECHO = Path(__file__).parents[2] / "client/node_modules/laravel-echo/dist/echo.iife.js"
PAGE = Path(__file__).with_name("in_step.html")
WRITES = ["create", "update", "update", "update", "delete"]


class Page:
    """A page with a list of cards, behind a network of its own."""

    def __init__(self, browser, demo, network, query, person):  # noqa: F811
        self.network = network
        self.errors = []
        self.context = browser.new_context()
        # The pages of the demo know neither Echo nor this page.
        self.context.route("**/in-step/?*", lambda route: route.fulfill(path=PAGE))
        self.context.route("**/in-step/echo.js", lambda route: route.fulfill(path=ECHO))
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        site = f"http://127.0.0.1:{network.port}/"
        self.page.goto(site)
        self.page.get_by_role("button", name=person).click()
        self.page.goto(f"{site}in-step/?key=task-board&{query}")
        self.page.wait_for_function("window.page?.state().status === 'live'")

    def act(self, what, title, chance):
        self.page.evaluate("([what, ...rest]) => page[what](...rest)", [what, title, chance])

    def state(self):
        return self.page.evaluate("page.state()")


class Others:
    """Those who write without a page, and whose network is good."""

    def __init__(self, page, url):
        self.requests, self.api = page.context.request, f"{url}api/cards/"
        (token,) = [each["value"] for each in page.context.cookies() if each["name"] == "csrftoken"]
        self.headers = {"X-CSRFToken": token, "Referer": url}

    def cards(self):
        cards = self.requests.get(f"{self.api}?board=1").json()
        return sorted(cards, key=lambda card: card["id"])

    def act(self, what, title, chance):
        cards = self.cards()
        if what == "create" or not cards:
            method, path, data = "POST", "", {"title": title, "list": 1}
        else:
            path = f"{cards[int(chance * len(cards))]['id']}/"
            method, data = ("DELETE", None) if what == "delete" else ("PATCH", {"title": title})
        self.requests.fetch(self.api + path, method=method, data=data, headers=self.headers)


@pytest.fixture
def pages(browser, demo):  # noqa: F811
    if not ECHO.exists():
        unavailable("laravel-echo is not installed: npm ci --prefix client")
    port = urlsplit(demo.url).port
    with ExitStack() as stack:
        networks = [stack.enter_context(Network(port, seed)) for seed in (1, 2)]
        kinds = [("client=pusher-js", "Mira"), ("client=echo&version=version", "Jonas")]
        pages = [
            Page(browser, demo, network, *kind)
            for network, kind in zip(networks, kinds, strict=True)
        ]
        yield pages
        for page in pages:
            page.context.close()
        assert [page.errors for page in pages] == [[], []]


def wait_for_rest(pages, others):
    """Return what each page shows and what a GET shows, once nothing is under way."""
    deadline = time.monotonic() + 60
    while True:
        states = [page.state() for page in pages]
        is_calm = all(each["status"] == "live" and not each["writing"] for each in states)
        cards = others.cards()
        if is_calm and all(each["items"] == cards for each in states):
            return
        if time.monotonic() > deadline:
            assert [each | {"writing": 0} for each in states] == [
                {"status": "live", "writing": 0, "items": cards} for _ in pages
            ]
        pages[0].page.wait_for_timeout(100)


def test_pages_end_equal_to_a_get(pages, demo):  # noqa: F811
    others = Others(pages[0], demo.url)
    for number in range(ROUNDS):
        chance = random.Random(number)
        for page in pages:
            page.network.delay = chance.choice([0, 0.05, 0.3])
        for step in range(chance.randint(5, 20)):
            page = chance.choice(pages)
            if chance.random() < 0.1:
                page.network.cut()
            elif chance.random() < 0.3:
                page.network.restore()
            who = chance.choice([*pages, others])
            who.act(chance.choice(WRITES), f"round {number}.{step}", chance.random())
            time.sleep(chance.choice([0, 0.02, 0.2]))
        for page in pages:
            page.network.restore()
            page.network.delay = 0
        wait_for_rest(pages, others)
