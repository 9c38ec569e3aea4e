from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import settings

from dev_server_tests.node import node as node
from pusher_dev_server import log
from pusher_dev_server.testing import LocalServer

# A shell that starts the tests in the background makes them, and their children, ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def fresh_log() -> Iterator[None]:
    """What an earlier test has logged counts for no other."""
    log.throttle.clear()
    yield
    log.throttle.clear()


@pytest.fixture(autouse=True, scope="module")
def no_process_is_left() -> Iterator[None]:
    """Whatever fails, a module ends the processes that it starts."""
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert [each.cmdline() for each in left] == []


@pytest.fixture
def server(pusher_dev_server: LocalServer) -> LocalServer:
    """The fixture that the package brings, under a short name."""
    return pusher_dev_server
