import json
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drf_model_pusher import packing
from drf_model_pusher.events import PusherEvent, request_size
from drf_model_pusher.packing import pack

# Limits so small that an exhaustive search of all packings ends.
BATCH, CHANNELS = 3, 4


def event(plain=1, encrypted=0, *, data="{}", name="e", socket_id=None):
    channels = [f"c{i}" for i in range(plain)]
    channels += [f"private-encrypted-{i}" for i in range(encrypted)]
    return PusherEvent(channels=tuple(channels), name=name, data=data, socket_id=socket_id)


def fewest_calls(shapes):
    """Find the fewest calls by trying every possible next call from every state, breadth first."""
    start = (0, *shapes[0])
    queue, seen = deque([(start, 0)]), {start}
    while queue:
        (index, plain, encrypted), calls = queue.popleft()
        if index == len(shapes):
            return calls
        for state in {
            *group_calls(index, plain, encrypted),
            *batches(index, plain, encrypted, shapes),
        }:
            state = following(*state, shapes)
            if state not in seen:
                seen.add(state)
                queue.append((state, calls + 1))
    raise AssertionError("no packing at all")


def group_calls(index, plain, encrypted):
    return [(index, plain - taken, encrypted) for taken in range(1, min(plain, CHANNELS) + 1)]


def batches(index, plain, encrypted, shapes):
    """All states after one batch: any mix of this event's channels, then of those behind it."""
    states, open_ones = set(), {(index, plain, encrypted)}
    for _ in range(BATCH):
        taken = set()
        for at, p, e in open_ones:
            if at == len(shapes):
                continue
            if p:
                taken.add(following(at, p - 1, e, shapes))
            if e:
                taken.add(following(at, p, e - 1, shapes))
        states |= taken
        open_ones = taken
    return states


def following(index, plain, encrypted, shapes):
    while index < len(shapes) and not plain and not encrypted:
        index += 1
        plain, encrypted = shapes[index] if index < len(shapes) else (0, 0)
    return (index, plain, encrypted)


shapes = st.tuples(st.integers(0, 7), st.integers(0, 3)).filter(any)


class TestProperties:
    @given(st.lists(st.tuples(st.integers(0, 250), st.integers(0, 12)).filter(any), max_size=30))
    def test_nothing_is_lost_doubled_reordered_or_over_a_limit(self, sizes):
        events = [event(*size, name=str(at)) for at, size in enumerate(sizes)]
        sent = [[] for _ in events]
        last = 0
        for call in pack(events):
            if len(call.items) > 1:
                assert len(call.items) <= 10
                assert all(len(item.channels) == 1 for item in call.items)
            for item in call.items:
                assert item.event is events[item.index]
                assert item.index >= last
                last = item.index
                assert len(item.channels) <= 100
                if len(item.channels) > 1:
                    assert not any(c.startswith("private-encrypted-") for c in item.channels)
                sent[item.index] += item.channels
        assert [sorted(channels) for channels in sent] == [sorted(e.channels) for e in events]

    @given(st.lists(shapes, min_size=1, max_size=5))
    def test_no_packing_has_fewer_calls(self, sizes):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(packing, "MAX_EVENTS_PER_BATCH", BATCH)
            patch.setattr(packing, "MAX_CHANNELS_PER_EVENT", CHANNELS)
            assert len(pack([event(*size) for size in sizes])) == fewest_calls(sizes)


class TestLimitOfTheRequest:
    """Of its size, beside the limits of numbers."""

    @given(
        st.lists(st.tuples(*[st.integers(0, 12)] * 2, st.integers(2, 400)), min_size=1, max_size=6),
        st.integers(300, 2_000),
    )
    def test_every_call_fits_that_can(self, sizes, limit):
        events = [
            event(plain, encrypted or int(not plain), data=json.dumps('"' * length))
            for plain, encrypted, length in sizes
        ]
        sent: list[list[str]] = [[] for _ in events]
        order = []
        for call in pack(events, limit):
            size = sum(request_size(item.event, item.channels) for item in call.items)
            parts = sum(len(item.channels) for item in call.items)
            assert size <= limit or parts == 1
            for item in call.items:
                sent[item.index] += item.channels
                order.append(item.index)
        assert [sorted(channels) for channels in sent] == [sorted(e.channels) for e in events]
        assert order == sorted(order)

    def test_one_that_is_never_reached_changes_nothing(self):
        events = [event(3, 1), event(103), *[event()] * 30]
        assert pack(events, 1_000_000) == pack(events)


class TestExamples:
    def test_nothing_is_no_call(self):
        assert pack([]) == []

    def test_a_hundred_events_are_ten_full_batches(self):
        assert [len(call.items) for call in pack([event()] * 100)] == [10] * 10

    def test_150_channels_are_two_calls(self):
        assert [len(call.items[0].channels) for call in pack([event(150)])] == [100, 50]

    def test_1000_channels_are_ten_calls(self):
        assert len(pack([event(1000)])) == 10

    def test_encrypted_channels_go_one_by_one_or_in_a_batch(self):
        (call,) = pack([event(0, 10)])
        assert [len(item.channels) for item in call.items] == [1] * 10

    def test_of_as_many_calls_the_smaller_is_chosen(self):
        """Three channels: one call that carries the data once, not a batch that repeats it."""
        (call,) = pack([event(3)])
        assert len(call.items) == 1

    def test_a_few_channels_too_many_ride_in_the_next_batch(self):
        assert [len(call.items) for call in pack([event(103), *[event()] * 7])] == [1, 10]

    def test_each_item_keeps_its_socket_id(self):
        (call,) = pack([event(socket_id="1.1"), event(), event(socket_id="2.2")])
        assert [item.event.socket_id for item in call.items] == ["1.1", None, "2.2"]
