from __future__ import annotations

import threading

import pytest

from pusher_dev_server.activity import Activity, Kind
from pusher_dev_server.recorder import Recorder


def published(name: str, channel: str = "a", data: str = "{}") -> Activity:
    return Activity(kind=Kind.PUBLISHED, app_id="1", channel=channel, event=name, data=data)


class TestWaiting:
    def test_what_has_come_is_returned_at_once(self):
        record = Recorder()
        record(published("order.update", data='{"id":7}'))
        event = record.wait_for_event("order.update", timeout=0)
        assert (event.name, event.channel, event.data) == ("order.update", "a", {"id": 7})

    def test_what_comes_later_is_waited_for(self):
        record = Recorder()
        timer = threading.Timer(0.05, record, [published("late")])
        timer.start()
        assert record.wait_for_event("late", timeout=5).name == "late"
        timer.join()

    def test_the_channel_must_be_the_one_that_is_named(self):
        record = Recorder()
        record(published("e", "a"))
        record(published("e", "b"))
        assert record.wait_for_event("e", channel="b", timeout=0).channel == "b"

    def test_what_does_not_come_is_an_error_that_lists_what_did(self):
        record = Recorder()
        record(published("order.create", "orders"))
        with pytest.raises(TimeoutError, match=r"order\.update.*order\.create on orders"):
            record.wait_for_event("order.update", timeout=0.01)

    def test_a_subscription_can_be_waited_for(self):
        record = Recorder()
        record(Activity(kind=Kind.SUBSCRIBED, app_id="1", channel="a", socket_id="1.2"))
        assert record.wait_for_subscription("a", timeout=0).socket_id == "1.2"


class TestEvents:
    def test_only_published_ones_are_listed(self):
        record = Recorder()
        record(Activity(kind=Kind.CONNECTED, app_id="1"))
        record(published("e", data="plain"))
        assert [(event.name, event.data) for event in record.events] == [("e", "plain")]

    def test_they_can_be_forgotten(self):
        record = Recorder()
        record(published("e"))
        record.clear()
        assert (record.events, record.activities) == ([], [])

    def test_memory_is_bounded(self):
        record = Recorder(size=2)
        for name in "abc":
            record(published(name))
        assert [event.name for event in record.events] == ["b", "c"]
