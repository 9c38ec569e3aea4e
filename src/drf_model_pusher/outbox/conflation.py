"""Rows that wait become their net effect, by the rules of the queue. No database."""

from __future__ import annotations

from collections.abc import Sequence

from drf_model_pusher.delivery.queue import EventQueue
from drf_model_pusher.outbox.rows import Claimed


def conflate(entries: Sequence[Claimed]) -> tuple[list[Claimed], list[int]]:
    """Return what is left to send, in order, and the ids of rows that nobody needs to hear of.

    What is left has in ``absorbed`` the later rows that are done with it.
    """
    if all(entry.event.conflation_key is None for entry in entries):
        return list(entries), []
    queue = EventQueue(len(entries))
    queue.put_back(entries)
    left = {id(entry) for entry in queue.take(len(queue))}
    last: dict[str | None, Claimed] = {}
    gone: list[int] = []
    for entry in entries:
        key = entry.event.conflation_key
        if id(entry) in left:
            last[key] = entry
        elif key in last:
            # What it says is in the last one before it, or cancelled out behind that.
            last[key].absorbed.append(entry.id)
        else:
            gone.append(entry.id)
    return [entry for entry in entries if id(entry) in left], gone
