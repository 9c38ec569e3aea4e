"""Code of the project that breaks down refuses one channel, and fails no other."""

import pytest
from django.db import connection
from django.http import Http404
from rest_framework.response import Response

from drf_model_pusher.backends import PresencePusherBackend, PrivatePusherBackend
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError
from tests.authorization.asking import ask, ask_all, declare
from tests.boards import views
from tests.boards.serializers import BoardSerializer


class BreakdownError(Exception):
    """What no package expects; its text is the project's own and may hold anything."""


def break_down(*args, **kwargs):
    raise BreakdownError("payload")


@pytest.fixture
def good(board):
    """A channel whose rule works."""
    declare(views.BoardViewSet)
    return f"private-boards.{board.pk}"


def check(client, caplog, good, bad):
    assert ask_all(client, bad, good) == {bad: 403, good: 200}
    assert ask(client, bad).status_code == 403
    assert "error=BreakdownError" in caplog.text
    assert f"{__file__}:" in caplog.text  # where it was
    assert "payload" not in caplog.text


@pytest.mark.parametrize("method", ["get_queryset", "get_object", "retrieve", "dispatch"])
def test_a_view(member, good, caplog, method):
    declare(type("View", (views.BoardViewSet,), {method: break_down}), "broken.{pk}")
    check(member, caplog, good, "private-broken.1")


def test_a_declaration_that_only_an_instance_can_read(member, good, caplog):
    methods = property(lambda self: ["get"])
    declare(type("View", (views.BoardViewSet,), {"http_method_names": methods}), "broken.{pk}")
    assert ask_all(member, "private-broken.1", good) == {"private-broken.1": 403, good: 200}
    assert "error=TypeError" in caplog.text


def test_a_list(member, good, caplog):
    declare(type("View", (views.BoardViewSet,), {"get_queryset": break_down}), "broken")
    check(member, caplog, good, "private-broken")


@pytest.mark.parametrize("method", ["get_view_kwargs", "has_channel_permission"])
def test_a_method_of_a_backend(member, good, caplog, method):
    declare(views.BoardViewSet, "broken.{pk}", **{method: break_down})
    check(member, caplog, good, "private-broken.1")


def test_what_a_presence_channel_tells_of_users(member, good, board, caplog):
    declare(
        views.BoardViewSet, "b.{pk}", PresencePusherBackend, get_presence_data=break_down
    )  # fmt: skip
    check(member, caplog, good, f"presence-b.{board.pk}")


def test_a_match_channel_refuses_what_it_broke_down_over_and_nothing_else(member, good, caplog):
    def match_channel(self, name):
        return None if name == good else break_down()

    declare(views.BoardViewSet, channels=None, match_channel=match_channel)
    declare(views.BoardViewSet, "others.{pk}")
    check(member, caplog, good, "private-others.1")


def test_a_template_that_is_none(member, board, caplog):
    declare(views.BoardViewSet, "boards.{")
    assert ask(member, f"private-boards.{board.pk}").status_code == 403
    assert "is no template" in caplog.text


def test_a_rule_about_what_no_url_holds(member, good):
    declare(views.BoardViewSet, channels=None, match_channel=lambda self, name: {"pk": []})
    assert ask(member, good).status_code == 403


def test_a_setting_is_nobodys_refusal(member, good, settings):
    settings.PUSHER_KEY = ["no", "text"]
    with pytest.raises(SettingError):
        ask(member, good)
    with pytest.raises(SettingError):
        _ = app_settings.PUSHER_KEY


class TestAtomicRequests:
    """A view that answers with an error marks the request's transaction as broken."""

    @pytest.fixture(autouse=True)
    def _atomic(self, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    @pytest.mark.parametrize("status", [404, 403, 500])
    def test_the_next_channel_can_be_asked_about(self, member, good, board, status):
        class View(views.BoardViewSet):
            def retrieve(self, request, pk):
                if status == 500:
                    return Response(status=500)
                raise Http404 if status == 404 else PermissionError

        declare(View, "own.{pk}")
        declare(views.BoardViewSet, "absent.{pk}")
        names = f"private-own.{board.pk}", "private-absent.999", good
        assert list(ask_all(member, *names).values()) == [403, 403, 200]

    def test_a_broken_query_breaks_no_other(self, member, good, board):
        def has_channel_permission(self, request, channel, **fields):
            return connection.cursor().execute("SELECT nothing FROM nowhere")

        class Broken(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["broken.{pk}"]

        Broken.has_channel_permission = has_channel_permission
        bad = f"private-broken.{board.pk}"
        assert ask_all(member, bad, good) == {bad: 403, good: 200}
