from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from drf_model_pusher.contracts import DeliveryContract
from drf_model_pusher.outbox.delivery import OutboxDelivery
from tests.outbox.conftest import Outbox


class TestOutboxDelivery(DeliveryContract):
    """With a relay that has a connection of its own."""

    @pytest.fixture(autouse=True)
    def _relay(self, alias, short_pauses):
        self.outbox = Outbox(alias)
        before = connections["default"]
        connections["default"] = connections[alias]  # the contract knows no other
        with ThreadPoolExecutor(1) as thread:
            self.in_relay = lambda call: thread.submit(call).result(30)
            # Before a transaction is open, in which SQLite lets no other in.
            self.in_relay(self.outbox.relay.batch)
            yield
            self.in_relay(self.outbox.relay.locks.close)
            self.in_relay(lambda: connections[alias].close())
        connections["default"] = before

    def make_delivery(self):
        return OutboxDelivery()

    def finish(self, delivery):
        self.in_relay(self._work)

    def _work(self):
        self.outbox.relay.batch()
        self.outbox.drain()
