"""How an outbox is doing: for a monitor, an endpoint of your own, and the admin."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count
from django.utils import timezone

from drf_model_pusher.outbox import table
from drf_model_pusher.outbox.clock import now
from drf_model_pusher.outbox.locks import locks_for
from drf_model_pusher.outbox.models import OutboxRow

State = OutboxRow.State

# Seconds in which a relay that is idle looks at least once.
_LOOK_AGAIN = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """The numbers of one database's outbox."""

    waiting: int
    """Rows that are sent as soon as possible."""

    postponed: int
    """Rows that failed and are tried again."""

    dead: int
    """Rows that failed too often."""

    oldest_seconds: float
    """The age of the oldest row that is waiting or postponed; 0 without one."""

    def exceeds(
        self,
        *,
        waiting: int | None = None,
        oldest_seconds: float | None = None,
        dead: int | None = None,
    ) -> list[str]:
        """Return the names of the numbers that are beyond these."""
        limits = {"waiting": waiting, "oldest_seconds": oldest_seconds, "dead": dead}
        return [
            name
            for name, limit in limits.items()
            if limit is not None and getattr(self, name) > limit
        ]


def measure(using: str = DEFAULT_DB_ALIAS) -> Health:
    """Return the numbers of an outbox.

    Counting a million rows takes the database about a tenth of a second.
    """
    rows = OutboxRow.objects.using(using)
    counts = rows.exclude(state=State.SENT).values_list("state").annotate(Count("id"), Count("due"))
    found = {state: (count, due) for state, count, due in counts}
    left, postponed = found.get(State.WAITING, (0, 0))
    oldest = rows.filter(state=State.WAITING).order_by("id").values_list("created", flat=True)
    created = oldest.first()
    age = (timezone.now() - created).total_seconds() if created else 0.0
    return Health(
        waiting=left - postponed,
        postponed=postponed,
        dead=found.get(State.DEAD, (0, 0))[0],
        oldest_seconds=max(0.0, age),  # whoever wrote it may have had a clock that is ahead
    )


def has_relay(using: str) -> bool:
    """Return whether somebody sends the rows that could be sent now, if there are any.

    It looks twice within two seconds, if it must: a relay that works moves on, or has its locks.
    """
    put_off = OutboxRow.objects.using(using).filter(state=State.WAITING, due__gt=now(using))
    before = table.look(using)
    if not before or put_off.exists():
        return True  # or somebody has just tried
    time.sleep(_LOOK_AGAIN)
    stuck = set(before) & set(table.look(using))
    locks = locks_for(using)
    try:
        with locks.batch():
            return len(locks.lock([number for number, _ in stuck])) < len(before)
    finally:
        locks.close()
