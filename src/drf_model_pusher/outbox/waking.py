"""How a relay hears of a commit at once: PostgreSQL's notifications, or a thread of this process.

It is a convenience: a relay looks for itself as well, so nothing depends on a notification.
"""

from __future__ import annotations

import logging
import math
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db import Error, connections

from drf_model_pusher.conf import app_settings

logger = logging.getLogger("drf_model_pusher")

_CHANNEL = "drf_model_pusher_outbox"
# Seconds for which one notification will do: a relay that has just been woken looks often.
_QUIET = 0.05

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
    if now > _notified.get(alias, -math.inf) + _QUIET:
        _notified[alias] = now
        # After the commit and not in it: there it would let commits wait for each other.
        with connections[alias].cursor() as cursor:
            cursor.execute(f"NOTIFY {_CHANNEL}")


class Bell:
    """Wakes a worker when somebody sets it, and when the database tells of events.

    It stands in the place of a ``threading.Event``. Where the database can tell, it does so over
    the worker's own connection, which is asked next: there is no way between. All but ``set()`` is
    called in the worker's thread.
    """

    def __init__(self, using: str) -> None:
        self.using = using
        self._heard = False
        self._raw: Any = None
        self._end, self._other_end = socket.socketpair()
        self._end.setblocking(False)
        self._other_end.setblocking(False)

    @property
    def listening(self) -> bool:
        """Whether notifications come at the moment."""
        return self._raw is not None and connections[self.using].connection is self._raw

    def set(self) -> None:
        """Wake the worker, now or when it is about to wait."""
        # It may have ended, or been rung so often that once more is no matter.
        with suppress(OSError):
            self._other_end.send(b"!")

    def clear(self) -> None:
        """Forget what was heard up to now, since the worker is about to look for itself.

        Raises:
            DatabaseError: The connection is broken.
        """
        with suppress(BlockingIOError):
            while self._end.recv(4096):
                pass
        connection = connections[self.using]
        if connection.vendor == "postgresql":
            connection.ensure_connection()
            if not self.listening:
                self._listen(connection)
            self._read()
        self._heard = False

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds at the most; say whether something was heard."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._end, selectors.EVENT_READ)
            if self.listening:
                try:
                    self._read()
                except Error:
                    return True  # the next look finds out
                if self._heard:
                    return True
                selector.register(self._raw, selectors.EVENT_READ)
            return bool(selector.select(timeout))

    def close(self) -> None:
        """Let go what it holds of the system."""
        self._end.close()
        self._other_end.close()

    def _listen(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {_CHANNEL}")
        self._raw = connection.connection
        if hasattr(self._raw, "pgconn"):
            # Some come with the answer to a question.
            self._raw.add_notify_handler(self._hear)

    def _read(self) -> None:
        """Take note of what has come, without asking the database."""
        with connections[self.using].wrap_database_errors:
            if hasattr(self._raw, "pgconn"):
                self._raw.pgconn.consume_input()
                while self._raw.pgconn.notifies():
                    self._heard = True
            else:  # psycopg2
                self._raw.poll()
                self._heard = self._heard or bool(self._raw.notifies)
                self._raw.notifies.clear()

    def _hear(self, notification: object) -> None:
        self._heard = True
