"""What people do about events that were put off or set aside."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from drf_model_pusher.outbox.models import OutboxEvent

State = OutboxEvent.State


def retry(using: str, ids: Sequence[int]) -> int:
    """Let events that were put off or set aside be tried again at once; say how many.

    Those that wait behind one of them go on with it.
    """
    events = OutboxEvent.objects.using(using)
    chosen = events.filter(id__in=ids, state__in=[State.POSTPONED, State.DEAD])
    objects = chosen.filter(state=State.POSTPONED).values_list("partition", "subject", "channels")
    behind = Q()
    for partition, subject, channels in objects:
        same = Q(channels=channels) if subject is None else Q()
        behind |= Q(partition=partition, subject=subject) & same
    count = chosen.update(state=State.WAITING, due=None, refusals=0)
    if behind:
        events.filter(behind, state=State.POSTPONED).update(state=State.WAITING, due=None)
    return count


def discard(using: str, ids: Sequence[int]) -> int:
    """Delete events, unless they have left; say how many."""
    events = OutboxEvent.objects.using(using)
    count, _ = events.filter(id__in=ids).exclude(state=State.SENT).delete()
    return count
