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
from typing import TYPE_CHECKING, Any

from django.db import models, router, transaction

from drf_model_pusher.composing import compose, socket_id_of
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.delivery.base import postponed
from drf_model_pusher.delivery.commits import after_commit
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.netting import Change, gone_change, net
from drf_model_pusher.occupancy import audience
from drf_model_pusher.pushing import make_event, push_events, wrong_settings_logged
from drf_model_pusher.touching import parents_of

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

logger = logging.getLogger("drf_model_pusher")

BATCH = 400
"""Objects that are read by one query: SQLite takes 999 values, and a key may have two."""

_Entry = tuple[Any, Change]


def add(change: Change) -> None:
    """Tell of a change once the current transaction is committed; outside of one at once."""
    if postponed(partial(add, change)):
        return
    with wrong_settings_logged:
        in_transaction = transaction.get_connection(change.using).in_atomic_block
        if in_transaction and not get_delivery().writes_in_transaction():
            after_commit(_settle_later, [change], using=change.using)
        else:
            _settle([change])


def push(
    backend: PusherBackend, event: str, instance: Any, *, ignore: bool, using: str | None
) -> None:
    """Push a change of an object that is read again; a deletion, or one of no object, as it is."""
    using = using or router.db_for_write(backend.model)
    if event == "delete" or not isinstance(instance, models.Model):
        events = compose(backend, event, instance, ignore=ignore, using=using)
        add(gone_change(backend, event, instance, events, using=using))
        return
    add(
        Change(
            backend=backend,
            event=event,
            keys=[instance.pk],
            using=using,
            ignore=ignore,
            asked=True,
            before={instance.pk: backend.before} if backend.before is not None else {},
            changed_fields=backend.changed_fields,
        )
    )


def touch(backend: PusherBackend, instance: Any, *, ignore: bool, using: str | None) -> None:
    """Push that the parents of an object are updated."""
    if isinstance(instance, models.Model):
        using = using or router.db_for_write(backend.model)
        for parent in parents_of(backend, instance, ignore=ignore, using=using):
            add(parent)


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


def _settle_later(changes: Sequence[Change]) -> None:
    """Settle after a commit: an error would keep the project's own hooks from running."""
    try:
        with wrong_settings_logged:
            _settle(changes)
    except Exception:
        logger.exception("changes not pushed reason=error changes=%d", len(changes))


def _settle(changes: Sequence[Change]) -> None:
    touched: list[Change] = []
    for entries in net(changes).values():
        if entries:
            _push(entries, touched)
    if touched:
        _settle(touched)


def _push(entries: Sequence[_Entry], touched: list[Change]) -> None:
    """Push what one backend tells of a transaction."""
    change = entries[0][1]
    limit = change.backend.bulk_limit
    if limit is not None and sum(each.events is None for _, each in entries) > limit:
        gone = [event for _, each in entries for event in each.events or ()]
        push_events([*gone, *_invalidate(entries, touched)], using=change.using)
        return
    for batch in batches(entries):
        push_events(list(_compose(batch, touched)), using=change.using)


def _compose(batch: Sequence[_Entry], touched: list[Change]) -> Iterator[PusherEvent]:
    for change, event, instance in _told(batch, touched):
        if change.events is not None:
            yield from change.events
        else:
            yield from compose(
                change.backend, event, instance, ignore=change.ignore, using=change.using
            )


def _invalidate(entries: Sequence[_Entry], touched: list[Change]) -> list[PusherEvent]:
    channels: dict[str, None] = {}
    for batch in batches([(key, each) for key, each in entries if each.events is None]):
        for change, _, instance in _told(batch, touched):
            backend = change.backend
            channels |= dict.fromkeys(backend.full_names(instance))
            if backend.before is not None:
                channels |= dict.fromkeys(backend.before.channels)
    first = entries[0][1]
    writers = {socket_id_of(each.backend, ignore=each.ignore) for _, each in entries}
    return invalidation(first.backend, channels, ignore=first.ignore and len(writers) == 1)


def _told(batch: Sequence[_Entry], touched: list[Change]) -> Iterator[tuple[Change, str, Any]]:
    """Go through what is to be told of objects that are still there."""
    first = batch[0][1]
    found = read(first.backend, [k for k, each in batch if each.events is None], first.using)
    for key, change in batch:
        backend, event, instance = change.backend, change.event, found.get(key)
        if change.events is not None:
            yield change, event, None
        elif instance is not None:
            backend.before = change.before.get(key)
            backend.changed_fields = change.changed_fields
            if not change.asked:
                event = backend.resolve_event(event, instance)
                if not backend.should_push(event, instance):
                    continue
                touched += parents_of(
                    backend,
                    instance,
                    ignore=change.ignore,
                    using=change.using,
                    silent=change.silent,
                )
            yield change, event, instance
