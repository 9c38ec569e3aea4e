"""What people do about rows that were put off or are dead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet

from drf_model_pusher.outbox.models import OutboxRow

State = OutboxRow.State

# So many are in one statement: there are limits to what a database takes, SQLite above all.
_MANY = 500


def retry(using: str, ids: Sequence[int]) -> int:
    """Let rows that were put off or are dead be tried again at once; return how many."""
    kept = Q(state=State.DEAD) | Q(state=State.WAITING, due__isnull=False)
    again = {"state": State.WAITING, "due": None, "refusals": 0}
    return sum(rows.filter(kept).update(**again) for rows in _parts(using, ids))


def discard(using: str, ids: Sequence[int]) -> int:
    """Delete rows, unless they have left; return how many."""
    return sum(rows.exclude(state=State.SENT).delete()[0] for rows in _parts(using, ids))


def _parts(using: str, ids: Sequence[int]) -> Iterator[QuerySet[OutboxRow]]:
    for start in range(0, len(ids), _MANY):
        yield OutboxRow.objects.using(using).filter(id__in=ids[start : start + _MANY])
