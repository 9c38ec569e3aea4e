"""The pytest fixture. Loading this imports no server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pusher_dev_server.testing import LocalServer


@pytest.fixture
def pusher_dev_server() -> Iterator[LocalServer]:
    """A server of Pusher's protocol on a free port of 127.0.0.1, for one test.

    Point clients at its ``host``, ``port``, ``app_id``, ``key`` and ``secret``; ``ws_url`` is for
    WebSockets. ``events`` are what was published; ``wait_for_event("order.update",
    channel="orders", timeout=5)`` returns one as soon as it has come.
    """
    from pusher_dev_server.testing import LocalServer

    with LocalServer() as server:
        yield server
