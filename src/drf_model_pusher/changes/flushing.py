"""Where changes become events: resolve verbs, net, read, ask the backend, build, deliver.

It runs after the commit. An error in it is reported, and keeps no other change from leaving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone, translation

from drf_model_pusher.changes.change import Change, PreviousChannels, Recorded
from drf_model_pusher.changes.composing import build_events, invalidation, left_event
from drf_model_pusher.changes.failures import reported
from drf_model_pusher.changes.netting import Netted, Pending, net
from drf_model_pusher.changes.reading import Rows, read_hidden
from drf_model_pusher.changes.touching import parents_of
from drf_model_pusher.delivery.base import get_delivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.pushing import send_events
from drf_model_pusher.rendering.keys import object_key


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
            return
        if events := list(events_of(items, using)):
            send_events(events)


def events_of(items: Sequence[Recorded], using: str) -> Iterator[PusherEvent]:
    """Go through the events of changes, then of the parents that they touch, and so on.

    Args:
        items: Changes, and events about no object, in order.
        using: The alias of the database to read from.
    """
    if len(items) == 1 and isinstance(items[0], Change) and items[0].events is not None:
        yield from items[0].events  # nothing to net, and nothing to read
        return
    flushing = Flushing(using)
    while items:
        for _, events in flushing.go(items):
            yield from events
        items = flushing.touched


class Flushing:
    """Makes events of changes, and remembers what it has read.

    Args:
        using: The alias of the database to read from.
        is_one_transaction: Whether the changes are those of one transaction. Of others, some may
            have been pushed before, and so many of them say nothing about a bulk operation.
    """

    def __init__(self, using: str, *, is_one_transaction: bool = True) -> None:
        self._using = using
        self._is_one_transaction = is_one_transaction
        self.touched: Sequence[Change] = []
        """The updates of parents that follow from the latest changes."""
        self.failed: list[Pending] = []
        """What could not be rendered, which is reported."""
        # Objects that were read: a later touch of one says nothing new.
        self._read: set[tuple[type, Any]] = set()

    def go(self, items: Sequence[Recorded]) -> Iterator[tuple[Netted, Sequence[PusherEvent]]]:
        """Go through what is left of changes, each with its events."""
        self.touched = []
        self._rows: dict[type, Rows] = {}
        pending = net(self._resolve(items), forget=self._is_one_transaction)
        groups = self._groups(pending)
        left = {backend: len(group) for backend, group in groups.items()}
        for each in pending:
            if isinstance(each, PusherEvent):
                yield each, [each]
                continue
            backend = each.change.backend
            if each.change.events is not None:
                yield each, list(self._rendered(each))
            elif (group := groups[backend]) and self._exceeds(backend.bulk_limit, len(group)):
                left[backend] -= 1
                if not left[backend]:  # it stands where the last of its objects would
                    yield each, self._ask(each, partial(self._invalidate, group))
            else:
                yield each, self._ask(each, partial(self._build, each))

    def unread(self, changes: Iterable[Change]) -> list[Change]:
        """Return changes of single objects that were not read since they were touched."""
        return [
            each
            for change in changes
            for each in change.each()
            if (each.backend, each.keys[0]) not in self._read
        ]

    def _exceeds(self, limit: int | None, count: int) -> bool:
        return self._is_one_transaction and exceeds(limit, count)

    def _resolve(self, items: Sequence[Recorded]) -> Iterator[Netted]:
        """Go through the changes of single objects, each with the verb that subscribers hear."""
        singles: list[Netted] = []
        for item in items:
            if isinstance(item, PusherEvent):
                singles.append(item)
                continue
            singles += [
                Pending(key, item.verb, item, (item,))
                for key in item.keys
                if (item.backend, key) not in self._read or item.verb != "update"
            ]
        decided = [
            each
            for each in singles
            if isinstance(each, Pending)
            and each.change.events is None
            and each.change.backend.decides
        ]
        self._expect(decided)
        for each in singles:
            if each in decided:
                with reported(each.change.backend, each.verb), _as_nobody():
                    yield replace(each, verb=self._verb(each))
                    continue
                self.failed.append(each)
            else:
                yield each

    def _verb(self, pending: Pending) -> str:
        backend = _backend(pending.change)
        row = self._rows_of(pending).get(pending.key)
        if row is None:
            row = read_hidden(backend, pending.key, self._using)
        if row is None:
            return pending.verb
        verb: str = backend.resolve_event(pending.verb, row)
        return verb

    def _groups(self, pending: Sequence[Netted]) -> dict[type, list[Pending]]:
        groups: dict[type, list[Pending]] = {}
        for each in pending:
            if isinstance(each, Pending) and each.change.events is None:
                groups.setdefault(each.change.backend, []).append(each)
        for group in groups.values():
            self._expect(group)
        return groups

    def _expect(self, pending: Iterable[Pending]) -> None:
        for each in pending:
            self._rows_of(each).expect([each.key])

    def _rows_of(self, pending: Pending) -> Rows:
        backend = pending.change.backend
        if backend not in self._rows:
            self._rows[backend] = Rows(partial(_backend, pending.change), self._using)
        return self._rows[backend]

    def _rendered(self, pending: Pending) -> Iterator[PusherEvent]:
        change = pending.change
        yield from change.events or ()
        before = change.before.get(pending.key)
        if pending.verb == "delete" and before is not None:
            # Moved and deleted in one transaction: nobody was told of the move.
            told = {name for event in change.events or () for name in event.channels}
            yield from left_event(_backend(change), change, pending.key, before.without(told))

    def _ask(self, pending: Pending, build: Callable[[], list[PusherEvent]]) -> list[PusherEvent]:
        """Return what a backend makes of a row, in the language and time zone of the settings."""
        with reported(pending.change.backend, pending.verb), _as_nobody():
            return build()
        self.failed.append(pending)
        return []

    def _build(self, pending: Pending) -> list[PusherEvent]:
        change, rows = pending.change, self._rows_of(pending)
        if rows.failed:  # which is reported once
            self.failed.append(pending)
            return []
        backend, row = _backend(change), rows.take(pending.key)
        if row is None:
            return self._build_deletion(pending, backend)
        if not backend.should_push(pending.verb, row):
            return []
        self._touch(pending, backend, row)
        return build_events(backend, change, pending.verb, row)

    def _build_deletion(self, pending: Pending, backend: Any) -> list[PusherEvent]:
        """Return the deletion of a row that is gone, or that the default manager hides."""
        change, before = pending.change, pending.change.before.get(pending.key)
        row = None
        if pending.verb != "create":
            row = read_hidden(backend, pending.key, self._using)
        if row is None:
            return left_event(backend, change, pending.key, before) if before else []
        if not backend.should_push("delete", row):
            return []
        self._touch(pending, backend, row)
        if pending.verb == "delete":
            return build_events(backend, change, "delete", row)
        # Readers may not see what it has become: nobody has said that this is a deletion.
        channels = [*(before.channels if before else ()), *backend.full_names(row)]
        key = object_key(row, backend.view)
        left = PreviousChannels(channels=list(dict.fromkeys(channels)), key=key)
        return left_event(backend, change, pending.key, left)

    def _touch(self, pending: Pending, backend: Any, row: Any) -> None:
        self._read.add((type(backend), pending.key))
        if pending.change.touches and backend.touches:
            self.touched = [*self.touched, *parents_of(backend, pending.change, row)]

    def _invalidate(self, group: Sequence[Pending]) -> list[PusherEvent]:
        channels: list[str] = []
        backend = _backend(group[0].change)
        for each in group:
            row = self._rows_of(each).take(each.key)
            if row is not None and backend.should_push(each.verb, row):
                channels += backend.full_names(row)
                self._touch(each, backend, row)
            if (before := each.change.before.get(each.key)) is not None:
                channels += before.channels
        writers = {each.change.socket_id for each in group}
        return invalidation(backend, channels, writers.pop() if len(writers) == 1 else None)


def _backend(change: Change) -> Any:
    """Return the backend that is asked about a change."""
    return change.backend.about(change)


@contextmanager
def _as_nobody() -> Iterator[None]:
    with translation.override(settings.LANGUAGE_CODE), timezone.override(None):
        yield


def exceeds(limit: int | None, count: int) -> bool:
    """Return whether so many objects are said to be changed in bulk."""
    return limit is not None and count > limit
