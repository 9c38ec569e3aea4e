"""How a relay hears of a commit at once: PostgreSQL's notifications, or a thread of this process.

It is a convenience: a relay looks for itself as well, so nothing depends on a notification.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import Error, connections

from drf_model_pusher.conf import app_settings

logger = logging.getLogger("drf_model_pusher")

_CHANNEL = "drf_model_pusher_outbox"
# Seconds for which one notification will do: a relay that has just been woken looks often.
_QUIET = 0.05
# Seconds until a connection that says nothing is tested, and until a broken one is made anew.
_TEST, _AGAIN = 30.0, 1.0

_notified: dict[str, float] = {}


def wake(using: Sequence[str]) -> None:
    """Tell relays that events were committed to a database; called after the commit.

    Args:
        using: The alias, once for each time that events were written.
    """
    alias = using[0]
    try:
        if app_settings.DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS:
            from drf_model_pusher.outbox.inprocess import ring

            ring(alias)
        elif connections[alias].vendor == "postgresql":
            _notify(alias)
    except Exception as error:  # noqa: BLE001 - the change is committed: its request has not failed
        logger.warning("relay not woken error=%s", type(error).__name__)


def _notify(alias: str) -> None:
    now = time.monotonic()
    if now > _notified.get(alias, 0.0) + _QUIET:
        _notified[alias] = now
        # After the commit and not in it: there it would let commits wait for each other.
        with connections[alias].cursor() as cursor:
            cursor.execute(f"NOTIFY {_CHANNEL}")


class Listener:
    """A thread that calls a function when the database tells of events; PostgreSQL only."""

    def __init__(self, using: str, ring: Callable[[], None]) -> None:
        self.using = using
        self.listening = False
        """Whether notifications come at the moment."""
        self._ring = ring
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin, where the database can."""
        if connections[self.using].vendor == "postgresql":
            threading.Thread(target=self._run, name="pusher_relay listener", daemon=True).start()

    def end(self) -> None:
        """Begin to end; the thread does so within a second."""
        self._ended.set()

    def _run(self) -> None:
        connection = connections[self.using]
        while not self._ended.is_set():
            try:
                self._listen(connection)
            except (Error, OSError, ValueError) as error:
                logger.warning("relay hears nothing error=%s", type(error).__name__)
            finally:
                self.listening = False
                connection.close()
            self._ended.wait(_AGAIN)

    def _listen(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {_CHANNEL}")
        raw = connection.connection
        if hasattr(raw, "add_notify_handler"):
            raw.add_notify_handler(_ignore)  # psycopg 3 would keep them for somebody who asks
        self.listening = True
        self._ring()  # for what came before
        tested = time.monotonic()
        while not self._ended.is_set():
            heard, _, _ = select.select([raw.fileno()], [], [], 1.0)
            if not heard and time.monotonic() < tested + _TEST:
                continue
            # Reads what has come, with either driver, and finds out whether the database is there.
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            tested = time.monotonic()
            if not hasattr(raw, "add_notify_handler"):
                raw.notifies.clear()  # psycopg2 keeps them
            self._ring()


def _ignore(notification: object) -> None:
    """Do nothing: that there was one is all there is to know."""
