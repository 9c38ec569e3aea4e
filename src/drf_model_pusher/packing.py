"""From events to the fewest calls of the HTTP API. Pure.

The API takes one event for up to 100 channels (``/events``), or up to 10 items of one channel each
(``/batch_events``). An encrypted channel's data is its own, so it never shares an ``/events`` call.
Calls are made one after the other, so the order of events is kept as a whole, not only within a
channel.
https://pusher.com/docs/channels/library_auth_reference/rest-api/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.events import (
    MAX_CHANNELS_PER_EVENT,
    MAX_EVENTS_PER_BATCH,
    PusherEvent,
    request_size,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """An event on some of its channels; in a batch, on one of them."""

    event: PusherEvent
    channels: tuple[str, ...]
    index: int
    """The event's place among those that were packed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call: a single item, or a batch of items of one channel each."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The cheapest way found so far to a state; a chain back to the first event."""

    cost: tuple[int, int] = (0, 0)
    """Calls, then bytes of data."""
    groups: int = 0
    """How many ``/events`` calls the latest event makes; what they leave out goes into batches."""
    before: _Plan | None = field(default=None, repr=False)


def pack(events: Sequence[PusherEvent], max_request_bytes: int | None = None) -> list[Call]:
    """Return the fewest calls that carry the events in their order; of those, the fewest bytes.

    Args:
        events: The events, in order.
        max_request_bytes: The limit for the body of a call, which is cut where it is larger; None
            where there is none.
    """
    if all(len(event.channels) == 1 for event in events):
        # What a search would find as well.
        items = [
            Item(event=event, channels=event.channels, index=index)
            for index, event in enumerate(events)
        ]
        return _batches(items, max_request_bytes)
    calls = _fewest_calls(events)
    if max_request_bytes is None:
        return calls
    return [part for call in calls for part in _cut(call, max_request_bytes)]


def _fewest_calls(events: Sequence[PusherEvent]) -> list[Call]:
    shapes = [_split(event) for event in events]
    # By the room left in the batch that is open: the only thing about the past that matters.
    plans = {0: _Plan()}
    for event, (plain, encrypted) in zip(events, shapes, strict=True):
        following: dict[int, _Plan] = {}
        for room, plan in plans.items():
            for groups in _possible_groups(len(plain)):
                items = max(0, len(plain) - groups * MAX_CHANNELS_PER_EVENT) + len(encrypted)
                batches, left = _place(items, room, closes=groups > 0)
                cost = (
                    plan.cost[0] + groups + batches,
                    plan.cost[1] + (groups + items) * len(event.data),
                )
                if left not in following or cost < following[left].cost:
                    following[left] = _Plan(cost, groups, plan)
        plans = following
    best = min(plans.values(), key=lambda plan: plan.cost)
    return _build(events, shapes, _choices(best))


def _batches(items: Sequence[Item], max_bytes: int | None) -> list[Call]:
    """Return items of one channel each in batches that are as full as they may be."""
    batches: list[list[Item]] = []
    size = 0
    for item in items:
        # Its own request is some bytes longer than its part of a batch, so this is never too few.
        more = request_size(item.event, item.channels) if max_bytes else 0
        full = not batches or len(batches[-1]) == MAX_EVENTS_PER_BATCH
        if full or (max_bytes and size + more > max_bytes):
            batches.append([])
            size = len('{"batch":[]}')
        batches[-1].append(item)
        size += more
    return [Call(items=tuple(batch)) for batch in batches]


def _cut(call: Call, max_bytes: int) -> Iterator[Call]:
    """Go through the parts of a call, each of which fits into a request."""
    if len(call.items) > 1:
        yield from _batches(call.items, max_bytes)
        return
    (item,) = call.items
    rest = item.channels
    while rest:
        count = len(rest)
        while count > 1 and request_size(item.event, rest[:count]) > max_bytes:
            count = count * 3 // 4
        yield Call(items=(replace(item, channels=rest[:count]),))
        rest = rest[count:]


def _split(event: PusherEvent) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Separate the channels that may share a call from the encrypted ones."""
    encrypted = tuple(c for c in event.channels if c.startswith(ChannelKind.ENCRYPTED.value))
    if not encrypted:
        return event.channels, ()
    return tuple(c for c in event.channels if c not in encrypted), encrypted


def _possible_groups(channels: int) -> range:
    """Return how many ``/events`` calls an event may make; a lone channel is a batch's item."""
    return range(1 if channels <= 1 else -(-channels // MAX_CHANNELS_PER_EVENT) + 1)


def _place(items: int, room: int, *, closes: bool) -> tuple[int, int]:
    """Return how many batches are opened for items, and the room left in the last of them.

    With ``closes`` a call of another kind follows the open batch, which nothing joins afterwards.
    """
    if items <= room:
        return 0, 0 if closes else room - items
    over = items - room
    return -(-over // MAX_EVENTS_PER_BATCH), -over % MAX_EVENTS_PER_BATCH


def _choices(plan: _Plan) -> list[int]:
    choices: list[int] = []
    while plan.before is not None:
        choices.append(plan.groups)
        plan = plan.before
    return choices[::-1]


def _build(
    events: Sequence[PusherEvent],
    shapes: Sequence[tuple[tuple[str, ...], tuple[str, ...]]],
    choices: Sequence[int],
) -> list[Call]:
    calls: list[list[Item]] = []
    room = 0
    for index, (event, (plain, encrypted), groups) in enumerate(
        zip(events, shapes, choices, strict=True)
    ):
        grouped = plain[: groups * MAX_CHANNELS_PER_EVENT]
        singles = [
            Item(event=event, channels=(channel,), index=index)
            for channel in (*plain[len(grouped) :], *encrypted)
        ]
        if singles[:room]:
            calls[-1] += singles[:room]
        singles, room = singles[room:], max(0, room - len(singles))
        for start in range(0, len(grouped), MAX_CHANNELS_PER_EVENT):
            channels = grouped[start : start + MAX_CHANNELS_PER_EVENT]
            calls.append([Item(event=event, channels=channels, index=index)])
            room = 0
        while singles:
            calls.append(singles[:MAX_EVENTS_PER_BATCH])
            singles, room = singles[MAX_EVENTS_PER_BATCH:], MAX_EVENTS_PER_BATCH - len(calls[-1])
    return [Call(items=tuple(items)) for items in calls]
