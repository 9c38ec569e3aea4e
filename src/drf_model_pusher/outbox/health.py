"""How an outbox is doing: for a monitor, an endpoint of your own, and the admin."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count, Sum
from django.utils import timezone

from drf_model_pusher.outbox.clock import Now
from drf_model_pusher.outbox.models import OutboxEvent, OutboxWorker

State = OutboxEvent.State


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """The numbers of one database's outbox."""

    waiting: int
    """Events that are sent as soon as possible."""

    postponed: int
    """Events that failed and are tried again, and those behind them."""

    dead: int
    """Events that were set aside."""

    oldest_seconds: float
    """The age of the oldest event that is waiting or postponed; 0 without one."""

    sent_per_minute: int
    """How many events the workers that live have sent in the last minute."""

    workers: int
    """How many workers live."""

    def exceeds(
        self,
        *,
        waiting: int | None = None,
        oldest_seconds: float | None = None,
        dead: int | None = None,
        workers: int | None = None,
    ) -> list[str]:
        """Return the names of the numbers that are beyond these, or below for the workers."""
        limits = {"waiting": waiting, "oldest_seconds": oldest_seconds, "dead": dead}
        beyond = [
            name
            for name, limit in limits.items()
            if limit is not None and getattr(self, name) > limit
        ]
        if workers is not None and self.workers < workers:
            beyond.append("workers")
        return beyond


def measure(using: str = DEFAULT_DB_ALIAS) -> Health:
    """Return the numbers of an outbox.

    Counting a million events takes the database about a tenth of a second.
    """
    events = OutboxEvent.objects.using(using)
    counts = dict(events.exclude(state=State.SENT).values_list("state").annotate(Count("id")))
    left = events.filter(state__in=[State.WAITING, State.POSTPONED])
    created = left.order_by("id").values_list("created", flat=True).first()
    age = (timezone.now() - created).total_seconds() if created else 0.0
    workers = OutboxWorker.objects.using(using).filter(expires__gt=Now())
    sums = workers.aggregate(count=Count("id"), sent=Sum("sent_per_minute"))
    return Health(
        waiting=counts.get(State.WAITING, 0),
        postponed=counts.get(State.POSTPONED, 0),
        dead=counts.get(State.DEAD, 0),
        oldest_seconds=max(0.0, age),  # whoever wrote it may have had a clock that is ahead
        sent_per_minute=sums["sent"] or 0,
        workers=sums["count"],
    )
