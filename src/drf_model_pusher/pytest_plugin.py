"""Fixtures for projects that use the package. Loading this imports nothing heavy, and no Django."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drf_model_pusher.server.runner import LocalServer


@pytest.fixture
def pusher_server() -> Iterator[LocalServer]:
    """A server of Pusher's protocol on a free port of 127.0.0.1, for one test.

    It has ``url``, ``ws_url``, ``host``, ``port``, ``app_id``, ``key`` and ``secret`` to point
    settings and clients at. ``events`` are those that were published to it;
    ``wait_for_event("order.update", channel="orders", timeout=5)`` returns one, as soon as it is
    there; ``record`` knows all else that happened.
    """
    from drf_model_pusher.server.runner import LocalServer

    with LocalServer() as server:
        yield server
