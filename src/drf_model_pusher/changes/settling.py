"""Telling of what one transaction has changed: read, composed and pushed, some at a time.

All objects of a transaction and a backend are read by one query, or one a batch; each is told of
once, whatever happened to it, and one that is gone by then not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from drf_model_pusher.changes.netting import Change, Told, net
from drf_model_pusher.changes.reading import BATCH, batches, read
from drf_model_pusher.changes.touching import parents_of
from drf_model_pusher.composing import compose, compose_leaving, socket_id_of, subject_of
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.occupancy.audience import audience
from drf_model_pusher.providers.base import provider_path
from drf_model_pusher.pushing import make_event, push_events, wrong_settings_logged
from drf_model_pusher.registry import registry

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

logger = logging.getLogger("drf_model_pusher")

# Where it stands, its key and its change.
_Entry: TypeAlias = "tuple[int, Any, Change]"


class Settlement:
    """Tells of changes that are made: reads, composes and pushes them, some at a time, in order.

    Args:
        using: The alias of the database.
        after_commit: Whether nobody waits for it: an error of a backend is logged, and keeps no
            other backend's changes from being told.
    """

    def __init__(self, using: str, *, after_commit: bool = False) -> None:
        self._using = using
        self._after_commit = after_commit
        self._events: list[PusherEvent] = []
        self._touched: list[Change] = []
        # Objects that others touch, of which is told: they are once.
        self._told: set[tuple[type[PusherBackend], Any]] = set()

    def settle(self, changes: Sequence[Change | PusherEvent]) -> None:
        """Tell of changes, then of the objects that they touch, and so on."""
        while changes:
            self._touched = []
            self._tell([each for each in net(changes) if not self._is_told(each)])
            changes = self._touched
        self._push()

    def _is_told(self, told: Told) -> bool:
        return isinstance(told, tuple) and (type(told[1].backend), told[0]) in self._told

    def _tell(self, told: Sequence[Told]) -> None:
        self._find_deletions(told)
        groups: dict[type[PusherBackend], list[_Entry]] = {}
        for place, each in enumerate(told):
            if isinstance(each, tuple) and each[1].events is None:
                groups.setdefault(type(each[1].backend), []).append((place, *each))
        # Each goes along with the changes of its backend, reading as many as a query takes.
        made = {backend: self._compose(group) for backend, group in groups.items()}
        for place, each in enumerate(told):
            if isinstance(each, PusherEvent):
                self._events.append(each)
            elif each[1].events is not None:
                self._events += each[1].events
                self._events += self._leave(place, *each)
            else:
                backend = type(each[1].backend)
                self._events += self._next(made[backend], backend)
            if len(self._events) >= BATCH:
                self._push()

    def _find_deletions(self, told: Sequence[Told]) -> None:
        """Learn from which channels objects are deleted, and where that stands."""
        self._deleted: dict[str | None, list[tuple[int, Sequence[str]]]] = {}
        for place, each in enumerate(told):
            for event in [each] if isinstance(each, PusherEvent) else each[1].events or ():
                if event.change == "delete":
                    self._deleted.setdefault(event.subject, []).append((place, event.channels))

    def _leave(self, place: int, key: Any, change: Change) -> list[PusherEvent]:
        """Return what tells those of a deletion who knew the object before a move, and only they.

        It was moved and deleted in one transaction: nobody was told of the move.
        """
        if (before := change.before.get(key)) is None:
            return []
        deletions = self._deleted.get(subject_of(change.backend.model, key), ())
        told = {name for at, channels in deletions if at >= place for name in channels}
        left = replace(before, channels=[name for name in before.channels if name not in told])
        return compose_leaving(change.backend, key, left, ignore=change.ignore, using=change.using)

    def _next(
        self, made: Iterator[Sequence[PusherEvent]], backend: type[PusherBackend]
    ) -> Sequence[PusherEvent]:
        if not self._after_commit:
            return next(made, ())
        try:
            with wrong_settings_logged:
                return next(made, ())
        except Exception:
            logger.exception("changes not pushed reason=error backend=%s", backend.__qualname__)
        return ()

    def _push(self) -> None:
        events, self._events = self._events, []
        push_events(events, using=self._using)

    def _compose(self, group: Sequence[_Entry]) -> Iterator[Sequence[PusherEvent]]:
        """Go through what one backend tells of its objects, one after the other."""
        limit = group[0][2].backend.bulk_limit
        if limit is not None and len(group) > limit:
            yield from repeat((), len(group) - 1)
            yield self._invalidate(group)
            return
        for place, key, change, event, instance in self._found(group):
            if instance is not None:
                yield compose(
                    change.backend, event, instance, ignore=change.ignore, using=change.using
                )
            else:
                yield self._leave(place, key, change) if event == "delete" else ()

    def _invalidate(self, group: Sequence[_Entry]) -> list[PusherEvent]:
        channels: dict[str, None] = {}
        for _, key, change, event, instance in self._found(group):
            if instance is not None:
                channels |= dict.fromkeys(change.backend.full_names(instance))
            if event and (before := change.before.get(key)) is not None:
                channels |= dict.fromkeys(before.channels)
        first = group[0][2]
        writers = {socket_id_of(each.backend, ignore=each.ignore) for _, _, each in group}
        return invalidation(first.backend, channels, ignore=first.ignore and len(writers) == 1)

    def _found(self, group: Sequence[_Entry]) -> Iterator[tuple[int, Any, Change, str, Any]]:
        """Go through the objects.

        There is none of one that is gone, whose event is "delete" then, and of one of which nothing
        is told, which has no event.
        """
        touched = group[0][2].backend.model in registry.touched
        for batch in batches(group):
            found = read(batch[0][2].backend, [key for _, key, _ in batch], self._using)
            for place, key, change in batch:
                backend, event, instance = change.backend, change.event, found.get(key)
                if instance is None:
                    event = "delete"
                else:
                    backend.before = change.before.get(key)
                    backend.changed_fields = change.changed_fields
                    if not change.asked:
                        event, instance = self._asked(change, instance)
                if instance is not None and touched:
                    self._told.add((type(backend), key))
                yield place, key, change, event, instance

    def _asked(self, change: Change, instance: Any) -> tuple[str, Any]:
        """Ask the backend of a change what it is, and whether it counts."""
        backend = change.backend
        event = backend.resolve_event(change.event, instance)
        if not backend.should_push(event, instance):
            return "", None
        self._touched += parents_of(
            backend, instance, ignore=change.ignore, using=change.using, silent=change.silent
        )
        return event, instance


def invalidation(
    backend: PusherBackend, channels: Collection[str], *, ignore: bool
) -> list[PusherEvent]:
    """Return the event that says "fetch anew" to channels; none where nobody listens."""
    heard, unsure = audience(list(channels), backend.provider_class)
    if not heard:
        return []
    return [
        make_event(
            heard,
            backend.get_event_name("invalidate"),
            {},
            socket_id=socket_id_of(backend, ignore=ignore),
            provider=provider_path(backend.provider_class),
            occupancy_unknown=unsure,
        )
    ]
