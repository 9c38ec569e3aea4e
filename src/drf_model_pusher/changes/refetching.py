"""Changes whose objects are read again: gathered by transaction, read once it is committed.

A delivery that writes events into the transaction of their change needs them before the commit, of
which Django tells nobody: there each change is read at once, within the transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import models, router, transaction

from drf_model_pusher.changes.netting import Change, gone_change
from drf_model_pusher.changes.settling import Settlement
from drf_model_pusher.changes.touching import parents_of
from drf_model_pusher.composing import compose
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.delivery.base import postponed
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.pushing import wrong_settings_logged

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

logger = logging.getLogger("drf_model_pusher")


def add(changes: Sequence[Change]) -> None:
    """Tell of changes in one database once its transaction is committed; outside of one at once."""
    if not changes or postponed(partial(add, changes)):
        return
    with wrong_settings_logged:
        using, delivery = changes[0].using, get_delivery()
        if transaction.get_connection(using).in_atomic_block and (
            not delivery.writes_in_transaction()
        ):
            delivery.put_off(_settle_later, changes, using=using)
        else:
            Settlement(using).settle(changes)


def _settle_later(changes: Sequence[Change | PusherEvent]) -> None:
    """Settle after a commit: an error would keep the project's own hooks from running."""
    try:
        with wrong_settings_logged:
            using = next(each.using for each in changes if isinstance(each, Change))
            Settlement(using, after_commit=True).settle(changes)
    except Exception:
        logger.exception("changes not pushed reason=error changes=%d", len(changes))


def push(
    backend: PusherBackend, event: str, instance: Any, *, ignore: bool, using: str | None
) -> None:
    """Push a change of an object that is read again, and the updates of its parents.

    A deletion, or a change of no object, is pushed as it is now.
    """
    using = using or router.db_for_write(backend.model)
    if event == "delete" or not isinstance(instance, models.Model):
        events = compose(backend, event, instance, ignore=ignore, using=using)
        change = gone_change(backend, event, instance, events, using=using)
    else:
        change = Change(
            backend=backend,
            event=event,
            keys=[instance.pk],
            using=using,
            ignore=ignore,
            asked=True,
            before={instance.pk: backend.before} if backend.before is not None else {},
            changed_fields=backend.changed_fields,
        )
    add([change, *_parents(backend, instance, ignore=ignore, using=using)])


def touch(backend: PusherBackend, instance: Any, *, ignore: bool, using: str | None) -> None:
    """Push that the parents of an object are updated."""
    using = using or router.db_for_write(backend.model)
    add(_parents(backend, instance, ignore=ignore, using=using))


def _parents(backend: PusherBackend, instance: Any, *, ignore: bool, using: str) -> list[Change]:
    if not isinstance(instance, models.Model):
        return []
    return list(parents_of(backend, instance, ignore=ignore, using=using))
