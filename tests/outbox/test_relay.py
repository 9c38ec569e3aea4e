import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drf_model_pusher.conf import app_settings
from drf_model_pusher.outbox import leases, table
from drf_model_pusher.outbox import relay as relaying
from drf_model_pusher.outbox.models import OutboxEvent, OutboxPartition, OutboxWorker
from drf_model_pusher.outbox.reading import Reader
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.providers import MemoryProvider, provider_path
from tests.occupied import answer, local_cache
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

    def test_what_waits_is_read_and_let_go_in_a_few_statements(
        self, outbox, pusher_api, monkeypatch
    ):
        # However long it takes.
        monkeypatch.setattr(leases, "BEAT", 60)
        monkeypatch.setattr(relaying, "_UNMARKED", 60)
        outbox.put(*[f"e{n}" for n in range(100)])
        outbox.relay.round()
        outbox.put(*[f"f{n}" for n in range(20)])
        # It expects as many as before, and then, where the database can, as few.
        for count in (3, 2 if connections[outbox.alias].vendor == "postgresql" else 3):
            with CaptureQueriesContext(connections[outbox.alias]) as queries:
                outbox.relay.round()
            assert len(queries) == count, [query["sql"] for query in queries]
            outbox.put(*[f"f{n}" for n in range(20)])

    @pytest.mark.parametrize("count", [0, 1, 50, 51, 52, 600])
    def test_however_many_wait_the_oldest_are_read_in_order(self, outbox, count):
        """The first time, when it is not known how many there are, and the next."""
        for start in range(0, count, 10):
            stop = min(start + 10, count)
            outbox.put(*[f"e{n}" for n in range(start, stop)], subject=f"shop.order:{start}")
        outbox.relay.lease.keep()
        reader = Reader(outbox.relay.lease)
        for _ in range(2):
            read = [entry.event.name for entry in reader.take()]
            assert read == [f"e{n}" for n in range(min(count, 500))]

    def test_what_it_reads_is_found_by_indexes(self, outbox):
        """However many rows there are that it does not want."""
        for _ in range(20):
            outbox.put(*[f"e{n}" for n in range(500)])
        outbox.rows.update(partition=F("id") % 256)
        outbox.relay.lease.keep()
        connection = connections[outbox.alias]
        with CaptureQueriesContext(connection) as queries:
            Reader(outbox.relay.lease).take()
        table, vendor = OutboxEvent._meta.db_table, connection.vendor
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {'TABLE' if vendor == 'mysql' else ''} {table}")
            for query in queries:
                cursor.execute(f"{EXPLAIN[vendor]} {query['sql'].replace('%', '%%')}")
                plan = "\n".join(map(str, cursor.fetchall()))
                assert FULL_SCAN[vendor].format(table) not in plan, plan
                assert table in plan

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
    def test_it_waits_for_as_long_as_the_service_asks(self, outbox, pusher_api, settings, waiting):
        """Whether a try failed with one event or with several."""
        settings.DRF_MODEL_PUSHER_OUTBOX_LEASE_SECONDS = 600
        pusher_api.script.append(Answer(status=429, headers={"Retry-After": "60"}))
        outbox.put(*waiting)
        outbox.relay.round()
        assert 50 < outbox.relay.seconds_to_rest(1000) <= 60

    def test_what_waits_for_one_provider_is_not_in_the_way_of_anothers(self, outbox, pusher_api):
        """However much it is."""
        Stumbling.events.clear()
        pusher_api.default = Answer(status=503, headers={"Retry-After": "60"})
        outbox.put(*[f"e{n}" for n in range(600)])
        outbox.put("other", subject="shop.order:2", provider=provider_path(Stumbling))
        for _ in range(2):
            outbox.relay.round()
        assert [event.name for event in Stumbling.events] == ["other"]

    def test_a_poisoned_event_dies_alone_and_what_follows_of_its_object_goes_on(
        self, outbox, pusher_api, settings, reports
    ):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 3
        # The batch, and then the one event three times; whatever else is taken.
        pusher_api.script.extend([Answer(status=400, body=b"secret"), Answer(status=400)])
        outbox.put("poison", "later")
        outbox.put("other", subject="shop.order:2")
        outbox.relay.round()
        assert names(pusher_api) == ["other"]
        assert outbox.states == {"poison": "postponed", "later": "waiting"}
        pusher_api.script.extend([Answer(status=400), Answer(status=400)])
        outbox.drain()
        assert names(pusher_api) == ["other", "later"]
        dead = outbox.rows.get()
        assert (dead.name, dead.get_state_display(), dead.refusals) == ("poison", "dead", 3)
        assert dead.error == "the service answered 400"
        assert reports.failed == [("poison", 3)]

    def test_what_comes_later_does_not_overtake_a_postponed_event(self, outbox, pusher_api):
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        outbox.relay.round()
        outbox.put("second")
        outbox.relay.round()
        assert outbox.states == {"first": "postponed", "second": "postponed"}
        outbox.drain()
        assert names(pusher_api) == ["first", "second"]

    def test_one_that_was_put_off_when_the_database_went_away_has_its_turn(
        self, outbox, pusher_api, monkeypatch
    ):
        """The answer was lost, not what it was about."""
        put_off = table.put_off

        def unanswered(*args):
            put_off(*args)
            monkeypatch.setattr(table, "put_off", put_off)
            raise OperationalError

        monkeypatch.setattr(table, "put_off", unanswered)
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        with pytest.raises(OperationalError):
            outbox.relay.round()
        outbox.put("second")
        outbox.drain()
        assert names(pusher_api) == ["first", "second"]

    def test_another_worker_does_not_overtake_it_either(self, outbox, pusher_api):
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        outbox.relay.round()
        outbox.relay.lease.give_up()
        outbox.put("second")
        outbox.drain(Relay(outbox.alias))
        assert names(pusher_api) == ["first", "second"]

    def test_nor_does_one_that_takes_over_while_it_works(self, outbox, pusher_api):
        other = Relay(outbox.alias)
        other.round()
        outbox.relay.round()
        pusher_api.script.append(Answer(status=413))
        outbox.put("first")
        other.round()
        other.lease.give_up()
        outbox.put("second")
        outbox.relay.lease._beat_at = 0
        outbox.drain()
        assert names(pusher_api) == ["first", "second"]

    def test_an_event_that_the_service_stumbles_over_does_not_stop_the_others(
        self, outbox, pusher_api, settings
    ):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 2

        Stumbling.events.clear()
        outbox.put("poison", provider=provider_path(Stumbling))
        for number in range(20):
            outbox.put(
                f"e{number}", subject=f"shop.order:{number + 2}", provider=provider_path(Stumbling)
            )
        outbox.drain()
        assert sorted(e.name for e in Stumbling.events) == sorted(f"e{n}" for n in range(20))
        assert outbox.states == {"poison": "dead"}

    def test_a_provider_that_cannot_be_found_costs_no_event_its_life(self, outbox, settings):
        settings.DRF_MODEL_PUSHER_OUTBOX_ATTEMPTS = 1
        outbox.put("a")
        outbox.rows.update(provider="gone:Provider")
        outbox.relay.round()
        row = outbox.rows.get()
        assert row.get_state_display() != "dead"
        assert row.error == (
            "no provider: The provider 'gone:Provider' cannot be imported, or is no provider."
        )

    def test_only_a_provider_is_imported_as_one(self, outbox):
        outbox.put("a")
        outbox.rows.update(provider="os:system")
        outbox.relay.round()
        assert "'os:system' cannot be imported" in outbox.rows.get().error

    def test_waiting_changes_of_an_object_become_one(self, outbox, memory):
        changes = ["create", *["update"] * 30]
        for number, change in enumerate(changes):
            outbox.put(f"order.{change}", data=str(number), change=change, conflation_key="order 1")
        outbox.drain()
        assert [(event.name, event.data) for event in memory] == [("order.create", "30")]
        assert outbox.names == []

    def test_what_was_created_and_deleted_unseen_is_not_sent(self, outbox, memory):
        for change in ("create", "update", "delete"):
            outbox.put(f"order.{change}", change=change, conflation_key="order 1")
        outbox.drain()
        assert (memory, outbox.names) == ([], [])

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
        Relay(outbox.alias).round()
        assert (outbox.states, outbox.rows.get().error) == ({"a": "sent"}, "")
        time.sleep(1.1)
        Relay(outbox.alias).round()
        assert outbox.names == []

    def test_what_was_kept_long_enough_goes_in_small_parts(self, outbox):
        outbox.put(*[f"e{n}" for n in range(7)])
        outbox.rows.update(state=OutboxEvent.State.SENT, due=timezone.now())
        with CaptureQueriesContext(connections[outbox.alias]) as queries:
            table.prune(outbox.alias, limit=3)
        assert sum("DELETE" in query["sql"] for query in queries) == 3
        assert outbox.names == []


class TestLeases:
    def test_workers_share_the_partitions(self, outbox):
        relays = [Relay(outbox.alias) for _ in range(3)]
        for _ in range(3):
            for relay in relays:
                relay.lease._beat_at = 0
                relay.round()
        owners = OutboxPartition.objects.using(outbox.alias).values_list("owner", flat=True)
        assert sorted(list(owners).count(relay.lease.id) for relay in relays) == [84, 86, 86]

    def test_what_a_killed_worker_leaves_is_taken_over(self, outbox, pusher_api, settings):
        settings.DRF_MODEL_PUSHER_OUTBOX_LEASE_SECONDS = 5
        killed = Relay(outbox.alias)
        killed.round()
        outbox.put("a")
        outbox.relay.round()
        assert names(pusher_api) == []
        expired = OutboxWorker.objects.using(outbox.alias).filter(id=killed.lease.id)
        expired.update(expires="2020-01-01T00:00:00Z")
        outbox.relay.lease._beat_at = 0
        outbox.drain()
        assert names(pusher_api) == ["a"]

    def test_a_worker_that_was_thought_dead_changes_nothing_and_begins_anew(
        self, outbox, pusher_api
    ):
        late = Relay(outbox.alias)
        outbox.put("a")
        late.lease.keep()
        entries = Reader(late.lease).take()
        OutboxWorker.objects.using(outbox.alias).update(expires="2020-01-01T00:00:00Z")
        outbox.relay.lease.keep()
        table.finish(late.lease, [entry.id for entry in entries])
        assert outbox.names == ["a"]
        before = late.lease.id
        late.lease._beat_at = 0
        late.lease.keep()
        assert late.lease.id != before

    def test_a_worker_that_ends_leaves_its_partitions_at_once(self, outbox, pusher_api):
        other = Relay(outbox.alias)
        other.round()
        outbox.put("a")
        other.lease.give_up()
        outbox.relay.round()
        assert names(pusher_api) == ["a"]

    def test_a_worker_that_may_rest_for_an_hour_renews_its_lease_all_the_same(self, outbox):
        outbox.relay.round()
        assert 5 < outbox.relay.seconds_to_rest(3600) < 20

    @pytest.mark.parametrize(("before", "after"), [("+1:00", "+2:00"), ("+2:00", "+1:00")])
    def test_summer_time_neither_ends_a_lease_nor_prolongs_it(self, mariadb, before, after):
        """By default MySQL's time is that of the place where the server is."""
        workers = OutboxWorker.objects.using(mariadb)
        with connections[mariadb].cursor() as cursor:
            cursor.execute(f"SET time_zone = '{before}'")
            Relay(mariadb).lease.keep()
            cursor.execute(f"SET time_zone = '{after}'")
        Relay(mariadb).lease.keep()
        assert workers.count() == 2
        workers.update(expires=F("expires") - timedelta(seconds=31))  # a lease and a second
        Relay(mariadb).lease.keep()
        assert workers.count() == 1
        connections[mariadb].close()

    def test_no_call_is_begun_that_may_outlive_the_lease(self, outbox, pusher_api):
        outbox.relay.lease.keep()
        outbox.relay.lease._until = time.monotonic() + app_settings.PUSHER_TIMEOUT
        outbox.put("e")
        outbox.relay.round()
        assert pusher_api.calls == []

    @pytest.mark.parametrize("seconds", [1, 100])
    def test_a_lease_covers_what_is_shorter_than_it(self, outbox, seconds):
        outbox.relay.lease.keep()
        assert outbox.relay.lease.covers(seconds) is (seconds < 30)
