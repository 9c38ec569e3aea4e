from dataclasses import replace

import pytest

from drf_model_pusher.delivery.queue import EventQueue
from drf_model_pusher.events import PusherEvent


def event(change, *, data="{}", key="order 7", channels=("orders",), socket_id=None):
    return PusherEvent(
        channels=channels,
        name=f"order.{change}",
        data=data,
        change=change if change in ("create", "update", "delete") else None,
        conflation_key=key,
        socket_id=socket_id,
    )


def left(*events, size=100):
    """Return what waits after events were put, as (name, data) pairs."""
    queue = EventQueue(size)
    for each in events:
        queue.put(each, now=0)
    return [(entry.event.name, entry.event.data) for entry in queue.take(100)]


class TestOrderAndBounds:
    def test_first_in_first_out(self):
        assert left(*[event("update", data=str(n), key=None) for n in range(3)]) == [
            ("order.update", "0"),
            ("order.update", "1"),
            ("order.update", "2"),
        ]

    def test_the_oldest_makes_room(self):
        queue = EventQueue(2)
        first, second, third = (event("update", data=str(n), key=None) for n in range(3))
        assert [queue.put(each, now=0) for each in (first, second, third)] == [None, None, first]
        assert [entry.event for entry in queue.take(9)] == [second, third]

    def test_what_is_put_back_comes_first(self):
        queue = EventQueue(10)
        for n in range(3):
            queue.put(event("update", data=str(n), key=None), now=0)
        taken = queue.take(2)
        assert queue.put_back(taken) == []
        assert [entry.event.data for entry in queue.take(9)] == ["0", "1", "2"]

    def test_what_is_put_back_into_a_full_queue_is_the_oldest(self):
        queue = EventQueue(2)
        first = event("update", data="0", key=None)
        queue.put(first, now=0)
        taken = queue.take(1)
        for n in (1, 2):
            queue.put(event("update", data=str(n), key=None), now=0)
        assert queue.put_back(taken) == [first]
        assert len(queue) == 2


class TestConflation:
    @pytest.mark.parametrize(
        ("changes", "net"),
        [
            (["update", "update"], [("order.update", "1")]),
            (["create", "update"], [("order.create", "1")]),
            (["create", "update", "update"], [("order.create", "2")]),
            (["create", "delete"], []),
            (["create", "update", "delete"], []),
            (["update", "delete"], [("order.delete", "1")]),
            (["delete", "create"], [("order.delete", "0"), ("order.create", "1")]),
            (["create", "delete", "create"], [("order.create", "2")]),
            (
                ["update", "archived", "update", "update"],
                [("order.update", "0"), ("order.archived", "1"), ("order.update", "3")],
            ),
        ],
    )
    def test_events_of_one_object_become_their_net_effect(self, changes, net):
        assert left(*[event(change, data=str(n)) for n, change in enumerate(changes)]) == net

    def test_ten_thousand_updates_are_one(self):
        updates = [event("update", data=str(n)) for n in range(10_000)]
        assert left(*updates, size=10) == [("order.update", "9999")]

    def test_is_off_without_a_key(self):
        assert len(left(event("update", key=None), event("update", key=None))) == 2

    def test_objects_are_apart(self):
        assert len(left(event("update"), event("update", key="order 8"))) == 2

    def test_other_channels_are_other_events(self):
        assert len(left(event("update"), event("update", channels=("archive",)))) == 2

    def test_the_place_in_line_is_kept(self):
        other = event("update", key="order 8", data="other")
        assert left(event("update"), other, event("update", data="last")) == [
            ("order.update", "last"),
            ("order.update", "other"),
        ]

    def test_the_last_writer_is_left_out(self):
        queue = EventQueue(9)
        queue.put(event("update", socket_id="1.1"), now=0)
        queue.put(event("update", socket_id="2.2"), now=0)
        assert [entry.event.socket_id for entry in queue.take(9)] == ["2.2"]

    def test_a_creator_who_was_left_out_hears_of_anothers_deletion(self):
        created, deleted = event("create", socket_id="1.1"), event("delete", socket_id="2.2")
        assert left(created, deleted) == [("order.delete", "{}")]
        assert left(created, replace(deleted, socket_id="1.1")) == []

    def test_a_creator_hears_of_the_deletion_when_another_has_updated_in_between(self):
        created = event("create", socket_id="1.1")
        updated, deleted = event("update", socket_id="2.2"), event("delete", socket_id="2.2")
        assert left(created, updated, deleted) == [("order.delete", "{}")]

    def test_nobody_is_left_out_of_a_creation_with_anothers_update(self):
        queue = EventQueue(9)
        queue.put(event("create", socket_id="1.1"), now=0)
        queue.put(event("update", socket_id="2.2"), now=0)
        assert [entry.event.socket_id for entry in queue.take(9)] == [None]

    def test_the_data_is_as_young_as_the_last_change(self):
        queue = EventQueue(9)
        queue.put(event("update"), now=1)
        queue.put(event("update"), now=100)
        assert [entry.since for entry in queue.take(9)] == [100]

    def test_a_creation_that_was_tried_may_be_known_and_its_deletion_is_told(self):
        queue = EventQueue(9)
        queue.put(event("create"), now=0)
        (tried,) = queue.take(9)
        tried.attempts = 1
        queue.put(event("delete"), now=0)
        queue.put_back([tried])
        assert [entry.event.name for entry in queue.take(9)] == ["order.delete"]

    def test_what_was_put_back_conflates_with_what_came_since(self):
        queue = EventQueue(9)
        queue.put(event("update", data="old"), now=0)
        taken = queue.take(9)
        queue.put(event("update", data="new"), now=1)
        queue.put_back(taken)
        assert [entry.event.data for entry in queue.take(9)] == ["new"]


class TestFailingProviders:
    def test_they_are_not_in_the_way_of_others(self):
        queue = EventQueue(9)
        for number in range(6):
            waiting = event("update", data=str(number), key=None)
            provider = "own.Provider" if number < 4 else None
            queue.put(replace(waiting, provider=provider), now=0)
        taken = queue.take(2, failing={"own.Provider"})
        assert [entry.event.data for entry in taken] == ["0", "1", "4", "5"]
        assert [entry.event.data for entry in queue.take(9)] == ["2", "3"]
