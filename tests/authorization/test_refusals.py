"""What is refused, and what a refusal tells."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import permissions

from drf_model_pusher.backends import (
    PrivatePusherBackend,
)
from tests.authorization.asking import ask, declare
from tests.boards import views
from tests.boards.models import Board
from tests.boards.serializers import BoardSerializer, TaskSerializer


class TestRefusal:
    def test_tells_developers_the_reason_in_debug_only(self, member, board, boards, settings):
        channel = "private-boards.999"
        assert "BoardViewSet" not in ask(member, channel).json()["detail"]
        settings.DEBUG = True
        assert "BoardViewSet" in ask(member, channel).json()["detail"]
        assert "no backend" in ask(member, "private-x").json()["detail"]

    def test_of_one_backend_is_the_refusal_of_all_that_share_the_name(self, member, board, boards):
        class Others(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{slug}"]
            view_class = views.StaffBoardViewSet

        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_is_the_answer_to_a_backend_without_rules(self, member, board, boards):
        class Others(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]

        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_of_one_rule_is_the_refusal_of_the_backend(self, member, board):
        class Boards(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]
            view_class = views.BoardViewSet
            permission_classes = [permissions.IsAdminUser]

        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    @pytest.mark.parametrize("answer", [None, 1, "yes", object()])
    def test_is_every_answer_but_true(self, member, board, answer):
        class Boards(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]

            def has_channel_permission(self, request, channel, **fields):
                return answer

        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    @pytest.mark.parametrize("pk", ["0{0}", "{0}_0", "+{0}", " {0}", "{0}.", "{0},", "-{0}"])
    def test_is_the_answer_to_other_spellings_of_the_key(self, member, board, boards, pk):
        assert ask(member, "private-boards." + pk.format(board.pk)).status_code == 403

    @pytest.mark.parametrize("pk", ["0{0}", "{0}_0"])
    def test_is_the_answer_to_other_spellings_in_the_name_of_a_list(self, member, board, ada, pk):
        declare(views.BoardViewSet, "owners.{owner_id}")
        if "_" in pk:  # 1_0 is ten to Python
            User.objects.create_user("ten", pk=int(pk.format(ada.pk)))
            Board.objects.create(owner_id=int(pk.format(ada.pk)), slug="ten").members.add(ada)
        assert ask(member, "private-owners." + pk.format(ada.pk)).status_code == 403

    def test_is_the_answer_to_an_object_in_anothers_name(self, member, board, ada):
        class Boards(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["owners.{owner_id}.boards.{pk}"]
            view_class = views.BoardViewSet

        assert ask(member, f"private-owners.{ada.pk}.boards.{board.pk}").status_code == 200
        assert ask(member, f"private-owners.{ada.pk + 1}.boards.{board.pk}").status_code == 403

    @pytest.mark.parametrize(
        ("template", "serializer"),
        [("{id}.boards.{pk}", BoardSerializer), ("{board_id}.tasks.{board__pk}", TaskSerializer)],
    )
    def test_is_the_answer_to_two_values_of_one_field(self, member, board, template, serializer):
        declare(views.BoardViewSet, template, serializer_class=serializer)
        name = "private-" + template.replace("{board__pk}", "{pk}").replace("{board_id}", "{id}")
        assert ask(member, name.format(id=board.pk, pk=board.pk)).status_code == 200
        assert ask(member, name.format(id=board.pk + 1, pk=board.pk)).status_code == 403

    def test_is_the_answer_to_the_channel_that_a_slug_would_forge(self, member, ada):
        class Boards(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{slug}"]
            view_class = views.BoardViewSet

        class Tasks(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}.tasks"]

        Board.objects.create(owner=ada, slug="1.tasks")
        assert ask(member, "private-boards.1.tasks").status_code == 403


class TestCosts:
    """What is absent, hidden or forbidden costs the same: nobody learns by counting which it is."""

    @pytest.fixture
    def others(self, ada):
        """Boards of somebody else: the one is hidden by a queryset and refused by a permission."""
        bo = User.objects.create_user("bo")
        return [Board.objects.create(owner=bo, slug=slug) for slug in ("other", "third")]

    @pytest.fixture
    def counted(self, member, others):
        def counted(template):
            """Queries for a board that is refused and for one that is not there."""
            counts = set()
            for board in (*others, Board(pk=999, slug="absent", owner_id=999)):
                name = "private-" + template.format_map({**vars(board), "pk": board.pk})
                with CaptureQueriesContext(connection) as queries:
                    assert ask(member, name).status_code == 403
                counts.add(len(queries))
            return counts

        return counted

    class Mixed(views.BoardByPermissionViewSet):
        """The queryset hides some, the permission refuses others."""

        permission_classes = [permissions.IsAuthenticated & views.IsReader]

        def get_queryset(self):
            return Board.objects.exclude(slug="third")

    class Owned(permissions.BasePermission):
        """Asks for what the object belongs to."""

        def has_object_permission(self, request, view, obj):
            return obj.owner == request.user and obj.members.exists()

    def test_where_the_queryset_decides(self, counted):
        declare(views.BoardViewSet)
        assert counted("boards.{pk}") == {3}

    def test_where_a_permission_decides(self, counted):
        declare(views.BoardByPermissionViewSet)
        # session, user, board, permission, board again, another board
        assert counted("boards.{pk}") == {6}

    def test_where_both_do(self, counted):
        declare(self.Mixed)
        assert counted("boards.{pk}") == {6}

    def test_where_a_permission_asks_for_what_belongs_to_the_object(self, counted):
        declare(permission_classes=[self.Owned])
        assert len(counted("boards.{pk}")) == 1

    def test_where_permissions_of_the_backend_decide(self, counted):
        declare(None, "boards.{slug}", permission_classes=[views.IsReader])
        assert counted("boards.{slug}") == {6}

    def test_where_the_key_has_to_be_translated_for_the_view(self, counted):
        declare(views.BoardBySlugView)
        assert counted("boards.{pk}") == {4}

    def test_where_a_list_decides(self, counted):
        declare(views.BoardViewSet, "owners.{owner_id}")
        assert counted("owners.{owner_id}") == {4}  # the list, and what is in it

    @pytest.mark.parametrize("pk", [None, 999])
    def test_who_may_nothing_makes_no_query(self, client, board, pk, django_assert_num_queries):
        declare(self.Mixed)
        with django_assert_num_queries(0):
            assert ask(client, f"private-boards.{pk or board.pk}").status_code == 403


class TestReasons:
    """What developers are told with DEBUG, and by ``pusher_explain --as``."""

    @pytest.fixture
    def reason(self, member, settings):
        settings.DEBUG = True
        return lambda channel: ask(member, channel).json()["detail"]

    def test_tell_another_kind_of_channel(self, reason, boards):
        told = reason("private-encrypted-boards.1")
        assert "a channel of another kind, 'private-boards.1'" in told

    def test_tell_the_templates_that_there_are(self, reason, boards):
        assert "the templates are" in reason("private-bords.1")
        assert "private-boards.{pk}" in reason("private-bords.1")

    def test_name_the_line_of_the_project_and_not_that_of_a_framework(self, reason, board):
        class View(views.BoardViewSet):
            def get_queryset(self):
                return Board.objects.filter(nothing=1)

        declare(View)
        told = reason(f"private-boards.{board.pk}")
        assert f"FieldError at {__file__}:" in told
