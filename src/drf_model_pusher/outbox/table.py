"""What relays do with events that they have read: a few statements, each for many rows.

All that changes rows asks whether the worker still owns them, in the same statement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils import timezone

from drf_model_pusher.conf import app_settings
from drf_model_pusher.outbox.leases import Lease
from drf_model_pusher.outbox.models import OutboxEvent
from drf_model_pusher.outbox.rows import Claimed, order_key

State = OutboxEvent.State


def finish(lease: Lease, ids: Sequence[int]) -> None:
    """Let events that have left go, or keep them for as long as the settings say."""
    rows = _own(lease).filter(id__in=ids)
    if keep := app_settings.DRF_MODEL_PUSHER_OUTBOX_KEEP_SECONDS:
        rows.update(state=State.SENT, due=timezone.now() + timedelta(seconds=keep), error="")
    else:
        # As one statement: delete() would wrap it into a transaction, for rows of other tables.
        rows._raw_delete(using=lease.using)


def note_failure(lease: Lease, entries: Sequence[Claimed], error: str) -> None:
    """Count a try that was not the events' fault."""
    rows = _own(lease).filter(id__in=[entry.id for entry in entries])
    rows.update(attempts=F("attempts") + 1, error=error)


def put_off(lease: Lease, entry: Claimed, error: str, due: datetime | None) -> None:
    """Keep an event that failed until a time, or as dead without one."""
    _own(lease).filter(id=entry.id).update(
        state=State.DEAD if due is None else State.POSTPONED,
        due=due,
        attempts=entry.attempts,
        refusals=entry.refusals,
        error=error,
    )


def put_behind(lease: Lease, entries: Sequence[Claimed], due: datetime) -> None:
    """Let events wait for as long as one of their object before them does."""
    ids = [entry.id for entry in entries]
    _own(lease).filter(id__in=ids).update(state=State.POSTPONED, due=due)


def wake(lease: Lease, now: datetime) -> None:
    """Let those events go on whose time has come; those of one object have the same."""
    rows = _own(lease).filter(state=State.POSTPONED, due__lte=now)
    rows.update(state=State.WAITING, due=None)


def postponed(lease: Lease) -> dict[str, datetime]:
    """Return the keys of all that are put off, with their times."""
    rows = _own(lease).filter(state=State.POSTPONED)
    return {
        order_key(subject, json.loads(channels)): due
        for subject, channels, due in rows.values_list("subject", "channels", "due").iterator()
        if due
    }


def prune(using: str, limit: int = 1_000) -> None:
    """Delete sent events whose time is over, in small transactions."""
    rows = OutboxEvent.objects.using(using)
    while True:
        old = rows.filter(state=State.SENT, due__lte=timezone.now()).order_by("due")
        ids = list(old.values_list("id", flat=True)[:limit])
        rows.filter(id__in=ids).delete()
        if len(ids) < limit:
            return


def _events(lease: Lease) -> QuerySet[OutboxEvent]:
    return OutboxEvent.objects.using(lease.using)


def _own(lease: Lease) -> QuerySet[OutboxEvent]:
    return _events(lease).filter(partition__in=lease.mine.values("number"))
