"""Who may subscribe, by the project's own rules; and whether pushes tell what GETs tell."""

from types import ModuleType

import pytest
from django.contrib.auth.models import User
from rest_framework import serializers, viewsets

from drf_model_pusher.backends import PresencePusherBackend, PrivatePusherBackend, PusherBackend
from drf_model_pusher.testing import (
    assert_may_not_subscribe,
    assert_may_subscribe,
    assert_push_equals_get,
)
from tests import urls_of_boards
from tests.authorization.asking import add_route
from tests.boards import views
from tests.boards.models import Board, Task
from tests.boards.serializers import BoardSerializer, TaskSerializer
from tests.shop.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_registry")]


@pytest.fixture(autouse=True)
def urls(settings):
    """The routes of boards, and of views that a test declares."""
    settings.ROOT_URLCONF = ModuleType("urls_of_boards_and_more")
    settings.ROOT_URLCONF.urlpatterns = [*urls_of_boards.urlpatterns]


@pytest.fixture
def ada():
    return User.objects.create_user("ada")


@pytest.fixture
def bob():
    return User.objects.create_user("bob")


@pytest.fixture
def board(ada):
    return Board.objects.create(owner=ada, slug="plans")


def declare(base=PrivatePusherBackend, **more):
    attributes = {
        "serializer_class": BoardSerializer,
        "channels": ["boards.{pk}"],
        "view_class": views.BoardViewSet,
    } | more
    return type("Boards", (base,), attributes)


def failure(assertion, *args, **kwargs):
    with pytest.raises(AssertionError) as caught:
        assertion(*args, **kwargs)
    return str(caught.value)


class TestSubscriptions:
    @pytest.mark.parametrize("base", [PrivatePusherBackend, PresencePusherBackend])
    def test_the_rules_decide(self, ada, bob, board, base):
        channel = f"{declare(base).channel_prefix}boards.{board.pk}"
        assert_may_subscribe(ada, channel)
        assert_may_not_subscribe(bob, channel)
        assert_may_not_subscribe(None, channel)

    def test_a_refusal_says_why(self, bob, board):
        declare()
        message = failure(assert_may_subscribe, bob, f"private-boards.{board.pk}")
        assert message.startswith(f"user bob may not subscribe to 'private-boards.{board.pk}': ")
        assert "BoardViewSet answers 404" in message
        assert "no backend answers for it" in failure(assert_may_subscribe, bob, "private-x.1")
        assert "nobody may not" in failure(assert_may_subscribe, None, f"private-boards.{board.pk}")

    @pytest.mark.parametrize(
        "rule",
        [
            {"has_channel_permission": lambda self, request, channel, **fields: 1 / 0},
            {"permission_classes": [type("Broken", (), {"has_permission": None})]},
        ],
    )
    def test_a_rule_that_breaks_down_has_decided_nothing(self, bob, board, rule):
        declare(view_class=None, **rule)
        channel = f"private-boards.{board.pk}"
        assert "may not subscribe" in failure(assert_may_subscribe, bob, channel)
        assert failure(assert_may_not_subscribe, bob, channel).startswith(
            f"Whether user bob may subscribe to '{channel}' was not decided: "
        )

    def test_a_grant_that_should_not_be_says_so(self, ada, board):
        declare()
        message = failure(assert_may_not_subscribe, ada, f"private-boards.{board.pk}")
        assert "user ada may subscribe" in message
        assert "the rules of its backends agree" in message

    def test_everybody_may_subscribe_to_public_channels(self):
        assert_may_subscribe(None, "boards")
        assert "it is public" in failure(assert_may_not_subscribe, None, "boards")

    def test_nobody_may_subscribe_to_what_is_no_name(self, ada):
        assert_may_not_subscribe(ada, "board's")
        assert "is not allowed by Pusher" in failure(assert_may_subscribe, ada, "board's")

    def test_a_view_with_authentication_of_its_own_sees_the_user(self, ada, board):
        class TokenOnly(views.BoardViewSet):
            authentication_classes = [views.viewsets.ModelViewSet.authentication_classes[1]]

        declare(view_class=TokenOnly)
        add_route(TokenOnly)
        assert_may_subscribe(ada, f"private-boards.{board.pk}")


class PublicBoards(viewsets.ModelViewSet):
    queryset = Board.objects.all()
    serializer_class = BoardSerializer


class LongBoardSerializer(serializers.ModelSerializer):
    class Meta:
        model = Board
        fields = ["id", "secret"]


class TestPushEqualsGet:
    def test_one_rendering_is_equal(self, ada, board):
        declare()
        assert_push_equals_get(views.BoardViewSet, board, ada)

    def test_a_view_that_is_no_viewset_with_a_look_up_of_its_own(self, ada, board):
        declare(view_class=views.BoardBySlugView, channels=["boards.{slug}"])
        assert_push_equals_get(views.BoardBySlugView, board, ada)

    def test_a_nested_view_is_given_the_rest_of_its_url(self, ada, board):
        task = Task.objects.create(board=board, text="write")
        declare(serializer_class=TaskSerializer, channels=["tasks.{board_id}"])
        assert_push_equals_get(views.TaskViewSet, task, ada, kwargs={"board_pk": board.pk})

    def test_another_rendering_is_named_field_by_field(self, ada, board):
        declare(serializer_class=LongBoardSerializer)
        message = failure(assert_push_equals_get, views.BoardViewSet, board, ada)
        assert message.splitlines() == [
            f"BoardViewSet, Board {board.pk}, user ada: a push differs from the GET.",
            "  slug is missing; 'plans' was wanted by the GET",
            "  secret is False, and was not wanted by the GET",
            f'Pushed: board.update → private-boards.{board.pk} {{"id":{board.pk},"secret":false}}',
        ]

    def test_a_serializer_chosen_by_the_action_shows(self, board):
        class ByAction(PublicBoards):
            def get_serializer_class(self):
                return BoardSerializer if self.action == "retrieve" else LongBoardSerializer

        class Boards(PusherBackend):
            channels = ["boards"]

            class Meta:
                model = Board

        message = failure(assert_push_equals_get, ByAction, board, None)
        assert "slug is missing" in message

    def test_only_what_the_user_may_hear_counts(self, ada, bob, board):
        class StaffOnly(PrivatePusherBackend):
            serializer_class = LongBoardSerializer
            channels = ["staff.{pk}"]
            view_class = views.StaffBoardViewSet

        declare()
        assert_push_equals_get(views.BoardViewSet, board, ada)
        message = failure(assert_push_equals_get, views.BoardViewSet, board, bob)
        assert "user bob: the user hears of no update. Pushed would be:" in message
        assert "board.update → private-staff." in message
        message = failure(assert_push_equals_get, views.BoardViewSet, board, ada, backend=StaffOnly)
        assert "secret is False, and was not wanted by the GET" in message

    def test_a_get_that_is_refused_is_no_equal(self, bob, board):
        declare(PusherBackend, view_class=None)
        message = failure(assert_push_equals_get, views.BoardViewSet, board, bob)
        assert "the GET is answered with 404" in message

    def test_it_saves_nothing(self, ada, board, django_assert_num_queries):
        declare(PusherBackend, view_class=None)
        with django_assert_num_queries(2):  # the row of the event, and that of the GET
            assert_push_equals_get(PublicBoards, board, ada)

    def test_a_model_without_a_backend_pushes_nothing(self, ada):
        order = Order.objects.create(customer="Ada")
        declare()
        from drf_model_pusher.registry import registry

        for backend in registry.backends_for(Order)[:]:
            registry.unregister(backend)

        class Orders(viewsets.ModelViewSet):
            queryset = Order.objects.all()
            serializer_class = BoardSerializer

        message = failure(assert_push_equals_get, Orders, order, ada)
        assert message.endswith("Pushed would be:\n  nothing")
