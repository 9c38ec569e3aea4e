import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drf_model_pusher.delivery.base import held_back
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.outbox.delivery import OutboxDelivery
from drf_model_pusher.outbox.models import PARTITIONS
from drf_model_pusher.outbox.rows import COLUMNS, claimed, partition, row
from drf_model_pusher.providers import ConsoleProvider
from tests.outbox.conftest import event
from tests.shop.models import Order


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

    def test_a_deletion_that_fails_leaves_no_event(self, outbox):
        with pytest.raises(ZeroDivisionError), held_back():
            outbox.put("order.delete")
            raise ZeroDivisionError
        assert outbox.names == []

    def test_without_the_app_it_says_what_to_install(self, settings):
        installed = [app for app in settings.INSTALLED_APPS if app != "drf_model_pusher.outbox"]
        apps.set_installed_apps(installed)
        try:
            with pytest.raises(SettingError, match="INSTALLED_APPS, and migrate"):
                OutboxDelivery().deliver([event("e")])
        finally:
            apps.unset_installed_apps()


class TestRows:
    def test_an_event_comes_back_as_it_was_but_for_its_provider(self, outbox):
        full = PusherEvent(
            channels=("private-bücher", "orders"),
            name="order.update",
            data='{"emoji": "🦄"}',
            socket_id="12.34",
            subject="shop.order:1",
            change="update",
            conflation_key="key",
            unsure=True,
        )
        OutboxDelivery().deliver([full], using=outbox.alias)
        assert claimed(outbox.rows.values_list(*COLUMNS).get()).event == full

    def test_its_provider_is_named(self):
        carried = row(event("e", provider=ConsoleProvider), timezone.now())
        assert carried.provider == "drf_model_pusher.providers.console:ConsoleProvider"

    def test_partitions_are_the_same_for_ever_and_evenly_used(self):
        """Other processes, and later releases, must find an object's events in the same one."""
        assert [partition(key) for key in ("shop.order:1", "ü", "")] == [93, 213, 0]
        counts = [0] * PARTITIONS
        for number in range(10 * PARTITIONS):
            counts[partition(f"shop.order:{number}")] += 1
        assert max(counts) < 30


def test_the_migrations_make_what_the_models_say(db):
    call_command("makemigrations", "drf_model_pusher_outbox", check=True, dry_run=True)
