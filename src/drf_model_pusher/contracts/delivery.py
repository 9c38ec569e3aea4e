"""What the rest of the package, and its users, rely on in a delivery."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar
from unittest import SkipTest

from django.db import DEFAULT_DB_ALIAS, transaction

from drf_model_pusher.changes.block import record
from drf_model_pusher.contracts.messages import make_event, must
from drf_model_pusher.delivery.base import BaseDelivery, in_use
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers.base import BaseProvider, provider_path
from drf_model_pusher.signals import change_failed


class ContractProvider(BaseProvider):
    """Carries the events of the delivery contract: it remembers, fails and hangs as it is told."""

    _is_for_tests = True

    arrived: ClassVar[list[str]] = []
    """The names of the events that it took."""

    failures: ClassVar[deque[Exception]] = deque()
    """What its next calls raise."""

    gate: ClassVar[threading.Event] = threading.Event()
    """Nothing gets through before it is set."""

    def trigger(
        self, channels: list[str], event_name: str, data: Any, socket_id: str | None = None
    ) -> None:
        """Take an event, or do what the contract wants to see handled."""
        self.gate.wait(60)
        if self.failures:
            raise self.failures.popleft()
        self.arrived.append(event_name)


class DeliveryContract:
    """What the rest of the package, and its users, rely on in a delivery.

    The tests commit: they need ``@pytest.mark.django_db(transaction=True)`` on the subclass, or a
    ``TransactionTestCase`` beside it.
    """

    # For subclasses

    def make_delivery(self) -> BaseDelivery:
        """Return a delivery that holds nothing yet."""
        raise NotImplementedError

    def finish(self, delivery: BaseDelivery) -> None:
        """Let what was taken leave; override it to do what a worker or a relay would do."""
        must(delivery.flush(10), "flush() must return True once all has left.")

    # The tests

    def test_nothing_leaves_before_the_commit(self) -> None:
        """And everything after it, in the order of the changes."""
        with self._begun() as delivery:
            with transaction.atomic():
                for n in range(25):
                    self._push(f"event {n}")
                self.finish(delivery)
                must(not ContractProvider.arrived, "Nothing may leave before the commit.")
            self._must_arrive(delivery, [f"event {n}" for n in range(25)], "After the commit")

    def test_without_a_transaction_events_leave(self) -> None:
        """There is nothing to wait for."""
        with self._begun() as delivery:
            self._push("event")
            self._must_arrive(delivery, ["event"], "Outside a transaction")

    def test_a_rollback_lets_nothing_leave(self) -> None:
        """Neither then nor later."""
        with self._begun() as delivery:
            self._undo("undone")
            self._push("event")
            self._must_arrive(delivery, ["event"], "After a rollback")

    def test_a_savepoint_that_is_rolled_back_lets_nothing_leave(self) -> None:
        """What is around it leaves."""
        with self._begun() as delivery:
            with transaction.atomic():
                self._push("before")
                self._undo("undone")
                self._push("after")
            self._must_arrive(delivery, ["before", "after"], "After a savepoint was rolled back")

    def test_a_transaction_leaves_in_one_call(self) -> None:
        """Of ``send()``, where the delivery leaves it to the package to wait for the commit."""
        with self._begun() as delivery:
            if delivery.joins_transaction:
                raise SkipTest("the delivery takes events in the transaction, by store()")
            calls: list[int] = []
            send = delivery.send

            def counted(events: Sequence[PusherEvent]) -> None:
                calls.append(len(events))
                send(events)

            delivery.send = counted  # type: ignore[method-assign]
            with transaction.atomic():
                self._push("first")
                self._push("second")
            self.finish(delivery)
            must(
                calls == [2], f"send() must get a transaction's events in one call, not in {calls}."
            )

    def test_what_a_provider_raises_reaches_nobody(self) -> None:
        """It fails an event, never the request."""
        for failure in (
            ProviderError("refused", status=403),
            ProviderError("down", status=503, retryable=True),
            ConnectionResetError("gone"),
            KeyError("a bug"),
        ):
            with self._begun() as delivery:
                ContractProvider.failures.append(failure)
                let_out: list[object] = []
                note = partial(_note, let_out)
                change_failed.connect(note)
                self._push("event")
                change_failed.disconnect(note)
                must(
                    not let_out,
                    f"The provider raised {failure!r}, and the delivery let it out: send() must "
                    "report a failure by the signal event_failed.",
                )
                self.finish(delivery)

    def test_what_it_promises_can_be_read(self) -> None:
        """As class attributes, of the right types."""
        promises = type(self.make_delivery())
        for name, allowed in {
            "survives_crash": (True, False, None),
            "keeps_order": ("transaction", "thread", "process", "object", None),
            "waits_for_provider": (True, False),
        }.items():
            must(
                getattr(promises, name) in allowed,
                f"{promises.__name__}.{name} must be one of {allowed}.",
            )
        for name in ("leaves", "needs"):
            must(getattr(promises, name), f"{promises.__name__}.{name} must be some words.")

    def test_it_waits_for_the_provider_only_if_it_says_so(self) -> None:
        """A provider that hangs shows it."""
        with self._begun() as delivery:
            ContractProvider.gate.clear()
            opening = threading.Timer(3, ContractProvider.gate.set)
            opening.start()
            self._push("event")
            waits = ContractProvider.gate.is_set()
            opening.cancel()
            ContractProvider.gate.set()
            must(
                waits == delivery.waits_for_provider,
                f"waits_for_provider is {delivery.waits_for_provider}, but the caller "
                + ("waited for the provider." if waits else "did not wait for the provider."),
            )
            self._must_arrive(delivery, ["event"], "After the provider hung")

    # Helpers

    @contextmanager
    def _begun(self) -> Iterator[BaseDelivery]:
        ContractProvider.arrived.clear()
        ContractProvider.failures.clear()
        ContractProvider.gate.set()
        delivery = self.make_delivery()
        with in_use(delivery):
            yield delivery

    @staticmethod
    def _push(name: str) -> None:
        path = provider_path(ContractProvider)
        record([make_event(name, provider=path, subject="contract.contract:1")], DEFAULT_DB_ALIAS)

    def _undo(self, name: str) -> None:
        with transaction.atomic():
            self._push(name)
            transaction.set_rollback(True)

    def _must_arrive(self, delivery: BaseDelivery, names: list[str], when: str) -> None:
        self.finish(delivery)
        arrived, order = list(ContractProvider.arrived), ", in this order"
        if delivery.keeps_order is None:
            arrived, names, order = sorted(arrived), sorted(names), ""
        must(
            arrived == names,
            f"{when} exactly these events must leave{order}: {names}. Left: {arrived}.",
        )


def _note(errors: list[object], *, error: Exception, **kwargs: object) -> None:
    errors.append(error)
