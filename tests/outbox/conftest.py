from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from django.db import connections

from drf_model_pusher.delivery.retry import RetryPolicy
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.outbox.delivery import OutboxDelivery
from drf_model_pusher.outbox.models import OutboxPartition, OutboxRow
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.signals import event_failed, event_sent
from tests.outbox.databases import database, registered
from tests.shop.models import Order

State = OutboxRow.State


@pytest.fixture(scope="session")
def databases(tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[dict[str, str]]:
    """Databases by their kind, made when they are asked for first.

    Made later, pytest-django's would be made of these as well.
    """
    with django_db_blocker.unblock(), ExitStack() as stack:

        class Databases(dict):
            def __missing__(self, kind):
                settings = stack.enter_context(database(kind, tmp_path_factory.mktemp(kind)))
                self[kind] = stack.enter_context(registered(f"outbox-{kind}", settings))
                return self[kind]

        yield Databases()


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def alias(request, databases, django_db_blocker) -> Iterator[str]:
    """An empty database of each kind, in turn."""
    with django_db_blocker.unblock():
        yield from emptied(databases[request.param])


@pytest.fixture
def sqlite(databases, django_db_blocker) -> Iterator[str]:
    with django_db_blocker.unblock():
        yield from emptied(databases["sqlite"])


@pytest.fixture
def postgresql(databases, django_db_blocker) -> Iterator[str]:
    with django_db_blocker.unblock():
        yield from emptied(databases["postgresql"])


@pytest.fixture
def mariadb(databases, django_db_blocker) -> Iterator[str]:
    with django_db_blocker.unblock():
        yield from emptied(databases["mariadb"])


def emptied(alias: str) -> Iterator[str]:
    yield alias
    assert not connections[alias].in_atomic_block
    for model in (OutboxRow, OutboxPartition, Order):
        model.objects.using(alias).all().delete()
    if connections[alias].vendor == "mysql":
        connections[alias].close()  # a relay has told its session to end soon


@pytest.fixture
def short_pauses(monkeypatch) -> None:
    monkeypatch.setattr(RetryPolicy, "pause", lambda self, failures, after=None: after or 0.1)


@pytest.fixture
def outbox(alias, short_pauses) -> Iterator[Outbox]:
    made = Outbox(alias)
    yield made
    made.relay.locks.close()


class Outbox:
    """What tests do with an outbox."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.relay = Relay(alias)

    @property
    def rows(self):
        return OutboxRow.objects.using(self.alias).order_by("id")

    @property
    def names(self) -> list[str]:
        return [row.name for row in self.rows]

    @property
    def states(self) -> dict[str, str]:
        return {row.name: state_of(row) for row in self.rows}

    def put(self, *names: str, subject: str | None = "shop.order:1", **more) -> None:
        """Commit events, of one object if nothing else is said."""
        OutboxDelivery().store(
            [event(name, subject=subject, **more) for name in names], using=self.alias
        )

    def drain(self, relay: Relay | None = None) -> None:
        """Relay until nothing but the dead is left."""
        relay = relay or self.relay
        deadline = time.monotonic() + 20
        while self.rows.filter(state=State.WAITING).exists():
            assert time.monotonic() < deadline, self.states
            if not relay.batch():
                time.sleep(relay.seconds_to_rest(0.02))


def state_of(row: OutboxRow) -> str:
    """Return the state as people name it."""
    return "postponed" if row.state == State.WAITING and row.due else row.get_state_display()


def event(name: str, **more) -> PusherEvent:
    return PusherEvent(**{"channels": ("orders",), "name": name, "data": "{}", **more})


@pytest.fixture
def reports() -> Iterator[SimpleNamespace]:
    """What the signals said: names of events, with the attempts."""
    heard = SimpleNamespace(sent=[], failed=[])

    def on_sent(event, attempts, **kwargs):
        heard.sent.append((event.name, attempts))

    def on_failed(event, attempts, **kwargs):
        heard.failed.append((event.name, attempts))

    event_sent.connect(on_sent)
    event_failed.connect(on_failed)
    yield heard
    event_sent.disconnect(on_sent)
    event_failed.disconnect(on_failed)
