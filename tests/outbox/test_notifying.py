import time
from contextlib import contextmanager

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from drf_model_pusher.outbox import notifying, running
from drf_model_pusher.outbox.running import Workers
from tests.outbox.cluster import cluster
from tests.outbox.conftest import Outbox
from tests.outbox.databases import registered, use_driver
from tests.pusher_api import Answer

HOUR = 3600


@pytest.fixture
def told(monkeypatch):
    """Relays that look for themselves once an hour: what they find they were notified of."""
    monkeypatch.setattr(running, "_SHORTEST", HOUR)
    monkeypatch.setattr(running, "_CONTENDED", HOUR)
    monkeypatch.setattr(notifying, "_QUIET", 0)


@contextmanager
def relaying(alias, workers=1):
    """Run relays in this process, which listen and have nothing to do."""
    made = Workers(alias, workers, HOUR)
    made.start()
    try:
        wait_until(lambda: made._notifier.listening)
        time.sleep(0.3)
        yield made
    finally:
        made.stop()
        assert made.wait(20)


def wait_until(holds, timeout=20):
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def end_sessions(alias):
    """Let the server end all sessions but this one."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return len(cursor.fetchall())


@pytest.mark.usefixtures("told")
class TestNotifications:
    def test_an_idle_relay_is_woken_by_the_commit(self, postgresql, pusher_api):
        with relaying(postgresql):
            Outbox(postgresql).put("e")
            pusher_api.wait_for_events(1)

    def test_of_several_workers_one_is_woken(self, postgresql, pusher_api):
        outbox = Outbox(postgresql)
        with relaying(postgresql, workers=3):
            for number in range(12):
                outbox.put(f"e{number}", subject=f"shop.order:{number}")
                pusher_api.wait_for_events(number + 1)

    def test_what_is_committed_during_a_call_is_sent_after_it(self, postgresql, pusher_api):
        pusher_api.script.append(Answer(delay=0.5))
        with relaying(postgresql):
            Outbox(postgresql).put("a")
            pusher_api.wait_for_calls(1)
            Outbox(postgresql).put("b")
            assert [e["name"] for e in pusher_api.wait_for_events(2)] == ["a", "b"]

    def test_a_relay_whose_sessions_were_ended_listens_again(
        self, postgresql, pusher_api, monkeypatch
    ):
        monkeypatch.setattr(notifying, "_TROUBLED", 0.05)
        outbox = Outbox(postgresql)
        with relaying(postgresql) as workers:
            outbox.put("a")
            pusher_api.wait_for_events(1)
            time.sleep(0.3)
            assert end_sessions(postgresql) == 2
            time.sleep(1)
            wait_until(lambda: workers._notifier.listening)
            outbox.put("b")
            pusher_api.wait_for_events(2)

    def test_a_relay_outlives_a_crash_of_the_server(self, pusher_api, monkeypatch, request):
        monkeypatch.setattr(notifying, "_TROUBLED", 0.05)
        monkeypatch.setattr(running, "_TROUBLED", 0.05)
        request.getfixturevalue("django_db_blocker").unblock()
        use_driver("postgresql")
        with cluster() as server, registered("outbox-cluster", server.settings) as alias:
            outbox = Outbox(alias)
            with relaying(alias) as workers:
                outbox.put("a")
                pusher_api.wait_for_events(1)
                server.crash()
                connections[alias].close()
                wait_until(lambda: not workers._notifier.listening)
                server.start()
                wait_until(lambda: workers._notifier.listening)
                outbox.put("b")
                pusher_api.wait_for_events(2)

    def test_a_notification_that_fails_fails_no_request(self, postgresql, caplog):
        connections[postgresql].ensure_connection()
        connections[postgresql].connection.close()
        notifying.notify([postgresql])
        assert "relay not notified error=" in caplog.text
        connections[postgresql].close()


def test_a_transaction_notifies_once(postgresql, monkeypatch):
    monkeypatch.setattr(notifying, "_notified", {})
    outbox = Outbox(postgresql)
    with (
        CaptureQueriesContext(connections[postgresql]) as queries,
        transaction.atomic(using=postgresql),
    ):
        for number in range(5):
            outbox.put(f"e{number}")
    words = [query["sql"].split()[0] for query in queries]
    assert words[-2:] == ["COMMIT", "NOTIFY"]
    assert words.count("NOTIFY") == 1


def test_in_a_short_time_one_notification_will_do(postgresql, monkeypatch):
    """A relay that has been woken looks often for a while."""
    monkeypatch.setattr(notifying, "_QUIET", HOUR)
    monkeypatch.setattr(notifying, "_notified", {})
    outbox = Outbox(postgresql)
    with CaptureQueriesContext(connections[postgresql]) as queries:
        outbox.put("a")
        outbox.put("b")
    assert [query["sql"].split()[0] for query in queries].count("NOTIFY") == 1


def test_it_listens_on_postgresql_alone(alias):
    made = Workers(alias, 1, 30)
    made.start()
    try:
        if connections[alias].vendor == "postgresql":
            wait_until(lambda: made._notifier.listening)
        else:
            time.sleep(0.3)
            assert not made._notifier.listening
    finally:
        made.stop()
        assert made.wait(20)


def test_a_transaction_that_is_open_keeps_no_notification_from_the_others(postgresql, pusher_api):
    """Each worker is woken, though one of them waits for an answer."""
    outbox = Outbox(postgresql)
    pusher_api.script.append(Answer(delay=3))
    with relaying(postgresql, workers=2):
        outbox.put("slow", subject="shop.order:1")
        pusher_api.wait_for_calls(1)
        outbox.put("fast", subject="shop.order:2")
        started = time.monotonic()
        pusher_api.wait_for_calls(2)
        assert time.monotonic() - started < 2
