"""How a relay learns of a commit at once: PostgreSQL notifies it, or a thread of this process.

It is a convenience: a relay looks for itself as well, so nothing depends on a notification.
"""

from __future__ import annotations

import logging
import math
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
# Seconds between two tries to listen, and the longest time until it is noticed that it is over.
_TROUBLED = 1.0

_notified: dict[str, float] = {}


def notify(using: Sequence[str]) -> None:
    """Notify relays that rows were committed to a database; called after the commit.

    Args:
        using: The alias, once for each time that rows were written.
    """
    alias = using[0]
    try:
        if app_settings.DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS:
            from drf_model_pusher.outbox.inprocess import start_or_wake

            start_or_wake(alias)
        elif connections[alias].vendor == "postgresql":
            _notify(alias)
    except Exception as error:  # noqa: BLE001 - the change is committed: its request has not failed
        logger.warning("relay not notified error=%s", type(error).__name__)


def _notify(alias: str) -> None:
    now = time.monotonic()
    if now > _notified.get(alias, -math.inf) + _QUIET:
        _notified[alias] = now
        # After the commit and not in it: there it would let commits wait for each other.
        with connections[alias].cursor() as cursor:
            cursor.execute(f"NOTIFY {_CHANNEL}")


class Notifier:
    """Listens to PostgreSQL for all workers of a process, on a connection of its own.

    A worker's own would hear nothing while its transaction is open.

    Args:
        using: The alias of the database.
        wake: Called when rows may have been committed.
    """

    def __init__(self, using: str, wake: Callable[[], None]) -> None:
        self.using = using
        self.listening = False
        """Whether notifications come at the moment."""
        self._wake = wake
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pusher_relay listens", daemon=True)

    def start(self) -> None:
        """Listen, where the database can notify."""
        if connections[self.using].vendor == "postgresql":
            self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._over.set()

    def _run(self) -> None:
        connection = connections[self.using]
        while not self._over.is_set():
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {_CHANNEL}")
                    self._listen(connection.connection, cursor)
            except (Error, OSError, ValueError):
                self._over.wait(_TROUBLED)  # the workers say what is wrong
            finally:
                self.listening = False
                connection.close()

    def _listen(self, raw: Any, cursor: Any) -> None:
        # Both drivers keep notifications that nobody takes.
        if handles := hasattr(raw, "add_notify_handler"):
            raw.add_notify_handler(lambda notification: None)
        self.listening = True
        self._wake()
        while not self._over.is_set():
            if select.select([raw.fileno()], [], [], _TROUBLED)[0]:
                cursor.execute("SELECT 1")  # with its answer come the notifications
                if not handles:
                    raw.notifies.clear()
                self._wake()
