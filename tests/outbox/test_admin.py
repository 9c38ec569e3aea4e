import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.utils import timezone

from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.rows import encode, write
from tests.outbox.conftest import event

LIST = "/admin/drf_model_pusher_outbox/outboxrow/"
State = OutboxRow.State


@pytest.fixture
def staff(settings, client):
    """A client of somebody on the staff, with the permissions that are named."""
    settings.ROOT_URLCONF = "tests.outbox.admin_urls"
    settings.INSTALLED_APPS = [
        *settings.INSTALLED_APPS,
        "django.contrib.admin",
        "django.contrib.messages",
    ]
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ]

    from django.contrib.admin.models import LogEntry

    with connection.schema_editor() as editor:
        editor.create_model(LogEntry)
    create_permissions(apps.get_app_config("drf_model_pusher_outbox"), verbosity=0)

    def login(*permissions):
        user = User.objects.create_user("ada", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    yield login
    with connection.schema_editor() as editor:
        editor.delete_model(LogEntry)


def put(name, **values):
    write([event(name, data='"payload"', subject="shop.order:1")], "default")
    saved = OutboxRow.objects.latest("id")
    saved.created -= timedelta(hours=3)
    for field, value in values.items():
        setattr(saved, field, value)
    saved.save()
    return saved


@pytest.mark.django_db(databases=["default", "other"], transaction=True)
class TestOutboxRowAdmin:
    def test_the_list_shows_what_waits_and_a_summary(self, staff):
        put("order.create")
        put("order.update", state=State.DEAD, attempts=5, error="the service answered 400")
        page = staff("view_outboxrow").get(LIST).content.decode()
        assert "1 waiting, 0 postponed, 1 dead; oldest 3.0 h" in page
        for text in (
            "order.create",
            "order.update",
            "shop.order:1",
            "the service answered 400",
            "3.0 h",
        ):
            assert text in page

    def test_the_data_is_shown_to_those_who_may_view_it(self, staff):
        url = f"{LIST}{put('order.create').pk}/change/"
        assert "payload" in staff("view_outboxrow").get(url).content.decode()

    @pytest.mark.parametrize("path", ["", "1/change/"])
    def test_others_see_nothing(self, staff, path):
        put("order.create")
        assert staff().get(LIST + path).status_code == 403

    def test_nothing_is_added_or_changed_by_hand(self, staff):
        saved = put("order.create")
        client = staff(*Permission.objects.values_list("codename", flat=True))
        assert client.get(f"{LIST}add/").status_code == 403
        client.post(f"{LIST}{saved.pk}/change/", {"name": "forged"})
        assert OutboxRow.objects.get().name == "order.create"

    def test_a_dead_event_is_retried(self, staff):
        saved = put("order.create", state=State.DEAD, refusals=5, error="no")
        act(staff("view_outboxrow", "retry_outboxrow"), "retry", saved)
        saved.refresh_from_db()
        assert (saved.state, saved.refusals) == (State.WAITING, 0)

    def test_a_row_that_was_put_off_is_retried_at_once(self, staff):
        saved = put("order.create", due=timezone.now() + timedelta(hours=1))
        act(staff("view_outboxrow", "retry_outboxrow"), "retry", saved)
        assert OutboxRow.objects.get().due is None

    def test_an_event_is_discarded(self, staff):
        saved = put("order.create")
        client = staff("view_outboxrow", "delete_outboxrow")
        page = act(client, "delete_selected", saved).content.decode()
        assert "Discard 1 row?" in page
        assert OutboxRow.objects.exists()
        act(client, "delete_selected", saved, confirmed="yes")
        assert not OutboxRow.objects.exists()

    def test_more_rows_than_a_form_holds_are_discarded(self, staff):
        rows = [OutboxRow(**encode(event(f"e{n}", subject="shop.order:1"))) for n in range(1_100)]
        OutboxRow.objects.bulk_create(rows)
        client = staff("view_outboxrow", "delete_outboxrow")
        chosen = {"select_across": "1"}
        first = OutboxRow.objects.first()
        page = act(client, "delete_selected", first, **chosen).content.decode()
        assert "Discard 1100 rows?" in page
        posted = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        client.post(LIST, posted)
        assert not OutboxRow.objects.exists()

    def test_who_did_what_is_in_the_log_of_the_admin(self, staff):
        dead, other = put("order.create", state=State.DEAD), put("order.update")
        client = staff("view_outboxrow", "retry_outboxrow", "delete_outboxrow")
        act(client, "retry", dead)
        act(client, "delete_selected", other, confirmed="yes")
        from django.contrib.admin.models import CHANGE, DELETION, LogEntry

        logged = LogEntry.objects.order_by("id").values_list("user__username", "action_flag")
        assert list(logged) == [("ada", CHANGE), ("ada", DELETION)]

    def test_it_works_on_the_database_that_is_written_to(self, staff, settings):
        class Router:
            def db_for_read(self, model, **hints):
                return "other" if model is OutboxRow else None

        saved = put("order.create", state=State.DEAD)
        settings.DATABASE_ROUTERS = [Router()]
        client = staff("view_outboxrow", "retry_outboxrow")
        assert "order.create" in client.get(LIST).content.decode()
        act(client, "retry", saved)
        assert OutboxRow.objects.using("default").get().state == State.WAITING

    def test_one_action_deletes(self, staff):
        put("order.create")
        page = staff("view_outboxrow", "delete_outboxrow").get(LIST).content.decode()
        assert page.count('<option value="delete_selected">Discard the selected rows') == 1

    @pytest.mark.parametrize("action", ["retry", "delete_selected"])
    def test_an_action_takes_its_permission(self, staff, action):
        saved = put("order.create", state=State.DEAD)
        act(staff("view_outboxrow"), action, saved)
        assert OutboxRow.objects.get().state == State.DEAD


def act(client, action, saved, **more):
    return client.post(LIST, {"action": action, "_selected_action": [saved.pk], **more})
