"""Where changes become events: resolve verbs, net, read, ask the backend, build, deliver.

It runs after the commit. An error in it is reported, and keeps no other change from leaving.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from drf_model_pusher.change import Change, Recorded
from drf_model_pusher.changes.building import Builder
from drf_model_pusher.changes.failures import reported
from drf_model_pusher.changes.netting import Netted, Pending, net
from drf_model_pusher.delivery.base import get_delivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.pushing import push_events


def flush(items: Sequence[Recorded], using: str) -> None:
    """Hand the events of recorded changes to the delivery, or the changes to its table.

    Args:
        items: Changes, and events about no object, in order.
        using: The alias of the database they were committed to.
    """
    with reported(None):
        delivery = get_delivery()
        if delivery.joins_transaction:
            delivery.store(items, using=using)
        elif len(items) == 1 and isinstance(items[0], Change) and items[0].events is not None:
            push_events(items[0].events)  # nothing to net, and nothing to read
        elif events := list(events_of(items, using)):
            push_events(events)


def events_of(items: Sequence[Recorded], using: str) -> Iterator[PusherEvent]:
    """Go through the events of changes, then of the parents that they touch, and so on.

    Args:
        items: Changes, and events about no object, in order.
        using: The alias of the database to read from.
    """
    flushing = Flushing(using)
    while items:
        for _, events in flushing.go(items):
            yield from events
        items = flushing.unread(flushing.touched)


class Flushing:
    """Makes events of changes, and remembers which objects it has read.

    Args:
        using: The alias of the database to read from.
        is_one_transaction: Whether the changes are those of one transaction. Of others, some may
            have been pushed before, and so many of them say nothing about a bulk operation.
    """

    def __init__(self, using: str, *, is_one_transaction: bool = True) -> None:
        self._using = using
        self._is_one_transaction = is_one_transaction
        self._read: set[tuple[type, Any]] = set()
        self.touched: Sequence[Change] = []
        """The updates of parents that follow from the latest changes."""
        self.failed: list[Pending] = []
        """What could not be rendered, which is reported."""

    def go(self, items: Sequence[Recorded]) -> Iterator[tuple[Netted, Sequence[PusherEvent]]]:
        """Go through what is left of changes, each with its events."""
        builder = Builder(self._using)
        left = net(_resolved(list(_singles(items)), builder), forget=self._is_one_transaction)
        groups: dict[type, list[Pending]] = {}
        for each in left:
            if isinstance(each, Pending) and each.change.events is None:
                groups.setdefault(each.change.backend, []).append(each)
                builder.expect(each)
        for each in left:
            if isinstance(each, PusherEvent):
                yield each, [each]
                continue
            group = groups.get(each.change.backend, [])
            is_bulk = self._is_one_transaction and exceeds(each.change.backend, len(group))
            if each.change.events is not None or not is_bulk:
                yield each, builder.build(each)
            elif each is group[-1]:  # it stands where the last of its objects would
                yield each, builder.invalidate(group)
        self._read |= builder.read
        self.touched = builder.touched
        self.failed += builder.failed

    def unread(self, changes: Iterable[Change]) -> list[Change]:
        """Return changes of single objects that were not read since they were touched."""
        return [
            each
            for change in changes
            for each in change.each()
            if (each.backend, each.keys[0]) not in self._read
        ]


def exceeds(backend: Any, count: int) -> bool:
    """Say whether so many changed objects are a bulk operation to subscribers."""
    return backend.bulk_limit is not None and count > backend.bulk_limit


def _singles(items: Sequence[Recorded]) -> Iterator[Netted]:
    for item in items:
        if isinstance(item, PusherEvent):
            yield item
        else:
            yield from (Pending(key, item.verb, item, (item,)) for key in item.keys)


def _resolved(pending: Sequence[Netted], builder: Builder) -> Iterator[Netted]:
    """Go through changes, each with the verb that subscribers hear."""
    for each in pending:
        if isinstance(each, Pending) and each.change.events is None and each.change.backend.decides:
            builder.expect(each)
    for each in pending:
        resolved = each if isinstance(each, PusherEvent) else builder.resolve(each)
        if resolved is not None:
            yield resolved
