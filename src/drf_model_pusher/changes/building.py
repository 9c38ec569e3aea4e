"""Reading the rows of changes, and asking their backends what subscribers hear of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings
from django.utils import timezone, translation

from drf_model_pusher.change import Change, PreviousChannels
from drf_model_pusher.changes.composing import build_events, invalidation, left_event
from drf_model_pusher.changes.failures import reported
from drf_model_pusher.changes.netting import Pending
from drf_model_pusher.changes.reading import Rows, read_hidden
from drf_model_pusher.changes.touching import parents_of
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.rendering.keys import object_key


class Builder:
    """Makes events of changes whose rows are read after the commit.

    Args:
        using: The alias of the database to read from.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._rows: dict[type, Rows] = {}
        #: Updates of parents that the changes touch.
        self.touched: list[Change] = []
        #: Objects whose rows were read, with their backends: a later touch says nothing new.
        self.read: set[tuple[type, Any]] = set()
        #: Changes that could not be resolved or rendered.
        self.failed: list[Pending] = []

    def expect(self, pending: Pending) -> None:
        """Prepare to read the row of a change, together with others."""
        self._rows_of(pending).expect([pending.key])

    def resolve(self, pending: Pending) -> Pending | None:
        """Return the change with the verb that subscribers hear; None after an error."""
        backend = pending.change.backend
        if not backend.decides or pending.change.events is not None:
            return pending
        with reported(backend, pending.verb), _as_nobody():
            row = self._rows_of(pending).get(pending.key)
            if row is None:
                row = read_hidden(_backend(pending.change), pending.key, self._using)
            if row is None:
                return pending
            verb = _backend(pending.change).resolve_event(pending.verb, row)
            return replace(pending, verb=verb)
        self.failed.append(pending)
        return None

    def build(self, pending: Pending) -> list[PusherEvent]:
        """Return the events of a change; none after an error, which is reported."""
        with reported(pending.change.backend, pending.verb), _as_nobody():
            return self._build(pending)
        self.failed.append(pending)
        return []

    def invalidate(self, group: Sequence[Pending]) -> list[PusherEvent]:
        """Return the event that says "fetch anew" instead of many changes of one backend."""
        with reported(group[0].change.backend, "invalidate"), _as_nobody():
            return self._invalidate(group)
        self.failed += group
        return []

    def _build(self, pending: Pending) -> list[PusherEvent]:
        change, rows = pending.change, self._rows_of(pending)
        if change.events is not None:
            return _rendered(pending, change.events)
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
        key = object_key(row, backend.view, backend.version_field)
        left = PreviousChannels(channels=list(dict.fromkeys(channels)), key=key)
        return left_event(backend, change, pending.key, left)

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

    def _touch(self, pending: Pending, backend: Any, row: Any) -> None:
        self.read.add((type(backend), pending.key))
        if pending.change.touches and backend.touches:
            self.touched += parents_of(backend, pending.change, row)

    def _rows_of(self, pending: Pending) -> Rows:
        backend = pending.change.backend
        if backend not in self._rows:
            self._rows[backend] = Rows(partial(_backend, pending.change), self._using)
        return self._rows[backend]


def _backend(change: Change) -> Any:
    return change.backend.about(change)


def _rendered(pending: Pending, events: Sequence[PusherEvent]) -> list[PusherEvent]:
    before = pending.change.before.get(pending.key)
    if pending.verb != "delete" or before is None:
        return list(events)
    # It was moved and deleted in one transaction: nobody was told of the move.
    others = before.without({name for event in events for name in event.channels})
    return [*events, *left_event(_backend(pending.change), pending.change, pending.key, others)]


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Use the language and the time zone of the settings, not the writer's."""
    with translation.override(settings.LANGUAGE_CODE), timezone.override(None):
        yield
