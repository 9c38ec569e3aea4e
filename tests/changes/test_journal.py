"""What one transaction pushes leaves in one call, and only what it commits."""

import threading

import pytest
from django.db import transaction
from django.test import TestCase

from drf_model_pusher.changes.block import Block, record
from drf_model_pusher.changes.journal import _log_manual_transaction
from drf_model_pusher.delivery import BaseDelivery
from drf_model_pusher.events import PusherEvent

committing = pytest.mark.django_db(transaction=True, databases=["default", "other"])


class Recording(BaseDelivery):
    """Remembers the names of the events of each call."""

    calls: list = []

    def send(self, events):
        self.calls.append([event.name for event in events])

    @staticmethod
    def push(*names, using="default"):
        record([PusherEvent(channels=("orders",), name=name, data="{}") for name in names], using)


class UndoneError(Exception):
    pass


@pytest.fixture(autouse=True)
def delivery(settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = f"{__name__}.Recording"
    Recording.calls = []
    return Recording


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

    def test_without_a_hook_they_leave_at_once_and_a_line_says_so(self, delivery, caplog):
        _log_manual_transaction.cache_clear()
        transaction.set_autocommit(False)
        try:
            delivery.push("a")
            delivery.push("b")
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)
        assert delivery.calls == [["a"], ["b"]]
        assert caplog.text.count("set_autocommit(False)") == 1

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


@committing
class TestBlocks:
    def test_leave_together_at_their_end(self, delivery):
        with Block("default"):
            delivery.push("a")
            with transaction.atomic():
                delivery.push("b")
            with pytest.raises(UndoneError), transaction.atomic():
                delivery.push("undone")
                raise UndoneError
            delivery.push("c")
            assert delivery.calls == []
        assert delivery.calls == [["a", "b", "c"]]

    def test_take_their_place_in_the_transaction_around_them(self, delivery):
        with transaction.atomic():
            delivery.push("before")
            with Block("default"):
                delivery.push("in it")
                with transaction.atomic():
                    delivery.push("in it too")
            delivery.push("after")
            assert delivery.calls == []
        assert delivery.calls == [["before", "in it", "in it too", "after"]]

    def test_of_a_savepoint_that_is_rolled_back_leave_nothing(self, delivery):
        with transaction.atomic():
            delivery.push("before")
            with pytest.raises(UndoneError), transaction.atomic():
                with Block("default"):
                    delivery.push("undone")
                raise UndoneError
        assert delivery.calls == [["before"]]

    def test_that_fail_keep_what_was_committed_and_drop_what_is_their_own(self, delivery):
        with pytest.raises(UndoneError), Block("default") as inner:
            inner.records_own = True
            delivery.push("deletion")
            inner.records_own = False
            with transaction.atomic():
                delivery.push("audit")
            raise UndoneError
        assert delivery.calls == [["audit"]]

    def test_stand_in_each_other(self, delivery):
        with Block("default"):
            delivery.push("a")
            with Block("default"):
                delivery.push("b")
            delivery.push("c")
            assert delivery.calls == []
        assert delivery.calls == [["a", "b", "c"]]

    def test_keep_nothing_of_another_database(self, delivery):
        with Block("default"), Block("other"):
            delivery.push("a")
            delivery.push("x", using="other")
        assert delivery.calls == [["x"], ["a"]]

    def test_may_hold_a_durable_transaction(self, delivery):
        with Block("default"), transaction.atomic(durable=True):
            delivery.push("a")
        assert delivery.calls == [["a"]]


class TestInsideATestCase(TestCase):
    def test_what_is_captured_is_called_and_nothing_from_before(self):
        delivery = Recording
        delivery.push("before")
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            delivery.push("a")
            delivery.push("b")
        assert len(callbacks) == 2
        assert delivery.calls == [["a", "b"]]
        with self.captureOnCommitCallbacks(execute=True):
            delivery.push("c")
        assert delivery.calls == [["a", "b"], ["c"]]
