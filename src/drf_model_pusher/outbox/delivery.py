"""The delivery that loses nothing: a row in the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, transaction

from drf_model_pusher.change import Recorded
from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import SettingError


class OutboxDelivery(BaseDelivery):
    """Writes changes into their database; a relay sends their events until the service has them.

    They are committed or rolled back with the change. A relay is ``manage.py pusher_relay``, or a
    thread of this process with ``DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS``.
    """

    leaves = "a row in the transaction of the change; a relay sends it, in batches"
    survives_crash = True
    keeps_order = "object"
    waits_for_provider = False
    needs = "the app `drf_model_pusher.outbox`, and a relay"
    joins_transaction = True

    def store(self, changes: Sequence[Recorded], *, using: str) -> None:
        """Write changes in the current transaction of their database.

        Raises:
            SettingError: The app ``drf_model_pusher.outbox`` is not installed.
            DatabaseError: They could not be written; the change must not be committed either.
        """
        write, notify = self._table
        together = transaction.mark_for_rollback_on_error
        if not transaction.get_connection(using).in_atomic_block:
            together = partial(transaction.atomic, savepoint=False)
        with together(using=using):
            write(changes, using)
        transaction.on_commit(partial(notify, [using]), using=using)

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Write events to the default database."""
        self.store(events, using=DEFAULT_DB_ALIAS)

    def flush(self, timeout: float | None = None) -> bool:
        """Do nothing: what was taken is in the database."""
        return True

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
