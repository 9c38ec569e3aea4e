"""Views whose GET says no in a place of its own: the subscription says no as well."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import generics, pagination, permissions, serializers, viewsets
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.response import Response

from drf_model_pusher.users import revoke
from drf_model_pusher.views import ModelPusherViewMixin
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

    @pytest.mark.parametrize("hook", ["paginator", "get_paginated_response"])
    def test_a_view_that_pages_in_its_own_way_grants_nothing(self, client, board, hook):
        class Nothing(pagination.PageNumberPagination):
            def paginate_queryset(self, queryset, request, view=None):
                return []

        own = {
            "paginator": property(lambda self: Nothing()),
            "get_paginated_response": lambda self, data: Response([]),
        }

        class Pages(pagination.PageNumberPagination):
            page_size = 10

        pages = {"pagination_class": Pages} if "get" in hook else {}
        declare(type("View", (views.OpenBoardViewSet,), pages | {hook: own[hook]}), "all")
        assert ask(client, "private-all").status_code == 403

    @pytest.mark.parametrize("hook", ["get_serializer_context", "get_serializer_class"])
    def test_a_hook_of_rendering_that_refuses_is_heard(self, client, board, hook):
        def refuse(self):
            raise PermissionDenied

        declare(type("View", (views.OpenBoardViewSet,), {hook: refuse}), "all")
        assert ask(client, "private-all").status_code == 403

    def test_the_mixin_or_a_dispatch_of_ones_own_changes_nothing(self, client, board):
        class View(ModelPusherViewMixin, generics.ListAPIView):
            queryset = Board.objects.all()
            serializer_class = BoardSerializer
            permission_classes = ()

        class OwnView(View, viewsets.ReadOnlyModelViewSet):
            def dispatch(self, request, *args, **kwargs):
                return super().dispatch(request, *args, **kwargs)

        declare(View, "all")
        assert ask(client, "private-all").status_code == 200
        declare(OwnView, "own")
        assert ask(client, "private-own").status_code == 200

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

    @pytest.mark.parametrize("make", [int, str, lambda text: Board(pk=int(text)).pk])
    def test_gives_any_value_that_a_look_up_takes(self, member, board, make):
        declare(
            views.BoardViewSet,
            channels=None,
            match_channel=lambda self, name: {"pk": make(name.rpartition(".")[2])},
        )
        stranger = Board.objects.create(owner=User.objects.create_user("eve"), slug="secret")
        assert ask(member, f"private-boards.{board.pk}").status_code == 200
        assert ask(member, f"private-boards.{stranger.pk}").status_code == 403

    def test_gives_uuids_and_objects(self, member, ada, board):
        task = Task.objects.create(board=board, text="tea")
        stranger = Board.objects.create(owner=User.objects.create_user("eve"), slug="secret")
        fields = {"pk": task.pk, "board": board}

        class View(viewsets.ReadOnlyModelViewSet):
            queryset = Task.objects.all()
            serializer_class = TaskSerializer

        declare(
            View,
            channels=None,
            serializer_class=TaskSerializer,
            match_channel=lambda self, name: fields,
        )
        assert ask(member, "private-tasks").status_code == 200
        # Two boards look alike as text; they are not one.
        fields["board"] = type("Board", (), {"__str__": lambda self: str(board)})()
        assert ask(member, "private-tasks").status_code == 403
        fields["board"] = stranger
        assert ask(member, "private-tasks").status_code == 403

    def test_gives_numbers_to_the_name_of_a_list(self, member, ada, board):
        declare(
            views.BoardViewSet,
            channels=None,
            match_channel=lambda self, name: {"owner_id": int(name.rpartition(".")[2])},
        )
        assert ask(member, f"private-owners.{ada.pk}").status_code == 200
        assert ask(member, f"private-owners.{ada.pk + 1}").status_code == 403


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


class TestRendering:
    """A GET is more than its object: the subscription is granted if all of it is."""

    @pytest.mark.parametrize("error", [PermissionDenied, Http404, NotFound, NotAuthenticated])
    def test_a_serializer_that_refuses_is_heard(self, member, board, error):
        class Serializer(BoardSerializer):
            def to_representation(self, instance):
                raise error

        declare(type("View", (views.BoardViewSet,), {"serializer_class": Serializer}))
        assert member.get(f"/boards/{board.pk}/").status_code == 200
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_a_field_that_refuses_is_heard(self, member, board):
        class Serializer(BoardSerializer):
            secret = serializers.SerializerMethodField()

            class Meta(BoardSerializer.Meta):
                fields = ["id", "secret"]

            def get_secret(self, instance):
                raise PermissionDenied

        declare(type("View", (views.BoardViewSet,), {"serializer_class": Serializer}))
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_it_is_made_once(self, member, board, django_assert_num_queries):
        made = []

        class View(views.BoardViewSet):
            def retrieve(self, request, *args, **kwargs):
                made.append(self.action)
                return super().retrieve(request, *args, **kwargs)

        declare(View)
        with django_assert_num_queries(3):  # session, user, board
            assert ask(member, f"private-boards.{board.pk}").status_code == 200
        assert made == ["retrieve"]

    def test_a_dispatch_that_asks_nobody_grants_nothing(self, member, board):
        class View(views.BoardViewSet):
            def dispatch(self, request, *args, **kwargs):
                return HttpResponse()

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    @pytest.mark.parametrize("method", ["to_representation", "many_init"])
    def test_a_list_whose_serializer_may_leave_objects_out_grants_nothing(
        self, client, board, method
    ):
        def nothing(self, *args, **kwargs):
            raise AssertionError("it is not even asked")

        class View(viewsets.ReadOnlyModelViewSet):
            queryset = Board.objects.all()
            permission_classes = ()
            serializer_class = type("Serializer", (BoardSerializer,), {method: nothing})

        declare(View, "all")
        assert ask(client, "private-all").status_code == 403

    def test_a_serializer_that_is_made_in_its_own_way_grants_no_list(self, client, board):
        class Serializer(BoardSerializer):
            def __new__(cls, instance=None, *args, **kwargs):
                return super().__new__(cls, [], *args, **kwargs)

        class View(views.OpenBoardViewSet):
            serializer_class = Serializer

        declare(View, "all")
        assert ask(client, "private-all").status_code == 403

    @pytest.mark.parametrize("method", ["__init__", "to_representation", "data"])
    def test_a_list_serializer_of_its_own_grants_nothing(self, client, board, method):
        own = {
            "__init__": lambda self, *args, **kwargs: serializers.ListSerializer.__init__(
                self, [], **{**kwargs, "child": BoardSerializer()}
            ),
            "to_representation": lambda self, data: [],
            "data": property(lambda self: []),
        }

        class Serializer(BoardSerializer):
            class Meta(BoardSerializer.Meta):
                list_serializer_class = type(
                    "Some", (serializers.ListSerializer,), {method: own[method]}
                )

        class View(views.OpenBoardViewSet):
            def get_serializer_class(self):
                return Serializer

        declare(View, "all")
        declare(View, "said", lists_queryset=True)
        assert ask(client, "private-all").status_code == 403
        assert ask(client, "private-said").status_code == 200

    def test_a_pagination_of_its_own_grants_nothing(self, client, board):
        class Some(pagination.PageNumberPagination):
            def paginate_queryset(self, queryset, request, view=None):
                return []

        declare(type("View", (views.OpenBoardViewSet,), {"pagination_class": Some}), "all")
        assert ask(client, "private-all").status_code == 403

    @pytest.mark.parametrize("paginator", [pagination.LimitOffsetPagination, None])
    def test_a_list_is_really_made_but_not_asked_again_if_it_is_of_all_objects(
        self, client, board, paginator, django_assert_num_queries
    ):
        attributes = {"pagination_class": paginator}
        declare(type("View", (views.OpenBoardViewSet,), attributes), "owners.{owner_id}")
        with django_assert_num_queries(1):
            assert ask(client, f"private-owners.{board.owner_id}").status_code == 200
