"""The statements of a relay: which rows may be sent next, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connections
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from drf_model_pusher.outbox.clock import now
from drf_model_pusher.outbox.models import PARTITIONS, OutboxPartition, OutboxRow

State = OutboxRow.State


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """What becomes of a row that failed."""

    row: OutboxRow
    error: str
    pause: float | None
    """Seconds until the next try; None for a row that is dead."""
    at_fault: bool
    """Whether the failure was the fault of what the row says."""


def sendable(using: str, resting: Sequence[str] = ()) -> QuerySet[OutboxRow]:
    """Return the rows that may be sent now: the one place that decides.

    They are due, and no earlier row of their lane is put off.

    Args:
        using: The alias of the database.
        resting: Providers that are left alone for now.
    """
    time, waiting = now(using), OutboxRow.objects.using(using).filter(state=State.WAITING)
    # A subquery with a limit, since databases turn EXISTS into a scan of all that waits.
    put_off = waiting.filter(lane=OuterRef("lane"), id__lt=OuterRef("id"), due__gt=time)
    rows = waiting.alias(behind=Subquery(put_off.values("id")[:1])).filter(behind=None)
    rows = rows.filter(Q(due=None) | Q(due__lte=time))
    return rows.exclude(provider__in=resting) if resting else rows


def look(using: str, resting: Sequence[str] = ()) -> list[tuple[int, int]]:
    """Return the partitions with rows to send, without a lock, and the id of each one's first."""
    first = sendable(using, resting).filter(partition=OuterRef("number")).order_by("id")
    partitions = OutboxPartition.objects.using(using).annotate(
        first=Subquery(first.values("id")[:1])
    )
    return [(number, pk) for number, pk in partitions.values_list("number", "first") if pk]


def read(
    using: str, partitions: Sequence[int], first: int, limit: int, resting: Sequence[str] = ()
) -> list[OutboxRow]:
    """Return the oldest rows to send of partitions that are locked.

    Args:
        using: The alias of the database.
        partitions: Their numbers.
        first: The id of about the first of them.
        limit: How many rows at most.
        resting: Providers that are left alone for now.
    """
    # A stretch of ids that fills the limit on average: however many wait, no more are looked at.
    # It has no beginning, since a row that was put off may have become due since the look.
    last = first + 2 * limit * PARTITIONS // len(partitions)
    rows = sendable(using, resting).filter(partition__in=partitions, id__lt=last)
    return list(rows.order_by("id")[:limit])


def finish(using: str, ids: Sequence[int], keep: float) -> None:
    """Delete rows that have left, or keep them for some seconds."""
    for rows in _by_id(using, ids):
        if keep:
            rows.update(state=State.SENT, due=now(using, keep), error="")
        else:
            rows.delete()


def put_off(using: str, refused: Refused) -> None:
    """Keep a row that failed until its next try, or as dead."""
    OutboxRow.objects.using(using).filter(id=refused.row.id).update(
        state=State.DEAD if refused.pause is None else State.WAITING,
        due=None if refused.pause is None else now(using, refused.pause),
        attempts=F("attempts") + 1,
        refusals=F("refusals") + int(refused.at_fault),
        error=refused.error[:200],
    )


def prune(using: str, limit: int = 1_000) -> None:
    """Delete sent rows whose time is over, in small transactions."""
    rows = OutboxRow.objects.using(using)
    while True:
        old = rows.filter(state=State.SENT, due__lte=now(using)).order_by("id")
        ids = list(old.values_list("id", flat=True)[:limit])
        for some in _by_id(using, ids):
            some.delete()
        if len(ids) < limit:
            return


def make_partitions(using: str) -> None:
    """Make the rows that are locked, where they are missing."""
    partitions = OutboxPartition.objects.using(using)
    if partitions.count() < PARTITIONS:
        partitions.bulk_create(
            [OutboxPartition(number=number) for number in range(PARTITIONS)], ignore_conflicts=True
        )


def _by_id(using: str, ids: Sequence[int]) -> Iterator[QuerySet[OutboxRow]]:
    """Give rows as they are changed without waiting for those who insert others.

    MySQL reads a list of ids as a range, and then waits for what is in between.
    """
    rows = OutboxRow.objects.using(using)
    if connections[using].vendor == "mysql":
        yield from (rows.filter(id=pk) for pk in ids)
    elif ids:
        yield rows.filter(id__in=ids)
