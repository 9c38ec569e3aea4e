"""Who owns which partitions, agreed upon by all workers through the database alone.

A worker has a row that it renews; while the row is there, the partitions with the worker's id are
its own, and nobody else touches their events. A row that has expired is deleted by whoever sees it
first, which the renewal of its owner then notices: of the two statements one comes first. So a
partition changes hands only after its owner knows, by its own clock, that its time is over.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from datetime import timedelta

from django.db import connections, transaction
from django.db.models import ExpressionWrapper, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.fields import DateTimeField

from drf_model_pusher.conf import app_settings
from drf_model_pusher.outbox.clock import Now
from drf_model_pusher.outbox.models import PARTITIONS, OutboxPartition, OutboxWorker

#: Seconds from one look at the others to the next.
BEAT = 2.0


class Lease:
    """One worker's hold on its partitions."""

    def __init__(self, using: str) -> None:
        self.using = using
        self.id = ""
        """The worker's id; empty while it has none."""
        self.size = 0
        """How many partitions it owns."""
        self._until = 0.0
        self._beat_at = 0.0

    @property
    def mine(self) -> QuerySet[OutboxPartition]:
        """The partitions that are this worker's at the moment of the query."""
        return self._partitions.filter(owner=self.id)

    def covers(self, seconds: float) -> bool:
        """Say whether nobody else can become the owner for so long."""
        return bool(self.id) and time.monotonic() + seconds < self._until

    @property
    def seconds_to_spare(self) -> float:
        """How long it is safe to be idle before ``keep()`` is called again."""
        return self._until - time.monotonic() - _seconds() / 2

    def keep(self, sent_per_minute: int = 0) -> bool:
        """Renew, and take or give partitions so that all workers have a fair share.

        Call it while no event is in hand: a partition may be given away.

        Returns:
            Whether the worker owns partitions that it did not own before.
        """
        if time.monotonic() < self._beat_at:
            return False
        # Before the statement: the database's clock cannot be behind this.
        asked = time.monotonic()
        if not self._renew(sent_per_minute):
            self._register()
        self._until = asked + _seconds()
        self._beat_at = asked + BEAT
        return self._share()

    def give_up(self) -> None:
        """Let others have the partitions at once."""
        if self.id:
            self._workers.filter(id=self.id).delete()
            self.id, self.size, self._until, self._beat_at = "", 0, 0.0, 0.0

    @property
    def _workers(self) -> QuerySet[OutboxWorker]:
        return OutboxWorker.objects.using(self.using)

    @property
    def _partitions(self) -> QuerySet[OutboxPartition]:
        return OutboxPartition.objects.using(self.using)

    def _renew(self, sent_per_minute: int) -> bool:
        # One that has expired stays so: others may have acted on it.
        valid = self._workers.filter(id=self.id, expires__gt=Now())
        return bool(self.id) and bool(
            valid.update(expires=_expiry(), sent_per_minute=sent_per_minute)
        )

    def _register(self) -> None:
        self.id, self.size = uuid.uuid4().hex, 0
        name = f"{socket.gethostname()[:150]} {os.getpid()}"
        self._workers.create(id=self.id, name=name, expires=_expiry())
        if self._partitions.count() < PARTITIONS:
            self._partitions.bulk_create(
                [OutboxPartition(number=number) for number in range(PARTITIONS)],
                ignore_conflicts=True,
            )

    def _share(self) -> bool:
        """Own as many partitions as each of the workers that live may have."""
        self._workers.filter(expires__lte=Now()).delete()
        living = self._workers.count()
        share = -(-PARTITIONS // max(1, living))
        before = self.mine.count()
        if before > share:
            surplus = list(self.mine.order_by("-number").values_list("number")[: before - share])
            self.mine.filter(number__in=[number for (number,) in surplus]).update(owner="")
        elif before < share:
            self._take(share - before)
        self.size = self.mine.count()
        return self.size > before

    def _take(self, count: int) -> None:
        """Become the owner of so many partitions that are nobody's, or as many as there are."""
        free = self._partitions.exclude(owner__in=self._workers.values("id"))
        if connections[self.using].features.has_select_for_update_skip_locked:
            # Workers that start together look past each other instead of waiting.
            with transaction.atomic(using=self.using):
                found = free.select_for_update(skip_locked=True)
                numbers = [partition.number for partition in found[:count]]
                self._partitions.filter(number__in=numbers).update(owner=self.id)
        else:
            numbers = [number for (number,) in free.values_list("number")[:count]]
            # One statement compares and sets: some of them may have got an owner by now.
            free.filter(number__in=numbers).update(owner=self.id)


def longest_call() -> float:
    """Return the seconds that one call may take: it connects, and waits for an answer."""
    return 2 * app_settings.PUSHER_TIMEOUT


def _seconds() -> float:
    """Return how long a lease lasts, whatever the settings say: long enough to make calls in it."""
    return max(app_settings.DRF_MODEL_PUSHER_OUTBOX_LEASE_SECONDS, longest_call() + 5 * BEAT)


def _expiry() -> ExpressionWrapper[CombinedExpression]:
    return ExpressionWrapper(Now() + timedelta(seconds=_seconds()), output_field=DateTimeField())
