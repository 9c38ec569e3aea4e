import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drf_model_pusher.outbox import relay as relaying
from drf_model_pusher.outbox import table
from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.outbox.rows import write
from drf_model_pusher.providers import MemoryProvider, provider_path
from tests.occupied import answer, local_cache
from tests.outbox.conftest import Outbox, event
from tests.pusher_api import Answer

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN", "mysql": "EXPLAIN"}
# What a plan says where a table is read from one end to the other.
FULL_SCAN = {"sqlite": "SCAN {}", "postgresql": "Seq Scan on {}", "mysql": "'{}', 'ALL'"}


def names(api):
    return [event["name"] for event in api.events]


class Stumbling(MemoryProvider):
    """A service that is up, but for one event."""

    events = []

    def send(self, events):
        if any(event.name == "poison" for event in events):
            raise ConnectionError
        super().send(events)


class TestRelay:
    def test_events_leave_in_order_in_full_batches(self, outbox, pusher_api):
        sent = [f"e{n}" for n in range(100)]
        for number, name in enumerate(sent):
            outbox.put(name, subject=f"shop.order:{number % 7}")
        outbox.drain()
        assert (names(pusher_api), len(pusher_api.calls)) == (sent, 10)
        assert outbox.names == []

    def test_a_batch_takes_a_few_statements(self, outbox, pusher_api):
        outbox.put(*[f"e{n}" for n in range(100)])
        outbox.relay.batch()
        outbox.put(*[f"f{n}" for n in range(20)])
        with CaptureQueriesContext(connections[outbox.alias]) as queries:
            outbox.relay.batch()
        statements = [query["sql"] for query in queries]
        expected = {
            "sqlite": 5,  # look and read; begin, delete and commit
            "postgresql": 9,  # begin and set up, lock, and one before each of two calls
            "mysql": 8 + 19,  # it deletes one by one
        }
        assert len(statements) == expected[connections[outbox.alias].vendor], statements

    @pytest.mark.parametrize("count", [0, 1, 50, 600])
    def test_however_many_wait_the_oldest_are_read_in_order(self, outbox, count):
        for start in range(0, count, 10):
            outbox.put(*[f"e{n}" for n in range(start, min(start + 10, count))])
        table.make_partitions(outbox.alias)
        with outbox.relay.locks.batch():
            read = outbox.relay._claim(table.look(outbox.alias), [])
        assert [row.name for row in read] == [f"e{n}" for n in range(min(count, 100))]

    def test_what_it_reads_is_found_by_indexes(self, outbox):
        """However many rows there are that it does not want."""
        write([event(f"e{n}", subject=f"shop.order:{n}") for n in range(5_000)], outbox.alias)
        table.make_partitions(outbox.alias)
        connection, name = connections[outbox.alias], OutboxRow._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {'TABLE' if connection.vendor == 'mysql' else ''} {name}")
        with outbox.relay.locks.batch(), CaptureQueriesContext(connection) as queries:
            outbox.relay._claim(table.look(outbox.alias), [])
        read = [query["sql"] for query in queries if name in query["sql"]]
        assert len(read) >= 2
        with connection.cursor() as cursor:
            for statement in read:
                cursor.execute(f"{EXPLAIN[connection.vendor]} {statement.replace('%', '%%')}")
                plan = "\n".join(map(str, cursor.fetchall()))
                assert FULL_SCAN[connection.vendor].format(name) not in plan, plan
                assert name in plan or "U0" in plan

    def test_it_is_told_by_signals(self, outbox, pusher_api, reports):
        outbox.put("a", "b")
        outbox.drain()
        assert (reports.sent, reports.failed) == ([("a", 1), ("b", 1)], [])

    def test_an_outage_costs_no_event_its_life_and_no_order(self, outbox, pusher_api, settings):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 1
        statuses = [500, 503, 429, 401, 500, 403, 408]
        pusher_api.script.extend(Answer(status=status) for status in statuses)
        pusher_api.script.extend([Answer(reset=True), Answer(reset=True)])
        sent = [f"{subject}{number}" for number in range(5) for subject in "abc"]
        for name in sent:
            outbox.put(name, subject=name[0])
        outbox.drain()
        assert {key: [n for n in names(pusher_api) if n[0] == key] for key in "abc"} == {
            key: [f"{key}{number}" for number in range(5)] for key in "abc"
        }
        assert outbox.names == []

    @pytest.mark.parametrize("waiting", ["a", "ab"])
    def test_it_waits_for_as_long_as_the_service_asks(self, outbox, pusher_api, waiting):
        """Whether a try failed with one event or with several."""
        pusher_api.script.append(Answer(status=429, headers={"Retry-After": "60"}))
        outbox.put(*waiting)
        outbox.relay.batch()
        assert 50 < outbox.relay.seconds_to_rest(1000) <= 60
        assert not outbox.relay.batch()

    def test_it_stays_for_a_pause_that_the_database_did_not_note(
        self, outbox, pusher_api, monkeypatch
    ):
        def fail(*args):
            raise OperationalError

        pusher_api.script.append(Answer(status=429, headers={"Retry-After": "60"}))
        outbox.put("a")
        monkeypatch.setattr(table, "put_off", fail)
        with pytest.raises(OperationalError):
            outbox.relay.batch()
        assert not outbox.relay.batch()
        assert outbox.relay.is_patient

    def test_it_has_nothing_to_stay_for_once_all_is_sent(self, outbox, pusher_api):
        pusher_api.script.append(Answer(status=503))
        outbox.put("a")
        outbox.drain()
        assert not outbox.relay.batch()
        assert not outbox.relay.is_patient

    def test_what_waits_for_one_provider_is_not_in_the_way_of_anothers(self, outbox, pusher_api):
        """However much it is."""
        Stumbling.events.clear()
        pusher_api.default = Answer(status=503, headers={"Retry-After": "60"})
        outbox.put(*[f"e{n}" for n in range(600)])
        outbox.put("other", subject="shop.order:2", provider=provider_path(Stumbling))
        for _ in range(2):
            outbox.relay.batch()
        assert [event.name for event in Stumbling.events] == ["other"]

    def test_a_poisoned_event_dies_alone_and_what_follows_of_its_object_goes_on(
        self, outbox, pusher_api, settings, reports
    ):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 3
        # The batch, and then the one event three times; whatever else is taken.
        pusher_api.script.extend([Answer(status=400, body=b"secret"), Answer(status=400)])
        outbox.put("poison", "later")
        outbox.put("other", subject="shop.order:2")
        outbox.relay.batch()
        assert names(pusher_api) == ["other"]
        assert outbox.states == {"poison": "postponed", "later": "waiting"}
        pusher_api.script.extend([Answer(status=400), Answer(status=400)])
        outbox.drain()
        assert names(pusher_api) == ["other", "later"]
        dead = outbox.rows.get()
        assert (dead.name, dead.get_state_display(), dead.refusals) == ("poison", "dead", 3)
        assert dead.error == "the service answered 400"
        assert reports.failed == [("poison", 3)]

    def test_a_row_that_cannot_be_read_is_kept_as_dead_and_stops_no_other(
        self, outbox, pusher_api, settings, caplog
    ):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 2
        outbox.put("broken", "behind")
        outbox.put("other", subject="shop.order:2")
        outbox.rows.filter(name="broken").update(content="no JSON")
        outbox.drain()
        assert sorted(names(pusher_api)) == ["behind", "other"]
        row = outbox.rows.get()
        assert (outbox.states, row.error) == (
            {"broken": "dead"},
            "no event could be made of it; the log says why",
        )
        assert "JSONDecodeError" in caplog.text

    def test_an_event_that_the_service_stumbles_over_does_not_stop_the_others(
        self, outbox, pusher_api, settings
    ):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 2
        stumbling = provider_path(Stumbling)
        Stumbling.events.clear()
        outbox.put("poison", provider=stumbling)
        for number in range(20):
            outbox.put(f"e{number}", subject=f"shop.order:{number + 2}", provider=stumbling)
        outbox.drain()
        assert sorted(e.name for e in Stumbling.events) == sorted(f"e{n}" for n in range(20))
        assert outbox.states == {"poison": "dead"}

    @pytest.mark.parametrize("path", ["gone.Provider", "os.system"])
    def test_a_provider_that_cannot_be_found_costs_no_event_its_life(self, outbox, settings, path):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 1
        outbox.put("a", provider=path)
        outbox.relay.batch()
        row = outbox.rows.get()
        assert row.get_state_display() != "dead"
        assert row.error == (
            f"no provider: The provider '{path}' cannot be imported, or is no provider."
        )

    def test_it_asks_who_listens_where_the_change_could_not_tell(
        self, outbox, pusher_api, settings
    ):
        settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
        settings.CACHES = {"default": local_cache()}
        answer(pusher_api, ["here"])
        outbox.put("some", channels=("here", "nowhere"), occupancy_unknown=True)
        outbox.put("nobody", channels=("nowhere",), occupancy_unknown=True)
        outbox.drain()
        (event,) = pusher_api.calls[-1].events
        assert (event["name"], event["channels"]) == ("some", ["here"])
        assert outbox.names == []

    def test_what_has_left_is_kept_for_as_long_as_is_wanted(self, outbox, memory, settings):
        settings.DRF_MODEL_PUSHER_OUTBOX_KEEP_SECONDS = 1
        outbox.put("a")
        outbox.rows.update(error="an earlier try failed")
        outbox.drain()
        outbox.relay._prune_at = 0
        outbox.relay.batch()
        assert (outbox.states, outbox.rows.get().error) == ({"a": "sent"}, "")
        time.sleep(1.1)
        outbox.relay._prune_at = 0
        outbox.relay.batch()
        assert outbox.names == []

    def test_what_was_kept_long_enough_goes_in_small_parts(self, outbox):
        outbox.put(*[f"e{n}" for n in range(7)])
        outbox.rows.update(state=OutboxRow.State.SENT, due="2020-01-01T00:00:00Z")
        with CaptureQueriesContext(connections[outbox.alias]) as queries:
            table.prune(outbox.alias, limit=3)
        deletes = sum("DELETE" in query["sql"] for query in queries)
        assert deletes == (7 if connections[outbox.alias].vendor == "mysql" else 3)
        assert outbox.names == []


class TestOrder:
    """After a failure nothing of the same object overtakes, whatever happens next."""

    def test_what_comes_later_does_not_overtake_a_postponed_event(self, outbox, pusher_api):
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        outbox.relay.batch()
        outbox.put("second")
        assert not outbox.relay.batch()
        assert outbox.states == {"first": "postponed", "second": "waiting"}
        outbox.drain()
        assert names(pusher_api) == ["first", "second"]

    def test_another_worker_does_not_overtake_it_either(self, outbox, pusher_api):
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        outbox.relay.batch()
        outbox.relay.locks.close()
        outbox.put("second")
        other = Relay(outbox.alias)
        outbox.drain(other)
        other.locks.close()
        assert names(pusher_api) == ["first", "second"]

    @pytest.mark.parametrize("status", [503, 413])
    def test_a_note_of_a_failure_that_takes_longer_than_the_pause_changes_nothing(
        self, outbox, pusher_api, monkeypatch, status
    ):
        """The database is busy when it is to be noted that the first call failed."""
        put_off = table.put_off

        def late(*args):
            time.sleep(0.3)  # three pauses
            put_off(*args)

        monkeypatch.setattr(table, "put_off", late)
        pusher_api.script.append(Answer(status=status))
        if status == 413:
            pusher_api.script.append(Answer(status=413))  # and then the first of them alone
        sent = [f"e{n}" for n in range(15)]
        outbox.put(*sent)
        outbox.drain()
        assert names(pusher_api) == sent

    def test_a_note_of_a_failure_that_is_lost_changes_nothing(
        self, outbox, pusher_api, monkeypatch
    ):
        put_off = table.put_off

        def lost(*args):
            put_off(*args)
            monkeypatch.setattr(table, "put_off", put_off)
            raise OperationalError

        monkeypatch.setattr(table, "put_off", lost)
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        with pytest.raises(OperationalError):
            outbox.relay.batch()
        outbox.put("second")
        outbox.drain()
        assert names(pusher_api) == ["first", "second"]

    def test_nor_does_it_matter_when_one_that_was_put_off_becomes_due(self, outbox, pusher_api):
        """After the look for work, and before the rows are read."""
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        outbox.relay.batch()
        outbox.put("second")
        with outbox.relay.locks.batch():
            partition, pk = outbox.rows.first().partition, outbox.rows.last().pk
            time.sleep(0.2)  # two pauses
            read = outbox.relay._claim([(partition, pk)], [])
        assert [row.name for row in read] == ["first", "second"]

    def test_the_clock_of_a_relay_says_nothing_about_what_is_due(
        self, postgresql, mariadb, short_pauses, pusher_api, monkeypatch
    ):
        for alias in (postgresql, mariadb):
            pusher_api.calls.clear()
            outbox = Outbox(alias)
            pusher_api.script.extend([Answer(status=413, headers={"Retry-After": "2"})] * 2)
            outbox.put("first", "second")
            outbox.relay.batch()
            with monkeypatch.context() as wrong:
                ahead = timezone.now() + timedelta(hours=1)
                wrong.setattr(timezone, "now", lambda ahead=ahead: ahead)
                wrong.setattr(time, "time", lambda ahead=ahead: ahead.timestamp())
                assert not Relay(alias).batch()
            assert names(pusher_api) == []
            outbox.drain()
            assert names(pusher_api) == ["first", "second"]


class TestLocks:
    def test_a_partition_has_one_relay_at_a_time(self, outbox, pusher_api):
        pusher_api.script.append(Answer(delay=1))
        outbox.put(*[f"e{n}" for n in range(10)])
        thread = threading.Thread(target=in_thread, args=(outbox.alias,))
        thread.start()
        pusher_api.wait_for_calls(1)
        assert not outbox.relay.batch()
        assert outbox.relay.saw_rows
        assert outbox.relay.is_patient
        thread.join()
        outbox.drain()
        assert names(pusher_api) == [f"e{n}" for n in range(10)]
        assert len(pusher_api.calls) == 1

    def test_where_locks_cannot_be_skipped_it_does_not_wait_for_them(
        self, postgresql, mariadb, monkeypatch
    ):
        for alias in (postgresql, mariadb):
            features = connections[alias].features
            monkeypatch.setattr(features, "has_select_for_update_skip_locked", False)
            table.make_partitions(alias)
            locked, over = threading.Event(), threading.Event()

            def hold(alias=alias, locked=locked, over=over):
                relay = Relay(alias)
                with relay.locks.batch():
                    relay.locks.lock([1, 2])
                    locked.set()
                    over.wait(20)
                connections[alias].close()

            thread = threading.Thread(target=hold)
            thread.start()
            locked.wait(20)
            relay = Relay(alias)
            with relay.locks.batch():
                assert relay.locks.lock([1, 2, 3, 4]) == [3, 4]
            over.set()
            thread.join()

    def test_no_call_is_begun_once_the_database_has_ended_the_session(
        self, postgresql, mariadb, pusher_api, short_pauses, monkeypatch
    ):
        """One try may make many calls; what is left of it is not made."""
        for alias in (postgresql, mariadb):
            pusher_api.calls.clear()
            monkeypatch.setattr(relaying, "SECONDS", 60)
            outbox = Outbox(alias)
            outbox.put(*[f"e{n}" for n in range(30)])
            # A batch that is refused is sent one by one: in the second of those the session ends.
            held = threading.Event()
            pusher_api.script.extend([Answer(status=400), Answer(), Answer(held=held)])
            errors: list[BaseException] = []
            thread = threading.Thread(target=in_thread, args=(alias, errors))
            thread.start()
            pusher_api.wait_for_calls(3)
            end_other_sessions(alias)
            held.set()
            thread.join()
            assert len(pusher_api.calls) == 3
            assert len(errors) == 1
            assert len(outbox.names) == 30
            outbox.drain()
            sent = list(dict.fromkeys(names(pusher_api)))
            assert sent == [f"e{n}" for n in range(30)]

    def test_an_event_on_more_channels_than_a_call_takes_is_checked_before_each_call(
        self, postgresql, pusher_api, short_pauses
    ):
        outbox = Outbox(postgresql)
        held = threading.Event()
        pusher_api.script.append(Answer(held=held))
        outbox.put("e", channels=tuple(f"c{n}" for n in range(250)))
        errors: list[BaseException] = []
        thread = threading.Thread(target=in_thread, args=(postgresql, errors))
        thread.start()
        pusher_api.wait_for_calls(1)
        end_other_sessions(postgresql)
        held.set()
        thread.join()
        assert (len(pusher_api.calls), len(errors)) == (1, 1)

    def test_a_second_relay_for_sqlite_says_so_and_waits(self, sqlite, pusher_api, caplog):
        outbox, first, second = Outbox(sqlite), Relay(sqlite), Relay(sqlite)
        outbox.put("a")
        first.batch()
        outbox.put("b")
        assert not second.batch()
        assert not second.batch()
        assert caplog.text.count("relay waits reason=another relay works") == 1
        first.locks.close()
        second.batch()
        second.locks.close()
        assert names(pusher_api) == ["a", "b"]

    def test_no_transaction_is_open_on_sqlite_during_a_call(self, sqlite, pusher_api):
        outbox = Outbox(sqlite)
        held = threading.Event()
        pusher_api.script.append(Answer(held=held))
        outbox.put("a")
        thread = threading.Thread(target=in_thread, args=(sqlite,))
        thread.start()
        pusher_api.wait_for_calls(1)
        outbox.put("b")  # it would wait for twenty seconds
        held.set()
        thread.join()

    def test_a_relay_that_vanishes_loses_its_locks_by_a_time_out(
        self, postgresql, mariadb, monkeypatch
    ):
        from drf_model_pusher.outbox import locks

        monkeypatch.setattr(locks, "session_timeout", lambda: 1)
        for alias in (postgresql, mariadb):
            table.make_partitions(alias)
            silent, over = threading.Event(), threading.Event()

            def vanish(alias=alias, silent=silent, over=over):
                relay = Relay(alias)
                try:
                    with relay.locks.batch():
                        relay.locks.lock([1])
                        silent.set()
                        over.wait(20)
                        connections[alias].cursor().execute("SELECT 1")
                except Exception:
                    pass
                connections[alias].close()

            thread = threading.Thread(target=vanish)
            thread.start()
            silent.wait(20)
            relay, deadline = Relay(alias), time.monotonic() + 20
            while True:
                with relay.locks.batch():
                    if relay.locks.lock([1]):
                        break
                assert time.monotonic() < deadline
                time.sleep(0.2)
            over.set()
            thread.join()
            connections[alias].close()

    def test_the_snapshot_of_a_relay_is_not_older_than_its_locks(self, mariadb, pusher_api):
        """In whatever isolation the project works."""
        settings = connections[mariadb].settings_dict
        settings["OPTIONS"] = {**settings["OPTIONS"], "isolation_level": "repeatable read"}
        connections[mariadb].close()
        try:
            outbox = Outbox(mariadb)
            outbox.put("a")
            relay = Relay(mariadb)
            table.make_partitions(mariadb)
            seen = table.look(mariadb)
            with relay.locks.batch():
                list(OutboxRow.objects.using(mariadb))  # whatever it may read before
                in_thread_delete(mariadb)
                assert relay._claim(seen, []) == []
        finally:
            del settings["OPTIONS"]["isolation_level"]
            connections[mariadb].close()


def in_thread(alias, errors=None):
    relay = Relay(alias)
    try:
        relay.batch()
    except Exception as error:
        if errors is None:
            raise
        errors.append(error)
    finally:
        relay.locks.close()
        connections[alias].close()


def in_thread_delete(alias):
    def run():
        OutboxRow.objects.using(alias).all().delete()
        connections[alias].close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def end_other_sessions(alias):
    """Let the server end all sessions of this database but this one."""
    with connections[alias].cursor() as cursor:
        if connections[alias].vendor == "postgresql":
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        cursor.execute(
            "SELECT id FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")
