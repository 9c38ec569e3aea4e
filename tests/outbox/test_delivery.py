import json
import sqlite3
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.viewsets import ModelViewSet

from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.outbox.delivery import OutboxDelivery
from drf_model_pusher.outbox.models import PARTITIONS, OutboxRow
from drf_model_pusher.outbox.rows import decode, encode, lane
from drf_model_pusher.providers import ConsoleProvider, provider_path
from drf_model_pusher.users import revoke
from drf_model_pusher.views import ModelPusherViewMixin
from tests.outbox.conftest import Outbox, event
from tests.pusher_api import Answer
from tests.shop.models import Order
from tests.shop.serializers import OrderSerializer
from tests.views import call


class TestOutboxDelivery:
    def test_events_are_committed_with_the_change(self, outbox):
        with transaction.atomic(using=outbox.alias):
            Order.objects.using(outbox.alias).create(customer="Ada")
            outbox.put("order.create")
        assert outbox.names == ["order.create"]

    def test_events_are_rolled_back_with_the_change(self, outbox):
        with pytest.raises(ZeroDivisionError), transaction.atomic(using=outbox.alias):
            Order.objects.using(outbox.alias).create(customer="Ada")
            outbox.put("order.create")
            raise ZeroDivisionError
        assert (outbox.names, Order.objects.using(outbox.alias).count()) == ([], 0)

    def test_many_events_are_written_by_one_statement(self, outbox):
        with CaptureQueriesContext(connections[outbox.alias]) as queries:
            outbox.put(*[f"e{n}" for n in range(50)])
        inserts = [query for query in queries if "INSERT" in query["sql"]]
        assert (len(inserts), len(outbox.names)) == (1, 50)

    def test_more_than_a_statement_takes_are_written_all_the_same(self, sqlite):
        connections[sqlite].ensure_connection()
        raw = connections[sqlite].connection
        if hasattr(raw, "setlimit"):  # else Django takes no more for granted than this anyway
            raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        outbox = Outbox(sqlite)
        outbox.put(*[f"e{n}" for n in range(1_000)])
        assert outbox.names == [f"e{n}" for n in range(1_000)]
        connections[sqlite].close()

    def test_more_than_mysql_takes_in_a_packet_is_written_all_the_same(self, mariadb):
        outbox = Outbox(mariadb)
        outbox.put(*[f"e{n}" for n in range(1_700)], data=json.dumps("x" * 10_000))
        assert outbox.names == [f"e{n}" for n in range(1_700)]

    def test_no_event_is_none(self, outbox):
        outbox.put()
        assert outbox.names == []

    def test_what_an_event_does_not_say_is_as_the_table_says(self, outbox):
        outbox.put("e")
        row = outbox.rows.get()
        assert (row.state, row.due) == (OutboxRow.State.WAITING, None)
        assert (row.attempts, row.refusals, row.error, row.provider) == (0, 0, "", "")
        assert abs(timezone.now() - row.created) < timedelta(seconds=5)

    def test_a_transaction_whose_events_could_not_be_written_is_not_committed(self, outbox):
        """Not even if somebody catches the error."""
        with transaction.atomic(using=outbox.alias):
            Order.objects.using(outbox.alias).create(customer="Ada")
            with pytest.raises(DatabaseError):
                outbox.put(None)
        assert Order.objects.using(outbox.alias).count() == 0

    def test_without_the_app_it_says_what_to_install(self, settings):
        installed = [app for app in settings.INSTALLED_APPS if app != "drf_model_pusher.outbox"]
        apps.set_installed_apps(installed)
        try:
            with pytest.raises(SettingError, match="INSTALLED_APPS, and migrate"):
                OutboxDelivery().send([event("e")])
        finally:
            apps.unset_installed_apps()


class OrderViewSet(ModelPusherViewMixin, ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer

    def get_pusher_channels(self):
        return ["orders"]


class TestViews:
    """The mixin commits a change and its event together, in a project that sets nothing else."""

    @pytest.fixture(autouse=True)
    def _project(self, outbox, settings):
        class Router:
            def db_for_write(self, model, **hints):
                return outbox.alias if model is Order else None

            db_for_read = db_for_write

        settings.DATABASE_ROUTERS = [Router()]
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.outbox.delivery.OutboxDelivery"

    def request(self, method, pk=None):
        return call(OrderViewSet, method, {"customer": "Ada"}, pk=pk)

    def test_each_change_is_one_transaction_with_its_event(self, outbox):
        order = Order.objects.create(customer="Ada")
        for method, pk in (("create", None), ("partial_update", order.pk), ("destroy", order.pk)):
            with CaptureQueriesContext(connections[outbox.alias]) as queries:
                self.request(method, pk)
            words = [query["sql"].split()[0].strip(";") for query in queries]
            commits = [number for number, word in enumerate(words) if word == "COMMIT"]
            assert len(commits) == 1, words
            # Only a notification may follow, and a reading come before.
            assert not {"INSERT", "UPDATE", "DELETE"} & set(words[commits[0] :])
        assert outbox.names == ["order.create", "order.update", "order.delete"]

    @pytest.mark.parametrize("method", ["create", "partial_update", "destroy"])
    def test_an_event_that_cannot_be_written_keeps_the_change_from_being_committed(
        self, outbox, method
    ):
        order = Order.objects.create(customer="Grace")
        before = list(Order.objects.values())
        with connections[outbox.alias].schema_editor() as editor:
            editor.alter_db_table(OutboxRow, OutboxRow._meta.db_table, "away")
        try:
            with pytest.raises(DatabaseError):
                self.request(method, order.pk)
        finally:
            with connections[outbox.alias].schema_editor() as editor:
                editor.alter_db_table(OutboxRow, "away", OutboxRow._meta.db_table)
        assert (list(Order.objects.values()), outbox.names) == (before, [])

    def test_other_deliveries_open_no_transaction(self, outbox, settings, memory):
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.InlineDelivery"
        with CaptureQueriesContext(connections[outbox.alias]) as queries:
            self.request("create")
        assert len(queries) == 1
        assert [event.name for event in memory] == ["order.create"]


class TestRows:
    def test_an_event_comes_back_as_it_was(self, outbox):
        full = PusherEvent(
            channels=("private-books", "orders"),
            name="order.update",
            data='{"emoji": "🦄"}',
            socket_id="12.34",
            subject="shop.order:1",
            change="update",
            conflation_key="key",
            provider="shop.providers.Provider",
            occupancy_unknown=True,
        )
        OutboxDelivery().store([full], using=outbox.alias)
        assert decode(outbox.rows.get(), outbox.alias) == full

    def test_its_provider_is_named(self):
        row = OutboxRow(**encode(event("e", provider=provider_path(ConsoleProvider))))
        assert row.provider == "drf_model_pusher.providers.console.ConsoleProvider"

    def test_lanes_are_the_same_forever_and_evenly_used(self):
        """Other processes, and later releases, must find an object's rows in the same one."""
        assert [lane(key, "") % PARTITIONS for key in ("shop.order:1", "ü", "")] == [130, 147, 198]
        counts = [0] * PARTITIONS
        for number in range(10 * PARTITIONS):
            counts[lane(f"shop.order:{number}", "") % PARTITIONS] += 1
        assert max(counts) < 30


def test_a_right_that_is_taken_away_is_a_row(outbox, pusher_api, settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.outbox.delivery.OutboxDelivery"
    pusher_api.script.append(Answer(status=503))
    revoke(User(pk=7), using=outbox.alias)
    assert pusher_api.calls == []
    outbox.drain()
    paths = [call.path for call in pusher_api.calls]
    assert paths == ["/apps/3/users/7/terminate_connections"] * 2


def test_the_migrations_make_what_the_models_say(db):
    call_command("makemigrations", "drf_model_pusher_outbox", check=True, dry_run=True)
