"""What people do about events that were put off or set aside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Q

from drf_model_pusher.outbox.models import OutboxEvent

State = OutboxEvent.State

# So many are in one statement: there are limits to what a database takes, SQLite above all.
_MANY = 500


def retry(using: str, ids: Sequence[int]) -> int:
    """Let events that were put off or set aside be tried again at once; say how many.

    Those that wait behind one of them go on with it.
    """
    events = OutboxEvent.objects.using(using)
    objects: set[tuple[int, str | None, str]] = set()
    count = 0
    for some in _parts(ids):
        chosen = events.filter(id__in=some, state__in=[State.POSTPONED, State.DEAD])
        postponed = chosen.filter(state=State.POSTPONED)
        objects.update(postponed.values_list("partition", "subject", "channels"))
        count += chosen.update(state=State.WAITING, due=None, refusals=0)
    for some in _parts(list(objects)):
        behind = Q()
        for partition, subject, channels in some:
            same = Q(channels=channels) if subject is None else Q()
            behind |= Q(partition=partition, subject=subject) & same
        events.filter(behind, state=State.POSTPONED).update(state=State.WAITING, due=None)
    return count


def discard(using: str, ids: Sequence[int]) -> int:
    """Delete events, unless they have left; say how many."""
    events = OutboxEvent.objects.using(using).exclude(state=State.SENT)
    return sum(events.filter(id__in=some).delete()[0] for some in _parts(ids))


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]
