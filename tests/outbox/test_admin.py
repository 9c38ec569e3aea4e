from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from drf_model_pusher.outbox.models import OutboxEvent
from drf_model_pusher.outbox.writing import write
from tests.outbox.conftest import event

LIST = "/admin/drf_model_pusher_outbox/outboxevent/"
State = OutboxEvent.State


@pytest.fixture
def staff(settings, db, client):
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

    create_permissions(apps.get_app_config("drf_model_pusher_outbox"), verbosity=0)

    def login(*permissions):
        user = User.objects.create_user("ada", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    return login


def put(name, **values):
    write([event(name, data='"payload"', subject="shop.order:1")], "default")
    saved = OutboxEvent.objects.latest("id")
    saved.created -= timedelta(hours=3)
    for field, value in values.items():
        setattr(saved, field, value)
    saved.save()
    return saved


class TestOutboxEventAdmin:
    def test_the_list_shows_what_waits_and_a_summary(self, staff):
        put("order.create")
        put("order.update", state=State.DEAD, attempts=5, error="the service answered 400")
        page = staff("view_outboxevent").get(LIST).content.decode()
        assert "1 waiting, 0 postponed, 1 dead; oldest 3.0 h; 0 sent per minute" in page
        for text in ("order.create", "order.update", "orders", "the service answered 400", "3.0 h"):
            assert text in page

    def test_the_data_is_shown_to_those_who_may_view_it(self, staff):
        url = f"{LIST}{put('order.create').pk}/change/"
        assert "&quot;payload&quot;" in staff("view_outboxevent").get(url).content.decode()

    @pytest.mark.parametrize("path", ["", "1/change/"])
    def test_others_see_nothing(self, staff, path):
        put("order.create")
        assert staff().get(LIST + path).status_code == 403

    def test_nothing_is_added_or_changed_by_hand(self, staff):
        saved = put("order.create")
        client = staff(*Permission.objects.values_list("codename", flat=True))
        assert client.get(f"{LIST}add/").status_code == 403
        client.post(f"{LIST}{saved.pk}/change/", {"name": "forged"})
        assert OutboxEvent.objects.get().name == "order.create"

    def test_a_dead_event_is_retried(self, staff):
        saved = put("order.create", state=State.DEAD, refusals=5, error="no")
        act(staff("view_outboxevent", "retry_outboxevent"), "retry", saved)
        saved.refresh_from_db()
        assert (saved.state, saved.refusals) == (State.WAITING, 0)

    def test_a_retried_event_takes_those_behind_it_along(self, staff):
        due = timezone.now() + timedelta(hours=1)
        first, _ = [put(name, state=State.POSTPONED, due=due) for name in ("first", "second")]
        act(staff("view_outboxevent", "retry_outboxevent"), "retry", first)
        assert {saved.state for saved in OutboxEvent.objects.all()} == {State.WAITING}

    def test_an_event_is_discarded(self, staff):
        saved = put("order.create")
        act(staff("view_outboxevent", "delete_outboxevent"), "delete_selected", saved)
        assert not OutboxEvent.objects.exists()

    def test_one_action_deletes(self, staff):
        put("order.create")
        page = staff("view_outboxevent", "delete_outboxevent").get(LIST).content.decode()
        assert page.count('<option value="delete_selected">Discard the selected events') == 1

    @pytest.mark.parametrize("action", ["retry", "delete_selected"])
    def test_an_action_takes_its_permission(self, staff, action):
        saved = put("order.create", state=State.DEAD)
        act(staff("view_outboxevent"), action, saved)
        assert OutboxEvent.objects.get().state == State.DEAD


def act(client, action, saved):
    return client.post(LIST, {"action": action, "_selected_action": [saved.pk]})
