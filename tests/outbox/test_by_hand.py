from datetime import timedelta

import pytest
from django.utils import timezone

from drf_model_pusher.outbox import by_hand
from drf_model_pusher.outbox.models import OutboxEvent

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
