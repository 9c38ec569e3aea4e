"""The delivery that loses nothing: a row in the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, transaction

from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.delivery.commits import after_commit
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import SettingError


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

    def accept(self, events: Sequence[PusherEvent], *, using: str | None = None) -> None:
        """Write events in the current transaction of the database that the change was written to.

        Raises:
            SettingError: The app ``drf_model_pusher.outbox`` is not installed.
            DatabaseError: They could not be written; the change must not be committed either.
        """
        self._write(events, using or DEFAULT_DB_ALIAS)

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Write events to the default database."""
        self._write(events, DEFAULT_DB_ALIAS)

    def flush(self, timeout: float | None = None) -> bool:
        """Do nothing: what was taken is in the database."""
        return True

    def _write(self, events: Sequence[PusherEvent], using: str) -> None:
        if not events:
            return
        write, notify = self._table
        with transaction.mark_for_rollback_on_error(using=using):
            write(events, using)
        # Once a transaction, however often something is pushed in it.
        after_commit(notify, [using], using=using)

    @cached_property
    def _table(self) -> tuple[Callable[..., None], Callable[[Sequence[str]], None]]:
        """What writes rows, and what tells relays of it: both need the app's models."""
        if not apps.is_installed("drf_model_pusher.outbox"):
            raise SettingError(
                "OutboxDelivery has no table.",
                hint='Add "drf_model_pusher.outbox" to INSTALLED_APPS, and migrate.',
            )
        from drf_model_pusher.outbox.notifying import notify
        from drf_model_pusher.outbox.rows import write

        return write, notify
