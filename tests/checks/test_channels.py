"""What is wrong with a declaration is said before a request meets it."""

from types import ModuleType

import pytest
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.urls import include, path
from rest_framework import generics, permissions, viewsets
from rest_framework.views import APIView

from drf_model_pusher.backends import EncryptedPusherBackend, PrivatePusherBackend, PusherBackend
from drf_model_pusher.checks.channels import check_channels
from tests.boards import views
from tests.boards.models import Board
from tests.boards.serializers import BoardSerializer, TaskSerializer

pytestmark = pytest.mark.usefixtures("own_registry")


def declare(*channels, base=PrivatePusherBackend, **attributes):
    attributes = {
        "serializer_class": BoardSerializer,
        "channels": list(channels) or None,
        "view_class": views.BoardViewSet,
    } | attributes
    return type("Boards", (base,), attributes)


def found():
    messages = check_channels()
    assert all(message.hint for message in messages)
    return [message.id.removeprefix("drf_model_pusher.") for message in messages]


def test_sound_declarations_are_silent():
    declare("boards.{pk}", "owners.{owner_id}", "slugs.{slug}")
    declare("tasks.{board_id}", "t.{board__slug}.all", serializer_class=TaskSerializer)
    declare("public.{pk}", "public.{slug}", base=PusherBackend, view_class=None)
    assert found() == []


def test_django_runs_them():
    from django.core.checks import run_checks

    declare("boards.{")
    assert "drf_model_pusher.E010" in [message.id for message in run_checks()]


@pytest.mark.parametrize("text", ["boards.{", "boards {pk}", "{a}{b}"])
def test_a_text_that_is_no_template(text):
    declare(text)
    assert found() == ["E010"]


def test_one_text_is_one_template():
    backend = declare(channels="boards.{pk}")
    assert [template.text for template in backend().templates()] == ["private-boards.{pk}"]
    assert found() == []


@pytest.mark.parametrize("text", ["boards.{nmae}", "boards.{nmae__pk}"])
def test_a_field_that_is_not_there(text):
    declare(text, view_class=None)
    assert found() == ["E011"]


@pytest.mark.parametrize(
    ("text", "serializer"),
    [
        ("owners.{owner__username}", BoardSerializer),
        ("tasks.{text}", TaskSerializer),
        ("teams.{team_id}", BoardSerializer),  # null
        ("teams.{team__slug}", BoardSerializer),
        ("tasks.{board}", TaskSerializer),  # an object, not its key
        ("users.{owner__date_joined}", BoardSerializer),
    ],
)
def test_a_field_whose_values_may_not_fit_into_a_name(text, serializer):
    declare(text, serializer_class=serializer, view_class=None)
    assert found() == ["W010"]


def test_two_rules_for_one_template():
    declare("boards.{pk}")
    declare("boards.{pk}", view_class=views.StaffBoardViewSet)
    assert found() == ["E012"]


@pytest.mark.parametrize("other", ["boards.{slug}", "boards.all", "{pk}.{slug}"])
def test_two_templates_that_share_names(other):
    declare("boards.{pk}", other)
    assert found() == ["E012"]


def test_one_rule_for_two_backends_of_one_template():
    declare("boards.{pk}")
    declare("boards.{board_id}", serializer_class=TaskSerializer)
    assert found() == []


def test_the_same_permissions_about_two_models():
    rule = {"view_class": None, "permission_classes": [permissions.IsAuthenticated]}
    declare("x.{pk}", **rule)
    declare("x.{pk}", serializer_class=TaskSerializer, **rule)
    assert found() == ["E012"]


def test_a_view_of_another_model():
    class Users(viewsets.ReadOnlyModelViewSet):
        queryset = User.objects.all()

    declare("boards.{slug}", view_class=Users)
    assert found() == ["E013"]


def test_a_view_without_the_get_that_is_asked():
    class Writes(generics.CreateAPIView):
        queryset = Board.objects.all()

    declare("boards.{pk}", view_class=Writes)
    assert found() == ["E013"]


def test_a_permission_that_decides_by_object_about_a_list():
    rule = {"view_class": None, "permission_classes": [views.IsReader]}
    declare("boards.{pk}", "slugs.{slug}", **rule)
    assert found() == []
    declare("owners.{owner_id}", **rule)
    assert found() == ["E013"]
    declare("all", **rule | {"permission_classes": [permissions.IsAuthenticated & views.IsReader]})
    assert found() == ["E013", "E013"]


def test_a_list_that_is_to_decide_about_one_object():
    declare("slugs.{slug}", view_class=views.BoardByPermissionViewSet)
    declare("boards.{pk}", "owners.{owner_id}", view_class=views.BoardByPermissionViewSet)
    assert found() == ["W012"]
    assert "IsReader" in check_channels()[0].msg


def test_what_only_an_instance_can_tell_is_not_told():
    class View(views.BoardViewSet):
        permission_classes = property(lambda self: [permissions.IsAuthenticated])

    declare("boards.{pk}", "slugs.{slug}", view_class=View)
    declare("names.{natural}", view_class=View)
    assert found() == ["E011"]


class TestRoutes:
    """Only where the endpoint is routed as well: else the project may have several URLconfs."""

    @pytest.fixture
    def route(self, settings):
        def route(*routed):
            settings.ROOT_URLCONF = ModuleType("urls_of_the_test")
            settings.ROOT_URLCONF.urlpatterns = [
                path("pusher/", include("drf_model_pusher.urls")),
                *routed,
            ]

        return route

    def test_a_view_without_a_url(self, route):
        declare("boards.{pk}")
        route()
        assert found() == ["E013"]
        assert "no URL leads to BoardViewSet.retrieve()" in check_channels()[0].msg
        assert check_channels()[0].hint.startswith("Add the route.")
        route(path("<pk>/", views.BoardViewSet.as_view({"get": "retrieve"})))
        assert found() == []

    def test_a_list_is_no_route_to_an_object(self, route):
        declare("boards.{pk}")
        route(path("", views.BoardViewSet.as_view({"get": "list"})))
        assert found() == ["E013"]

    @pytest.mark.parametrize("wrap", [login_required, lambda view: lambda *args: view(*args)])
    def test_what_wraps_a_route_is_no_matter(self, route, wrap):
        declare("boards.{pk}")
        route(path("<pk>/", wrap(views.BoardViewSet.as_view({"get": "retrieve"}))))
        assert found() == []

    def test_a_name_without_a_route(self, route):
        declare("boards.{pk}", view_class=None, view_name="board")
        route()
        assert found() == ["E013"]
        route(path("<pk>/", views.BoardViewSet.as_view({"get": "retrieve"}), name="board"))
        assert found() == []


class TestNoRule:
    def test_is_told_where_our_endpoint_decides(self, settings):
        declare("boards.{pk}", view_class=None)
        assert found() == []
        settings.ROOT_URLCONF = "tests.urls_of_boards"
        assert found() == ["W011"]

    @pytest.mark.parametrize(
        "rule",
        [
            {"permission_classes": []},
            {"has_channel_permission": lambda self, request, channel, **fields: True},
        ],
    )
    def test_is_none_of_the_other_rules(self, settings, rule):
        settings.ROOT_URLCONF = "tests.urls_of_boards"
        declare("boards.{pk}", view_class=None, **rule)
        assert found() == []

    def test_is_told_of_a_prefix_that_was_written_by_hand(self, settings):
        settings.ROOT_URLCONF = "tests.urls_of_boards"
        declare("open.{pk}", "private-boards.{pk}", view_class=None, base=PusherBackend)
        assert found() == ["W011"]

    def test_is_no_matter_of_public_channels(self, settings):
        settings.ROOT_URLCONF = "tests.urls_of_boards"
        declare("boards.{pk}", view_class=None, base=PusherBackend)
        assert found() == []


def test_an_encrypted_channel_without_a_key(settings):
    declare("boards.{pk}", base=EncryptedPusherBackend)
    assert found() == ["E014"]
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="
    assert found() == []


@pytest.mark.parametrize("view", [APIView, BoardSerializer, Board, "boards.views.View", 7, object])
def test_a_view_class_that_is_none_is_an_error_and_no_crash(settings, view):
    from django.core.checks import run_checks

    settings.ROOT_URLCONF = "tests.urls_of_boards"
    declare("boards.{pk}", "owners.{owner_id}", view_class=view)
    messages = [each for each in run_checks() if each.id == "drf_model_pusher.E024"]
    assert [each.hint for each in messages] == [
        "`view_class` is the class of one of DRF's generic views or viewsets; other views are "
        "named by their route: `view_name`."
    ]
