from datetime import timedelta

import pytest
from django.utils import timezone

from drf_model_pusher.outbox import by_hand
from drf_model_pusher.outbox.models import OutboxEvent
from tests.pusher_api import Answer

State = OutboxEvent.State


@pytest.fixture
def postponed(outbox):
    """An outbox with two events of each of many objects, all of which were put off."""
    for number in range(1_100):
        outbox.put("first", "second", subject=f"shop.order:{number}")
    outbox.rows.update(state=State.POSTPONED, due=timezone.now() + timedelta(hours=1), refusals=2)
    return outbox


def ids(rows):
    return list(rows.values_list("id", flat=True))


def test_a_relay_that_has_put_an_event_off_sends_it_at_once_when_told(outbox, pusher_api):
    pusher_api.script.append(Answer(status=413, headers={"Retry-After": "60"}))
    outbox.put("e")
    outbox.relay.round()
    assert outbox.states == {"e": "postponed"}
    by_hand.retry(outbox.alias, ids(outbox.rows))
    outbox.relay.round()
    assert [event["name"] for event in pusher_api.events] == ["e"]


def test_what_has_left_is_not_discarded(outbox):
    outbox.put("e")
    outbox.rows.update(state=State.SENT)
    assert by_hand.discard(outbox.alias, ids(outbox.rows)) == 0
    assert outbox.names == ["e"]


class TestMany:
    """More than a database takes in one statement, as after an outage."""

    def test_all_that_is_chosen_is_retried_and_counted(self, postponed):
        assert by_hand.retry(postponed.alias, ids(postponed.rows)) == 2_200
        assert not postponed.rows.exclude(state=State.WAITING, refusals=0).exists()

    def test_what_is_behind_goes_on_with_it(self, postponed):
        assert by_hand.retry(postponed.alias, ids(postponed.rows.filter(name="first"))) == 1_100
        assert not postponed.rows.exclude(state=State.WAITING).exists()

    def test_all_that_is_chosen_is_discarded_and_counted(self, postponed):
        assert by_hand.discard(postponed.alias, ids(postponed.rows)) == 2_200
        assert postponed.names == []
