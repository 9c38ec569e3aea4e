"""What one transaction pushes leaves in one call, and only what it commits."""

import threading

import pytest
from django.db import transaction
from django.test import TestCase

from drf_model_pusher.delivery import BaseDelivery
from drf_model_pusher.delivery.base import held_back
from drf_model_pusher.events import PusherEvent

committing = pytest.mark.django_db(transaction=True, databases=["default", "other"])


class Recording(BaseDelivery):
    """Remembers the names of the events of each call."""

    def __init__(self):
        self.calls = []

    def send(self, events):
        self.calls.append([event.name for event in events])

    def push(self, *names, using=None):
        events = [PusherEvent(channels=("orders",), name=name, data="{}") for name in names]
        self.deliver(events, using=using)


class UndoneError(Exception):
    pass


@pytest.fixture
def delivery():
    return Recording()


@committing
class TestTransactions:
    def test_events_leave_together_in_order_and_not_before_the_commit(self, delivery):
        with transaction.atomic():
            delivery.push("a")
            with transaction.atomic():
                delivery.push("b", "c")
            delivery.push("d")
            assert delivery.calls == []
        assert delivery.calls == [["a", "b", "c", "d"]]

    def test_without_a_transaction_they_leave_at_once(self, delivery):
        delivery.push("a")
        delivery.push("b")
        assert delivery.calls == [["a"], ["b"]]

    def test_those_of_a_rollback_never_leave(self, delivery):
        with pytest.raises(UndoneError), transaction.atomic():
            delivery.push("a")
            raise UndoneError
        with transaction.atomic():
            delivery.push("b")
        assert delivery.calls == [["b"]]

    @pytest.mark.parametrize("before", [(), ("a",)])
    @pytest.mark.parametrize("after", [(), ("z",)])
    def test_those_of_a_savepoint_that_is_rolled_back_never_leave(self, delivery, before, after):
        with transaction.atomic():
            for name in before:
                delivery.push(name)
            # What is caught lives on, and with it the frames that pushed.
            with pytest.raises(UndoneError) as caught, transaction.atomic():
                delivery.push("undone")
                with transaction.atomic():
                    delivery.push("undone too")
                raise UndoneError
            for name in after:
                delivery.push(name)
        assert delivery.calls == [[*before, *after]] * bool(before or after)
        assert caught.value.__traceback__

    def test_each_database_decides_for_its_own(self, delivery):
        with transaction.atomic():
            delivery.push("a")
            with pytest.raises(UndoneError), transaction.atomic(using="other"):
                delivery.push("undone", using="other")
                raise UndoneError
            with transaction.atomic(using="other"):
                delivery.push("x", using="other")
                delivery.push("b")
                delivery.push("y", using="other")
            assert delivery.calls == [["x", "y"]]
        assert delivery.calls == [["x", "y"], ["a", "b"]]

    def test_each_delivery_gets_its_own(self, delivery):
        other = Recording()
        with transaction.atomic():
            delivery.push("a")
            other.push("x")
            delivery.push("b")
        assert (delivery.calls, other.calls) == ([["a", "b"]], [["x"]])

    def test_threads_do_not_mix(self, delivery):
        together = threading.Barrier(2)

        def push(name):
            with transaction.atomic():
                together.wait(10)
                delivery.push(f"{name}1")
                together.wait(10)
                delivery.push(f"{name}2")
            transaction.get_connection().connection.close()  # Django keeps one that is in memory

        threads = [threading.Thread(target=push, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(delivery.calls) == [["a1", "a2"], ["b1", "b2"]]

    def test_what_is_held_back_takes_its_place_at_the_end_of_the_block(self, delivery):
        with transaction.atomic():
            with held_back():
                delivery.push("held")
                with transaction.atomic():
                    delivery.push("held too")
            delivery.push("after")
        assert delivery.calls == [["held", "held too", "after"]]

    def test_a_hook_of_somebody_elses_that_raises_stops_nothing_of_ours_behind_it(self, delivery):
        def broken():
            raise UndoneError

        with pytest.raises(UndoneError), transaction.atomic():
            delivery.push("a")
            transaction.on_commit(broken)
            delivery.push("b")
        assert delivery.calls == [["a", "b"]]

    def test_what_its_hooks_push_leaves_by_itself(self, delivery):
        def push_in_a_transaction():
            with transaction.atomic():
                delivery.push("x")
                delivery.push("y")

        with transaction.atomic():
            transaction.on_commit(lambda: delivery.push("early"))
            transaction.on_commit(push_in_a_transaction)
            delivery.push("a")
            transaction.on_commit(lambda: delivery.push("late"))
            delivery.push("b")
        assert delivery.calls == [["early"], ["x", "y"], ["a", "b"], ["late"]]

    def test_what_an_earlier_transaction_lost_stays_out_of_a_later_one(self, delivery):
        def broken():
            raise UndoneError

        try:
            with transaction.atomic():
                transaction.on_commit(broken)
                delivery.push("lost")
        except UndoneError:  # its traceback keeps the hooks alive
            with transaction.atomic():
                delivery.push("a")
        assert delivery.calls == [["a"]]

    def test_a_long_transaction_is_remembered_no_longer_than_it_takes(self, delivery):
        with transaction.atomic():
            for _ in range(100_000):
                delivery.push("a")
        assert [len(call) for call in delivery.calls] == [100_000]
        with transaction.atomic():
            delivery.push("b")
        assert delivery.calls[1:] == [["b"]]


class TestInsideATestCase(TestCase):
    def test_what_is_captured_is_called_and_nothing_from_before(self):
        delivery = Recording()
        delivery.push("before")
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            delivery.push("a")
            delivery.push("b")
        assert len(callbacks) == 2
        assert delivery.calls == [["a", "b"]]
        with self.captureOnCommitCallbacks(execute=True):
            delivery.push("c")
        assert delivery.calls == [["a", "b"], ["c"]]
