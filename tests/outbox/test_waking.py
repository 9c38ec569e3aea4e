import threading
import time
from contextlib import contextmanager

import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from drf_model_pusher.outbox import running, waking
from drf_model_pusher.outbox.running import Crew
from drf_model_pusher.outbox.waking import Bell
from tests.outbox.cluster import cluster
from tests.outbox.conftest import Outbox
from tests.outbox.databases import registered, use_driver
from tests.pusher_api import Answer

HOUR = 3600


@pytest.fixture
def told(monkeypatch):
    """Relays that look for themselves once an hour: what they find they were told of."""
    monkeypatch.setattr(running, "_SHORTEST", HOUR)
    monkeypatch.setattr(waking, "_QUIET", 0)


@contextmanager
def relaying(alias, workers=1):
    """Run relays in this process, and wait until they have nothing to do."""
    crew = Crew(alias, workers, HOUR)
    crew.start()
    try:
        wait_until(lambda: all(bell.asleep for bell in crew._bells))
        yield crew
    finally:
        crew.stop()
        assert crew.wait(20)


def wait_until(holds, timeout=20):
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _bells_say_when_they_sleep(monkeypatch):
    wait = Bell.wait

    def watched(self, timeout):
        self.asleep = True
        try:
            return wait(self, timeout)
        finally:
            self.asleep = False

    monkeypatch.setattr(Bell, "asleep", False, raising=False)
    monkeypatch.setattr(Bell, "wait", watched)


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

    def test_of_several_workers_the_owner_is_woken(self, postgresql, pusher_api):
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

    def test_a_relay_whose_session_was_ended_listens_again(
        self, postgresql, pusher_api, monkeypatch
    ):
        monkeypatch.setattr(running, "_TROUBLED", 0.05)
        outbox = Outbox(postgresql)
        with relaying(postgresql) as crew:
            outbox.put("a")
            pusher_api.wait_for_events(1)
            wait_until(lambda: crew._bells[0].asleep)
            before = crew._bells[0]._raw
            assert end_sessions(postgresql) == 1
            wait_until(lambda: crew._bells[0]._raw is not before and crew._bells[0].asleep)
            outbox.put("b")
            pusher_api.wait_for_events(2)

    def test_a_relay_outlives_a_crash_of_the_server(self, pusher_api, monkeypatch, request):
        monkeypatch.setattr(running, "_TROUBLED", 0.05)
        request.getfixturevalue("django_db_blocker").unblock()
        use_driver("postgresql")
        with cluster() as server, registered("outbox-cluster", server.settings) as alias:
            outbox = Outbox(alias)
            with relaying(alias) as crew:
                outbox.put("a")
                pusher_api.wait_for_events(1)
                before = crew._bells[0]._raw
                server.crash()
                connections[alias].close()
                server.start()
                wait_until(lambda: crew._bells[0]._raw is not before and crew._bells[0].asleep)
                outbox.put("b")
                pusher_api.wait_for_events(2)

    def test_a_transaction_notifies_once(self, postgresql):
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

    def test_a_notification_that_fails_fails_no_request(self, postgresql, caplog):
        connections[postgresql].ensure_connection()
        connections[postgresql].connection.close()
        waking.wake([postgresql])
        assert "relay not woken error=" in caplog.text
        connections[postgresql].close()


def test_in_a_short_time_one_notification_will_do(postgresql, monkeypatch):
    """A relay that has been woken looks often for a while."""
    monkeypatch.setattr(waking, "_QUIET", HOUR)
    monkeypatch.setattr(waking, "_notified", {})
    outbox = Outbox(postgresql)
    with CaptureQueriesContext(connections[postgresql]) as queries:
        outbox.put("a")
        outbox.put("b")
    assert [query["sql"].split()[0] for query in queries].count("NOTIFY") == 1


class TestBell:
    @pytest.fixture
    def bell(self, alias):
        made = Bell(alias)
        yield made
        made.close()

    def test_it_wakes_who_waits(self, bell):
        bell.clear()
        threading.Timer(0.1, bell.set).start()
        assert bell.wait(20)

    def test_what_was_rung_before_the_wait_counts_until_it_is_cleared(self, bell):
        bell.set()
        assert bell.wait(0)
        bell.clear()
        assert not bell.wait(0.01)

    def test_after_its_end_it_may_still_be_rung(self, bell):
        bell.close()
        bell.set()

    def test_a_notification_that_comes_with_an_answer_is_heard(self, postgresql):
        """After the worker has looked, and before it waits."""
        bell = Bell(postgresql)
        bell.clear()
        notify(postgresql)
        with connections[postgresql].cursor() as cursor:
            cursor.execute("SELECT 1")
        assert bell.wait(0)
        bell.clear()
        assert not bell.wait(0.05)
        bell.close()

    def test_it_listens_on_postgresql_alone(self, bell, alias):
        bell.clear()
        assert bell.listening == (connections[alias].vendor == "postgresql")
        connections[alias].close()
        assert not bell.listening


def notify(alias):
    """Notify from a connection of another thread."""

    def run():
        with connections[alias].cursor() as cursor:
            cursor.execute(f"NOTIFY {waking._CHANNEL}")
        connections[alias].close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
