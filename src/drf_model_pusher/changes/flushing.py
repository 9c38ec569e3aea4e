"""Where changes become events: resolve verbs, net, read, ask the backend, build, deliver.

It runs after the commit. An error in it is reported, and keeps no other change from leaving.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drf_model_pusher.changes.building import Builder
from drf_model_pusher.changes.change import Change, Recorded
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
        elif events := list(events_of(items, using)):
            push_events(events)


def events_of(items: Sequence[Recorded], using: str) -> Iterator[PusherEvent]:
    """Go through the events of changes, then of the parents that they touch, and so on.

    Args:
        items: Changes, and events about no object, in order.
        using: The alias of the database to read from.
    """
    if len(items) == 1 and isinstance(items[0], Change) and items[0].events is not None:
        yield from items[0].events  # nothing to net, and nothing to read
        return
    read: set[object] = set()
    while items:
        builder = Builder(using)
        # An object that was read says what a later touch of it would.
        pending = [each for each in _singles(items) if not _is_said(each, read)]
        yield from build_all(pending, builder)
        read |= builder.read
        items = builder.touched


def build_all(pending: Sequence[Netted], builder: Builder) -> Iterator[PusherEvent]:
    """Go through the events of changes of single objects, and of nothing that they touch."""
    left = net(_resolved(pending, builder))
    groups: dict[type, list[Pending]] = {}
    for each in left:
        if isinstance(each, Pending) and each.change.events is None:
            groups.setdefault(each.change.backend, []).append(each)
            builder.expect(each)
    for each in left:
        if isinstance(each, PusherEvent):
            yield each
            continue
        group = groups.get(each.change.backend, [])
        limit = each.change.backend.bulk_limit
        if each.change.events is not None or limit is None or len(group) <= limit:
            yield from builder.build(each)
        elif each is group[-1]:  # it stands where the last of its objects would
            yield from builder.invalidate(group)


def _singles(items: Sequence[Recorded]) -> Iterator[Netted]:
    for item in items:
        if isinstance(item, PusherEvent):
            yield item
        else:
            yield from (Pending(key, item.verb, item) for key in item.keys)


def _is_said(each: Netted, read: set[object]) -> bool:
    return isinstance(each, Pending) and (each.change.backend, each.key) in read


def _resolved(pending: Sequence[Netted], builder: Builder) -> Iterator[Netted]:
    """Go through changes, each with the verb that subscribers hear."""
    for each in pending:
        if isinstance(each, Pending) and each.change.events is None and each.change.backend.decides:
            builder.expect(each)
    for each in pending:
        resolved = each if isinstance(each, PusherEvent) else builder.resolve(each)
        if resolved is not None:
            yield resolved
