"""Events for one user, and ending a user's connections."""

import logging
import time

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.exceptions import InvalidUserError, ProviderError
from drf_model_pusher.providers import BaseProvider, MemoryProvider
from drf_model_pusher.user_ids import display_name, user_id
from drf_model_pusher.users import revoke, send_to_user, terminate_user
from tests.pusher_api import Answer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada():
    return User.objects.create_user("ada", first_name="Ada")


@pytest.fixture
def terminated(memory):
    MemoryProvider.terminated.clear()
    yield MemoryProvider.terminated
    MemoryProvider.terminated.clear()


class TestNames:
    def test_the_id_is_the_primary_key_as_text(self, ada):
        assert user_id(ada) == str(ada.pk)

    @pytest.mark.parametrize("pk", [None, "a b", "é", "", "a:b", "x" * 129])
    def test_a_key_that_can_be_no_id_is_an_error(self, pk):
        with pytest.raises(InvalidUserError, match="no user id"):
            user_id(User(pk=pk))

    def test_the_user_name_stands_in_for_a_missing_full_name(self, ada):
        assert display_name(ada) == "Ada"
        assert display_name(User(username="bo")) == "bo"


class TestSendToUser:
    def test_reaches_the_users_own_channel(self, pusher_api, ada):
        send_to_user(ada, "hello", {"a": 1})
        (event,) = pusher_api.wait_for_events(1)
        assert (event["channels"], event["name"], event["data"]) == (
            [f"#server-to-user-{ada.pk}"],
            "hello",
            {"a": 1},
        )

    def test_waits_for_the_commit(self, memory, ada):
        with transaction.atomic():
            send_to_user(ada, "hello", {})
            assert memory == []
        assert len(memory) == 1

    def test_is_silent_where_nothing_is_pushed(self, memory, ada, settings):
        settings.DRF_MODEL_PUSHER_DISABLED = True
        send_to_user(ada, "hello", {})
        assert memory == []


class TestTerminateUser:
    def test_calls_the_apps_own_address(self, pusher_api, ada):
        terminate_user(ada)
        (call,) = pusher_api.calls
        assert (call.method, call.path.split("?")[0]) == (
            "POST",
            f"/apps/3/users/{ada.pk}/terminate_connections",
        )
        assert call.signed

    def test_says_that_it_failed(self, pusher_api, ada):
        pusher_api.script.append(Answer(status=404))
        with pytest.raises(ProviderError):
            terminate_user(ada)

    def test_of_a_provider_that_cannot_is_an_error(self, ada, settings):
        settings.DRF_MODEL_PUSHER_PROVIDER = f"{__name__}.Own"
        with pytest.raises(ProviderError, match="Own cannot end connections"):
            terminate_user(ada)

    def test_does_nothing_where_nothing_is_pushed(self, terminated, ada, settings):
        settings.DRF_MODEL_PUSHER_DISABLED = True
        terminate_user(ada)
        assert terminated == []


class Own(BaseProvider):
    def trigger(self, channels, event_name, data, socket_id=None):
        pass


class TestRevoke:
    def test_ends_connections_after_the_commit(self, terminated, ada):
        with transaction.atomic():
            revoke(ada)
            assert terminated == []
        assert terminated == [str(ada.pk)]

    def test_does_nothing_if_the_right_is_not_taken_away(self, terminated, ada):
        with pytest.raises(KeyError), transaction.atomic():
            revoke(ada)
            raise KeyError
        assert terminated == []

    def test_goes_the_way_of_events_which_tries_again(self, pusher_api, ada, settings):
        """And lets the request go on meanwhile."""
        settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
        pusher_api.script.append(Answer(status=503, delay=0.5))
        started = time.monotonic()
        revoke(ada)
        assert time.monotonic() - started < 0.4
        calls = pusher_api.wait_for_calls(2)
        assert [call.path.split("/")[-1] for call in calls] == ["terminate_connections"] * 2
        get_delivery().flush(10)

    def test_keeps_its_place_between_events(self, pusher_api, ada):
        with transaction.atomic():
            send_to_user(ada, "bye", {})
            revoke(ada)
            send_to_user(ada, "again", {})
        paths = [call.path.split("/")[-1] for call in pusher_api.calls]
        assert paths == ["events", "terminate_connections", "events"]

    def test_logs_a_failure_and_never_raises_it(self, pusher_api, ada, caplog):
        pusher_api.script.append(Answer(status=401))
        with caplog.at_level(logging.ERROR, "drf_model_pusher"):
            revoke(ada)
        assert len(pusher_api.calls) == 1
        assert f"connections not ended user={ada.pk}" in caplog.text
