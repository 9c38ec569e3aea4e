"""Fixtures for projects that use the package. Loading this imports nothing heavy, and no Django.

While it is loaded, no test talks to Pusher by accident: see ``docs/testing.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drf_model_pusher.server.testing import LocalServer
    from drf_model_pusher.testing import CapturedEvents


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let the memory provider stand in for all others, before any fixture of the test."""
    if _is_installed():
        from drf_model_pusher.testing.stand_in import begin_test

        begin_test()


def pytest_unconfigure() -> None:
    """Put the settings back."""
    if module := sys.modules.get("drf_model_pusher.testing.stand_in"):
        module.end_run()


def _is_installed() -> bool:
    """Say whether the project of the tests uses the package, and has been set up."""
    django = sys.modules.get("django.apps")
    return (
        django is not None
        and django.apps.ready
        and bool(django.apps.is_installed("drf_model_pusher"))
    )


@pytest.fixture
def pusher_events() -> Iterator[CapturedEvents]:
    """The list of events that leave in the test, or would if its transaction were committed.

    An event is in it as soon as each transaction block of the code under test is over that it was
    pushed in, and never after a rollback. None of them is sent.
    """
    from drf_model_pusher.testing import capture_events

    with capture_events() as events:
        yield events


@pytest.fixture
def pusher_server() -> Iterator[LocalServer]:
    """A server of Pusher's protocol on a free port of 127.0.0.1, for one test.

    It has ``url``, ``ws_url``, ``host``, ``port``, ``app_id``, ``key`` and ``secret`` to point
    settings and clients at. ``events`` are those that were published to it;
    ``wait_for_event("order.update", channel="orders", timeout=5)`` returns one, as soon as it is
    there; ``recorder`` knows all else that happened.
    """
    from drf_model_pusher.server.testing import LocalServer

    with LocalServer() as server:
        yield server
