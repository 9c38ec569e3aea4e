"""What a relay has in hand: the events of some rows, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from drf_model_pusher.change import Change, Recorded
from drf_model_pusher.changes.failures import report
from drf_model_pusher.changes.flushing import Flushing
from drf_model_pusher.changes.netting import Netted, Pending
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.delivery.sending import occupied, report_dropped
from drf_model_pusher.exceptions import ModelPusherException
from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.rows import decode
from drf_model_pusher.outbox.table import Refused
from drf_model_pusher.pushing import fits


@dataclass(kw_only=True, slots=True)
class OutboxEvent(QueuedEvent):
    """An event in the hands of a relay, with the rows that it comes from."""

    rows: Sequence[OutboxRow]
    finishes: list[int] = field(default_factory=list)
    """The ids of rows of which nothing else is to be said."""

    @property
    def lane(self) -> int:
        """What order is kept by."""
        return self.rows[0].lane


class Batch:
    """Makes events of rows, and remembers how they fared; other rows stay as they were.

    Args:
        rows: Rows that may be sent, in order.
        using: The alias of their database.
    """

    def __init__(self, rows: Sequence[OutboxRow], using: str) -> None:
        self.rows = list(_taken(rows))
        self.done: list[int] = []
        """The ids of rows that have left, or of which there is nothing to say."""
        self.refused: list[Refused] = []
        self.blocked: set[int] = set()
        """Lanes of which a row failed: nothing of them leaves any more in this batch."""
        self.unrendered: list[OutboxRow] = []
        """Rows of which no event could be made."""
        self.touched: list[Change] = []
        """Updates of parents, which are rows of their own: they have other lanes."""
        self.events = self._events(using)
        """What is to be sent, in the order of each lane."""

    def sent(self, events: Sequence[OutboxEvent]) -> None:
        """Note that events have left."""
        self.done += [pk for event in events for pk in event.finishes]

    def failed(self, row: OutboxRow, error: str, pause: float, *, at_fault: bool) -> None:
        """Note that a row failed; it, and what is behind it, waits for a next try."""
        self.blocked.add(row.lane)
        self.refused.append(Refused(row=row, error=error, pause=pause, at_fault=at_fault))

    def dead(self, row: OutboxRow, error: str) -> None:
        """Note that a row is given up; what is behind it goes on."""
        self.refused.append(Refused(row=row, error=error, pause=None, at_fault=True))

    def _events(self, using: str) -> list[OutboxEvent]:
        flushing = Flushing(using, is_one_transaction=False)
        decoded = list(self._decoded(using))
        row_of = {id(item): row for item, row in decoded}
        made = [
            OutboxEvent(event=event, since=0, attempts=rows[0].attempts, rows=rows)
            for left, events in flushing.go([item for item, _ in decoded])
            for rows in [[row_of[id(source)] for source in _sources(left)]]
            for event in events
        ]
        self.unrendered += [row_of[id(each.sources[0])] for each in flushing.failed]
        said = occupied([each for each in made if fits(each.event)])
        report_dropped(
            [each.event for each in made if not fits(each.event)], "the data is too large"
        )
        last = {row.id: event for event in said for row in event.rows}
        for row_id, event in last.items():
            event.finishes.append(row_id)
        unsaid = {row.id for row in self.unrendered}
        unsaid |= {row_of[id(source)].id for each in flushing.failed for source in each.sources}
        self.done += [row.id for row in self.rows if row.id not in last and row.id not in unsaid]
        self.touched = _touched(flushing)
        # A service that stumbles over one event is asked about the others first.
        tries = {event.lane: event.attempts for event in reversed(said)}
        return sorted(said, key=lambda event: tries[event.lane])

    def _decoded(self, using: str) -> Iterator[tuple[Recorded, OutboxRow]]:
        for row in self.rows:
            try:
                yield decode(row, using), row
            except (ModelPusherException, ValueError, LookupError, TypeError) as error:
                report(error, None, row.name)
                self.unrendered.append(row)


def _taken(rows: Sequence[OutboxRow]) -> Iterator[OutboxRow]:
    """Go through rows, without those behind one that failed before: it goes alone.

    It may have been pushed all the same, and so nothing can take its place.
    """
    seen: set[int] = set()
    alone: set[int] = set()
    for row in rows:
        if row.lane in alone or (row.attempts and row.lane in seen):
            alone.add(row.lane)
            continue
        seen.add(row.lane)
        if row.attempts:
            alone.add(row.lane)
        yield row


def _sources(left: Netted) -> Sequence[Recorded]:
    return left.sources if isinstance(left, Pending) else [left]


def _touched(flushing: Flushing) -> list[Change]:
    """Return the updates of parents, and of theirs, each once."""
    found: list[Change] = []
    while flushing.touched:
        level = flushing.unread(flushing.touched)
        found += [replace(each, touches=False) for each in level]
        list(flushing.go([each for each in level if each.backend.touches]))
    return found
