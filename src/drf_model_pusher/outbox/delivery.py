"""The delivery that loses nothing: a row in the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any, TypeAlias

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, transaction

from drf_model_pusher.changes.flushing import events_of
from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import SettingError

_Write: TypeAlias = Callable[[Sequence[PusherEvent], str], None]
_Wake: TypeAlias = Callable[[Sequence[str]], None]


class OutboxDelivery(BaseDelivery):
    """Writes events into the database of the change; a relay sends them until the service has them.

    They are committed or rolled back with the change. A relay is ``manage.py pusher_relay``, or a
    thread of this process with ``DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS``.
    """

    leaves = "a row in the transaction of the change; a relay sends it, in batches"
    survives_crash = True
    keeps_order = "object"
    waits_for_provider = False
    needs = "the app `drf_model_pusher.outbox`, and a relay"
    joins_transaction = True

    def store(self, changes: Sequence[Any], *, using: str) -> None:
        """Write the events of changes in their transaction.

        Raises:
            SettingError: The app ``drf_model_pusher.outbox`` is not installed.
            DatabaseError: They could not be written; the change must not be committed either.
        """
        self._write(list(events_of(changes, using)), using)

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Write events to the default database."""
        self._write(events, DEFAULT_DB_ALIAS)

    def flush(self, timeout: float | None = None) -> bool:
        """Do nothing: what was taken is in the database."""
        return True

    def _write(self, events: Sequence[PusherEvent], using: str) -> None:
        write, wake = self._table
        write(events, using)
        transaction.on_commit(partial(wake, [using]), using=using)

    @cached_property
    def _table(self) -> tuple[_Write, _Wake]:
        """What writes events, and what tells relays of it: both need the app's models."""
        if not apps.is_installed("drf_model_pusher.outbox"):
            raise SettingError(
                "OutboxDelivery has no table.",
                hint='Add "drf_model_pusher.outbox" to INSTALLED_APPS, and migrate.',
            )
        from drf_model_pusher.outbox.waking import wake
        from drf_model_pusher.outbox.writing import write

        return write, wake
