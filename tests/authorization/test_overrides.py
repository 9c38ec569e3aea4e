"""Views whose GET says no in a place of its own: the subscription says no as well."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from rest_framework import generics, permissions, viewsets

from drf_model_pusher.users import revoke
from tests.authorization.asking import ask, declare
from tests.boards import views
from tests.boards.models import Board, Task
from tests.boards.serializers import BoardSerializer, TaskSerializer


class BoardView(generics.RetrieveAPIView):
    queryset = Board.objects.all()
    serializer_class = BoardSerializer


class TestOneObject:
    def test_a_view_without_hooks_grants(self, member, board):
        declare(BoardView)
        assert ask(member, f"private-boards.{board.pk}").status_code == 200

    @pytest.mark.parametrize("hook", ["setup", "finalize_response", "get_serializer_class"])
    def test_a_hook_that_refuses_is_heard(self, member, board, hook):
        def refuse(self, *args, **kwargs):
            raise PermissionDenied

        declare(type("View", (BoardView,), {hook: refuse}))
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_an_as_view_that_wraps_is_heard(self, member, board):
        class View(BoardView):
            @classmethod
            def as_view(cls, **kwargs):
                def refuse(request, *args, **kwargs):
                    raise PermissionDenied

                return refuse

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_an_object_of_another_model_grants_nothing(self, member, board, ada):
        class View(viewsets.ReadOnlyModelViewSet):
            """Says in methods only that it is about boards."""

            permission_classes = [permissions.IsAuthenticated]

            def get_queryset(self):
                return Board.objects.filter(owner=self.request.user)

            def get_serializer_class(self):
                return BoardSerializer

        stranger = Board.objects.create(owner=User.objects.create_user("eve"), slug="secret")
        task = Task.objects.create(pk=board.pk, board=stranger, text="secret")
        declare(View, "tasks.{pk}", serializer_class=TaskSerializer)
        assert ask(member, f"private-tasks.{task.pk}").status_code == 403


class TestLists:
    def test_a_view_that_lists_in_its_own_way_grants_nothing(self, client, board):
        class View(generics.ListAPIView):
            queryset = Board.objects.all()
            serializer_class = BoardSerializer
            permission_classes = ()

            def paginate_queryset(self, queryset):
                return []

        declare(View, "all")
        assert ask(client, "private-all").status_code == 403

    class Nobody(permissions.BasePermission):
        def has_object_permission(self, request, view, obj):
            return False

    @pytest.mark.parametrize(
        "permission", [Nobody, permissions.AllowAny & Nobody, ~Nobody, Nobody | Nobody]
    )
    def test_a_permission_that_decides_by_object_grants_no_list(self, client, board, permission):
        declare(None, "owners.{owner_id}", permission_classes=[permission])
        assert ask(client, f"private-owners.{board.owner_id}").status_code == 403


class TestMatchChannel:
    def test_answers_for_channels_of_the_backends_own_kind_only(self, member, board):
        declare(
            views.BoardViewSet,
            channels=None,
            match_channel=lambda self, name: {"pk": name.rpartition(".")[2]},
        )
        assert ask(member, f"private-boards.{board.pk}").status_code == 200
        for kind in ("presence-", "private-encrypted-", "private-cache-"):
            assert ask(member, f"{kind}boards.{board.pk}").status_code == 403


class TestRevoke:
    def test_reaches_a_user_who_is_deleted_afterwards(
        self, ada, memory, monkeypatch, django_capture_on_commit_callbacks
    ):
        from drf_model_pusher.providers import MemoryProvider

        told = []
        monkeypatch.setattr(
            MemoryProvider, "terminate_user", lambda self, user_id: told.append(user_id)
        )
        known = str(ada.pk)
        with django_capture_on_commit_callbacks(execute=True):
            revoke(ada)
            ada.delete()
        assert told == [known]

    def test_never_raises_for_a_provider_that_cannot_be_made(
        self, ada, settings, caplog, django_capture_on_commit_callbacks
    ):
        settings.PUSHER_APP_ID = "no digits"
        with django_capture_on_commit_callbacks(execute=True):
            revoke(ada)
        assert f"connections not ended user={ada.pk}" in caplog.text
