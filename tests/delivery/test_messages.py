"""What travels through a queue is read by releases before and after the one that wrote it."""

import json

import pytest

from drf_model_pusher.delivery.jobs import UnreadableMessageError, read_message, write_message
from drf_model_pusher.delivery.queue import QueuedEvent
from tests.delivery.samples import FULL, PLAIN


def written(*events, attempts=0):
    entries = [QueuedEvent(event=event, since=5.0, attempts=attempts) for event in events]
    return json.loads(json.dumps(write_message(entries, since=5.0)))


def read(message):
    return [entry.event for entry in read_message(message)]


def test_events_come_back_as_they_were():
    assert read(written(FULL, PLAIN)) == [FULL, PLAIN]


def test_what_was_tried_is_remembered():
    (entry,) = read_message(written(PLAIN, attempts=3))
    assert (entry.attempts, entry.since) == (3, 5.0)


def test_this_is_what_waits_in_the_queues_of_a_release_before():
    """Once released it may never fail: older messages wait while a new release is installed."""
    message = {
        "version": 1,
        "since": 1700000000.5,
        "tries": 0,
        "events": [
            {
                "channels": ["orders", "private-staff"],
                "name": "order.update",
                "data": '{"word":"Zoë 🦄","half":"\\ud800"}',
                "socket_id": "1.2",
                "subject": "orders.order:42",
                "change": "update",
                "conflation_key": "order 42",
                "provider": "drf_model_pusher.providers.memory.MemoryProvider",
                "occupancy_unknown": True,
            },
            {"channels": ["orders"], "name": "hello", "data": "{}"},
        ],
    }
    assert read(message) == [FULL, PLAIN]


def test_what_a_later_release_adds_is_passed_over():
    message = written(PLAIN)
    message["colour"] = message["events"][0]["colour"] = "green"
    assert read(message) == [PLAIN]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"version": 2}, "Install the release"),
        ({"version": None}, "has no version"),
        ({"since": None}, "TypeError"),
        ({"events": None}, "TypeError"),
        ({"events": [None]}, "not NoneType"),
        ({"events": [{"name": "a", "data": "{}"}]}, "has no channels"),
        ({"events": [{"channels": ["a"], "name": "a", "data": {}}]}, "event's data"),
        ({"events": [{"channels": ["a b"], "name": "a", "data": "{}"}]}, "Pusher would refuse"),
        (
            {"events": [{"channels": ["a"], "name": "a", "data": "{}", "provider": 1}]},
            "event's provider",
        ),
    ],
)
def test_what_is_not_understood_is_refused_clearly(wrong, sentence):
    with pytest.raises(UnreadableMessageError, match=sentence):
        read_message({**written(PLAIN), **wrong})


@pytest.mark.parametrize("message", [None, [], "text", {}])
def test_what_is_no_message_is_refused(message):
    with pytest.raises(UnreadableMessageError, match="no message of drf-model-pusher"):
        read_message(message)
