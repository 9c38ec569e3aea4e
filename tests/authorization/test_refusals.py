"""What is refused, and what a refusal tells."""

import pytest
from django.contrib.auth.models import User
from rest_framework import permissions

from drf_model_pusher.backends import (
    PrivatePusherBackend,
)
from tests.authorization.asking import ask, declare
from tests.boards import views
from tests.boards.models import Board
from tests.boards.serializers import BoardSerializer


class TestRefusal:
    def test_tells_developers_the_reason_in_debug_only(self, member, board, boards, settings):
        channel = "private-boards.999"
        assert "BoardViewSet" not in ask(member, channel).json()["detail"]
        settings.DEBUG = True
        assert "BoardViewSet" in ask(member, channel).json()["detail"]
        assert "no backend" in ask(member, "private-x").json()["detail"]

    def test_costs_as_many_queries_for_absent_as_for_forbidden(
        self, member, boards, django_assert_num_queries
    ):
        other = Board.objects.create(owner=User.objects.create_user("bo"), slug="other")
        for pk in (other.pk, 999):
            with django_assert_num_queries(3):
                ask(member, f"private-boards.{pk}")

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
