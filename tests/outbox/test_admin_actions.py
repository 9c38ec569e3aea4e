from datetime import timedelta

import pytest
from django.utils import timezone

from drf_model_pusher.outbox import admin_actions
from drf_model_pusher.outbox.models import OutboxRow
from tests.pusher_api import Answer

State = OutboxRow.State


@pytest.fixture
def postponed(outbox):
    """An outbox with two events of each of many objects, all of which were put off."""
    for number in range(1_100):
        outbox.put("first", "second", subject=f"shop.order:{number}")
    outbox.rows.update(due=timezone.now() + timedelta(hours=1), refusals=2)
    return outbox


def ids(rows):
    return list(rows.values_list("id", flat=True))


def test_a_relay_that_has_put_an_event_off_sends_it_at_once_when_told(outbox, pusher_api):
    pusher_api.script.append(Answer(status=413, headers={"Retry-After": "60"}))
    outbox.put("e")
    outbox.relay.batch()
    assert outbox.states == {"e": "postponed"}
    admin_actions.retry(outbox.alias, ids(outbox.rows))
    outbox.relay.batch()
    assert [event["name"] for event in pusher_api.events] == ["e"]


def test_what_has_left_is_not_discarded(outbox):
    outbox.put("e")
    outbox.rows.update(state=State.SENT)
    assert admin_actions.discard(outbox.alias, ids(outbox.rows)) == 0
    assert outbox.names == ["e"]


class TestMany:
    """More than a database takes in one statement, as after an outage."""

    def test_all_that_is_chosen_is_retried_and_counted(self, postponed):
        assert admin_actions.retry(postponed.alias, ids(postponed.rows)) == 2_200
        assert not postponed.rows.exclude(due=None, refusals=0).exists()

    def test_all_that_is_chosen_is_discarded_and_counted(self, postponed):
        assert admin_actions.discard(postponed.alias, ids(postponed.rows)) == 2_200
        assert postponed.names == []
