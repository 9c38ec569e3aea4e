"""Changes whose objects are read again: gathered by transaction, read once it is committed.

All objects of a transaction and a backend are read by one query, or one a batch; each is told of
once, whatever happened to it, and one that is gone by then not at all.

A delivery that writes events into the transaction of their change needs them before the commit, of
which Django tells nobody: there each change is read at once, within the transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models, router, transaction

from drf_model_pusher.composing import compose, socket_id_of
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.delivery.base import postponed
from drf_model_pusher.delivery.commits import after_commit
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.netting import Change, Told, gone_change, net
from drf_model_pusher.occupancy import audience
from drf_model_pusher.pushing import make_event, push_events, wrong_settings_logged
from drf_model_pusher.registry import registry
from drf_model_pusher.touching import parents_of

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

logger = logging.getLogger("drf_model_pusher")

BATCH = 400
"""Objects that are read by one query: SQLite takes 999 values, and a key may have two."""

_Entry: TypeAlias = "tuple[Any, Change]"


def add(changes: Sequence[Change]) -> None:
    """Tell of changes in one database once its transaction is committed; outside of one at once."""
    if not changes or postponed(partial(add, changes)):
        return
    with wrong_settings_logged:
        using, delivery = changes[0].using, get_delivery()
        if transaction.get_connection(using).in_atomic_block and (
            not delivery.writes_in_transaction()
        ):
            after_commit(_settle_later, changes, using=using, instead_of=delivery.send)
        else:
            _Settlement(using).settle(changes)


def push(
    backend: PusherBackend, event: str, instance: Any, *, ignore: bool, using: str | None
) -> None:
    """Push a change of an object that is read again, and the updates of its parents.

    A deletion, or a change of no object, is pushed as it is now.
    """
    using = using or router.db_for_write(backend.model)
    if event == "delete" or not isinstance(instance, models.Model):
        events = compose(backend, event, instance, ignore=ignore, using=using)
        change = gone_change(backend, event, instance, events, using=using)
    else:
        change = Change(
            backend=backend,
            event=event,
            keys=[instance.pk],
            using=using,
            ignore=ignore,
            asked=True,
            before={instance.pk: backend.before} if backend.before is not None else {},
            changed_fields=backend.changed_fields,
        )
    add([change, *_parents(backend, instance, ignore=ignore, using=using)])


def touch(backend: PusherBackend, instance: Any, *, ignore: bool, using: str | None) -> None:
    """Push that the parents of an object are updated."""
    using = using or router.db_for_write(backend.model)
    add(_parents(backend, instance, ignore=ignore, using=using))


def _parents(backend: PusherBackend, instance: Any, *, ignore: bool, using: str) -> list[Change]:
    if not isinstance(instance, models.Model):
        return []
    return list(parents_of(backend, instance, ignore=ignore, using=using))


def read(backend: PusherBackend, keys: Collection[Any], using: str) -> dict[Any, Any]:
    """Return the objects that there are, by their keys, as the backend's queryset shows them."""
    if not keys:
        return {}
    found = backend.get_queryset().using(using).filter(pk__in=keys)
    return {instance.pk: instance for instance in found}


def invalidation(
    backend: PusherBackend, channels: Collection[str], *, ignore: bool
) -> list[PusherEvent]:
    """Return the event that says "fetch anew" to channels; none where nobody listens."""
    heard = audience(list(channels), backend.provider_class)
    if not heard.channels:
        return []
    return [
        make_event(
            heard.channels,
            backend.get_event_name("invalidate"),
            {},
            socket_id=socket_id_of(backend, ignore=ignore),
            provider=backend.provider_class,
            unsure=heard.unsure,
        )
    ]


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Go through items so many at a time as one query reads."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _settle_later(changes: Sequence[Change | PusherEvent]) -> None:
    """Settle after a commit: an error would keep the project's own hooks from running."""
    try:
        with wrong_settings_logged:
            using = next(each.using for each in changes if isinstance(each, Change))
            _Settlement(using, after_commit=True).settle(changes)
    except Exception:
        logger.exception("changes not pushed reason=error changes=%d", len(changes))


class _Settlement:
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
        groups: dict[type[PusherBackend], list[_Entry]] = {}
        for each in told:
            if isinstance(each, tuple) and each[1].events is None:
                groups.setdefault(type(each[1].backend), []).append(each)
        # Each goes along with the changes of its backend, reading as many as a query takes.
        made = {backend: self._compose(group) for backend, group in groups.items()}
        for each in told:
            if isinstance(each, PusherEvent):
                self._events.append(each)
            elif each[1].events is not None:
                self._events += each[1].events
            else:
                backend = type(each[1].backend)
                self._events += self._next(made[backend], backend)
            if len(self._events) >= BATCH:
                self._push()

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
        limit = group[0][1].backend.bulk_limit
        if limit is not None and len(group) > limit:
            yield from repeat((), len(group) - 1)
            yield self._invalidate(group)
            return
        for change, event, instance in self._found(group):
            if instance is None:
                yield ()
            else:
                yield compose(
                    change.backend, event, instance, ignore=change.ignore, using=change.using
                )

    def _invalidate(self, group: Sequence[_Entry]) -> list[PusherEvent]:
        channels: dict[str, None] = {}
        for change, _, instance in self._found(group):
            if instance is None:
                continue
            channels |= dict.fromkeys(change.backend.full_names(instance))
            if change.backend.before is not None:
                channels |= dict.fromkeys(change.backend.before.channels)
        first = group[0][1]
        writers = {socket_id_of(each.backend, ignore=each.ignore) for _, each in group}
        return invalidation(first.backend, channels, ignore=first.ignore and len(writers) == 1)

    def _found(self, group: Sequence[_Entry]) -> Iterator[tuple[Change, str, Any]]:
        """Go through the objects; None for one that is gone, or of which nothing is told."""
        touched = registry.is_touched(group[0][1].backend.model)
        for batch in batches(group):
            found = read(batch[0][1].backend, [key for key, _ in batch], self._using)
            for key, change in batch:
                backend, event, instance = change.backend, change.event, found.get(key)
                if instance is not None:
                    backend.before = change.before.get(key)
                    backend.changed_fields = change.changed_fields
                    if not change.asked:
                        event, instance = self._asked(change, instance)
                if instance is not None and touched:
                    self._told.add((type(backend), key))
                yield change, event, instance

    def _asked(self, change: Change, instance: Any) -> tuple[str, Any]:
        """Ask the backend of a change what it is, and whether it counts."""
        backend = change.backend
        event = backend.resolve_event(change.event, instance)
        if not backend.should_push(event, instance):
            return event, None
        self._touched += parents_of(
            backend, instance, ignore=change.ignore, using=change.using, silent=change.silent
        )
        return event, instance
