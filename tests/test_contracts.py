"""The contracts that we ship: ours keep them, and broken ones are told what is wrong."""

import contextlib
import json
import unittest
from collections import deque

import pytest

from drf_model_pusher.contracts import Arrival, DeliveryContract, ProviderContract
from drf_model_pusher.delivery import BackgroundDelivery, BaseDelivery, InlineDelivery
from drf_model_pusher.delivery.retry import RetryPolicy
from drf_model_pusher.delivery.sending import send_once
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers import BaseProvider, ConsoleProvider, MemoryProvider, get_provider
from drf_model_pusher.providers.pusher import PusherProvider
from tests.pusher_api import Answer

committing = pytest.mark.django_db(transaction=True)


class TestPusherProvider(ProviderContract):
    @pytest.fixture(autouse=True)
    def _api(self, pusher_api):
        self.api = pusher_api

    def make_provider(self):
        return get_provider(PusherProvider)

    def arrivals(self):
        return [Arrival(**event) for event in self.api.events]

    def refuse(self, *, after, retryable):
        # The contract's events fit into one call, which is taken or refused as a whole.
        pytest.skip("see TestPusherProviderAtItsLimits")


class TestPusherProviderAtItsLimits(TestPusherProvider):
    """With one event a call, so that a call in the middle can be refused."""

    def make_provider(self):
        provider = super().make_provider()

        class OneByOne(BaseProvider):
            def trigger(self, *args):
                provider.trigger(*args)

        return OneByOne()

    def refuse(self, *, after, retryable):
        self.api.script.extend([Answer()] * after)
        self.api.script.append(Answer(status=503 if retryable else 403))


class TestMemoryProvider(ProviderContract):
    @pytest.fixture(autouse=True)
    def _memory(self, memory):
        self.memory = memory

    def make_provider(self):
        return get_provider(MemoryProvider)

    def arrivals(self):
        return [Arrival(e.channels, e.name, e.json(), e.socket_id) for e in self.memory]


class TestConsoleProvider(ProviderContract):
    @pytest.fixture(autouse=True)
    def _capture(self, capsys):
        self.capsys = capsys

    def make_provider(self):
        return get_provider(ConsoleProvider)

    def arrivals(self):
        return [self._read(line) for line in self.capsys.readouterr().out.splitlines()]

    @staticmethod
    def _read(line):
        name, _, rest = line.removeprefix("[pusher] ").partition(" → ")
        start = min(rest.index(mark) for mark in ('{"', "{}", '"') if mark in rest)
        channels, _, left_out = rest[: start - 1].partition(" (not to ")
        data = json.loads(rest[start:])
        return Arrival(channels.split(", "), name, data, left_out.rstrip(")") or None)


class Hub:
    """The far side of providers that a test writes."""

    def __init__(self):
        self.taken = []
        self.script = deque()

    def take(self, arrival):
        if self.script and (failure := self.script.popleft()):
            raise failure
        self.taken.append(arrival)


class OwnContract(ProviderContract):
    """Of a provider with the faults that a test gives it."""

    provider: type[BaseProvider]

    def make_provider(self):
        self.hub = self.provider.hub = Hub()
        return self.provider()

    def arrivals(self):
        return self.hub.taken

    def refuse(self, *, after, retryable):
        error = ProviderError("refused", retryable=retryable, status=503 if retryable else 403)
        self.hub.script.extend([*[None] * after, error])


class Right(BaseProvider):
    hub: Hub

    def trigger(self, channels, event_name, data, socket_id=None):
        self.hub.take(Arrival(channels, event_name, data, socket_id))


class TestARightProvider(OwnContract):
    provider = Right


class InReverse(Right):
    def send(self, events):
        super().send(list(reversed(events)))


class FirstChannelAlone(Right):
    def trigger(self, channels, *args):
        super().trigger(channels[:1], *args)


class TextForData(Right):
    def trigger(self, channels, event_name, data, socket_id=None):
        super().trigger(channels, event_name, json.dumps(data), socket_id)


class ForgetsTheSocket(Right):
    def trigger(self, channels, event_name, data, socket_id=None):
        super().trigger(channels, event_name, data)


class Swallows(Right):
    def trigger(self, *args):
        with contextlib.suppress(ProviderError):
            super().trigger(*args)


class NeverCounts(Right):
    def send(self, events):
        try:
            super().send(events)
        except ProviderError as error:
            error.sent = 0
            raise


class AlwaysRetryable(Right):
    def trigger(self, *args):
        try:
            super().trigger(*args)
        except ProviderError as error:
            raise ConnectionResetError from error


class TellsThePayload(Right):
    def trigger(self, channels, event_name, data, socket_id=None):
        try:
            super().trigger(channels, event_name, data, socket_id)
        except ProviderError as error:
            raise ProviderError(f"could not send {data}") from error


@pytest.mark.parametrize(
    ("provider", "test", "sentence"),
    [
        (InReverse, "events_arrive_in_order_and_as_they_were", "in their order"),
        (FirstChannelAlone, "events_arrive_in_order_and_as_they_were", "each of their channels"),
        (TextForData, "trigger_takes_python_values", "Python values as they are"),
        (ForgetsTheSocket, "events_arrive_in_order_and_as_they_were", "socket ids"),
        (Swallows, "a_failure_that_may_pass_can_be_tried_again", "must raise a ProviderError"),
        (NeverCounts, "a_failure_that_may_pass_can_be_tried_again", "count in `sent`"),
        (AlwaysRetryable, "a_failure_for_good_is_not_tried_again", "retryable=False"),
        (TellsThePayload, "what_fails_keeps_the_payload_out_of_its_text", "payload"),
    ],
)
def test_a_broken_provider_is_told_what_is_wrong(provider, test, sentence):
    contract = OwnContract()
    contract.provider = provider
    with pytest.raises(AssertionError, match=sentence):
        getattr(contract, f"test_{test}")()


@committing
class TestInlineDelivery(DeliveryContract):
    def make_delivery(self):
        return InlineDelivery()


@committing
class TestBackgroundDelivery(DeliveryContract):
    @pytest.fixture(autouse=True)
    def _short_pauses(self, monkeypatch):
        monkeypatch.setattr(RetryPolicy, "pause", lambda *args: 0.02)

    def make_delivery(self):
        return BackgroundDelivery()


@committing
class TestTaskDelivery(DeliveryContract):
    """With a backend that keeps tasks until they are taken."""

    @pytest.fixture(autouse=True)
    def _backend(self, use_task_backend):
        self.backend = use_task_backend("Dummy")

    def make_delivery(self):
        from drf_model_pusher.delivery import TaskDelivery

        self.backend.clear()
        return TaskDelivery()

    def finish(self, delivery):
        while self.backend.results:
            result = self.backend.results.pop(0)
            result.task.call(*result.args)


@committing
class TestCeleryDelivery(DeliveryContract):
    """With a broker in memory."""

    @pytest.fixture(autouse=True)
    def _app(self):
        celery = pytest.importorskip("celery", reason="Celery is not installed")
        self.app = celery.Celery("contract", broker="memory://", set_as_current=True)
        yield
        self.app.close()

    def make_delivery(self):
        from drf_model_pusher.delivery import CeleryDelivery

        self._drain(lambda *args: None)
        return CeleryDelivery()

    def finish(self, delivery):
        from drf_model_pusher.delivery.celery import send_events

        self._drain(lambda message: send_events.apply((message,)))

    def _drain(self, take):
        with self.app.connection_for_read() as connection:
            queue = connection.SimpleQueue("celery")
            while True:
                try:
                    message = queue.get(block=False)
                except queue.Empty:
                    return
                take(*message.payload[0])
                message.ack()


class TooEarly(InlineDelivery):
    joins_transaction = True

    def store(self, changes, *, using):
        self.send(changes)


class Backwards(InlineDelivery):
    def send(self, events):
        super().send(list(reversed(events)))


class LetsOut(InlineDelivery):
    def send(self, events):
        for event in events:
            get_provider(event.provider).send([event])


class Claims(InlineDelivery):
    waits_for_provider = False


class ClaimsNonsense(InlineDelivery):
    keeps_order = "galaxy"


class Loses(BaseDelivery):
    keeps_order = "thread"

    def send(self, events):
        send_once(events[1:])


class NeverFinishes(InlineDelivery):
    def flush(self, timeout=None):
        return False


@committing
@pytest.mark.parametrize(
    ("delivery", "test", "sentence"),
    [
        (TooEarly, "nothing_leaves_before_the_commit", "before the commit"),
        (TooEarly, "a_rollback_lets_nothing_leave", "After a rollback exactly"),
        (TooEarly, "a_savepoint_that_is_rolled_back_lets_nothing_leave", "After a savepoint"),
        (Backwards, "nothing_leaves_before_the_commit", "in this order"),
        (LetsOut, "what_a_provider_raises_reaches_nobody", "the delivery let it out"),
        (Claims, "it_waits_for_the_provider_only_if_it_says_so", "the caller waited"),
        (ClaimsNonsense, "what_it_promises_can_be_read", "ClaimsNonsense.keeps_order must be one"),
        (Loses, "without_a_transaction_events_leave", "must leave"),
        (NeverFinishes, "without_a_transaction_events_leave", "flush"),
    ],
)
def test_a_broken_delivery_is_told_what_is_wrong(delivery, test, sentence):
    contract = DeliveryContract()
    contract.make_delivery = delivery
    with pytest.raises(AssertionError, match=sentence):
        getattr(contract, f"test_{test}")()


def test_it_runs_without_pytest():
    class Case(OwnContract, unittest.TestCase):
        provider = Right

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, result.wasSuccessful()) == (6, True)
