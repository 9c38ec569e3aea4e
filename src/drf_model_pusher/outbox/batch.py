"""What a relay has in hand: the events of some rows, and what became of them. No database."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from drf_model_pusher.delivery.queue import EventQueue
from drf_model_pusher.delivery.sending import occupied
from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.rows import OutboxEvent, decode
from drf_model_pusher.outbox.table import Refused

logger = logging.getLogger("drf_model_pusher")


class Batch:
    """Makes events of rows, and remembers how they fared; what it does not say stays as it was."""

    def __init__(self, rows: Sequence[OutboxRow]) -> None:
        self.done: list[int] = []
        """The ids of rows that have left, or that nobody needs."""
        self.refused: list[Refused] = []
        self.blocked: set[int] = set()
        """Lanes of which a row failed: nothing behind it leaves in this batch."""
        entries = self._conflated([entry for row in rows if (entry := self._decoded(row))])
        tries: dict[int, int] = {}
        for entry in entries:
            tries.setdefault(entry.row.lane, entry.attempts)
        # A service that stumbles over one event is asked about the others first.
        self.events = sorted(occupied(entries), key=lambda entry: tries[entry.row.lane])
        """What is to be sent, in the order of each lane."""
        left = {id(entry) for entry in self.events}
        self.sent([entry for entry in entries if id(entry) not in left])

    def sent(self, events: Sequence[OutboxEvent]) -> None:
        """Note that events have left."""
        self.done += [row.id for event in events for row in (event.row, *event.absorbed)]

    def failed(self, row: OutboxRow, error: str, pause: float, *, at_fault: bool = False) -> None:
        """Note that a row failed; it, and what is behind it, waits for a next try."""
        self.blocked.add(row.lane)
        self.refused.append(Refused(row=row, error=error, pause=pause, at_fault=at_fault))

    def dead(self, row: OutboxRow, error: str) -> None:
        """Note that a row is given up; what is behind it goes on."""
        self.refused.append(Refused(row=row, error=error, pause=None, at_fault=True))

    def _decoded(self, row: OutboxRow) -> OutboxEvent | None:
        try:
            return decode(row)
        except Exception as error:
            # It stops no other object, whatever is wrong with it.
            logger.exception("row not rendered id=%d name=%s", row.id, row.name)
            self.dead(row, f"not rendered: {type(error).__name__}")
            return None

    def _conflated(self, entries: Sequence[OutboxEvent]) -> list[OutboxEvent]:
        """Return what is left to send when waiting events become their net effect."""
        if all(entry.event.conflation_key is None for entry in entries):
            return list(entries)
        queue = EventQueue(len(entries))
        queue.put_back(entries)
        left = {id(entry) for entry in queue.take(len(queue))}
        last: dict[str | None, OutboxEvent] = {}
        for entry in entries:
            key = entry.event.conflation_key
            if id(entry) in left:
                last[key] = entry
            elif key in last:
                # What it says is in the last one before it, or cancelled out behind that.
                last[key].absorbed.append(entry.row)
            else:
                self.sent([entry])
        return [entry for entry in entries if id(entry) in left]
