"""What a view asks in places of its own counts as well."""

from types import ModuleType

import pytest
from django.contrib.auth.decorators import user_passes_test
from django.contrib.auth.models import User
from django.db import models
from django.db.models import F, Max, Window
from django.db.models.functions import RowNumber
from django.http import HttpResponseForbidden
from django.test import Client
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from rest_framework import generics, pagination, permissions, viewsets
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient
from rest_framework.throttling import ScopedRateThrottle

from drf_model_pusher.backends import (
    PrivatePusherBackend,
)
from drf_model_pusher.checks.channels import check_channels
from drf_model_pusher.views import AuthorizationView
from tests.authorization.asking import ask, ask_all, declare
from tests.boards import views
from tests.boards.models import Board
from tests.boards.serializers import BoardSerializer, TaskSerializer


class StaffOnly:
    def filter_queryset(self, request, queryset, view):
        return queryset if request.user.is_staff else queryset.none()


class TestViews:
    def test_get_object_of_its_own(self, member, board):
        class View(views.BoardViewSet):
            def get_object(self):
                return generics.get_object_or_404(Board, slug="no " + self.kwargs["pk"])

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_a_queryset_that_depends_on_what_routers_tell(self, member, board):
        class View(views.OpenBoardViewSet):
            def get_queryset(self):
                boards = super().get_queryset()
                return boards.filter(secret=False) if self.detail else boards

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 200
        secret = Board.objects.create(owner=board.owner, slug="secret", secret=True)
        assert ask(member, f"private-boards.{secret.pk}").status_code == 403

    def test_a_list_that_depends_on_what_routers_tell(self, member, board):
        class View(views.OpenBoardViewSet):
            def get_queryset(self):
                boards = super().get_queryset()
                return boards.none() if self.detail is False else boards

        declare(View, "boards")
        assert ask(member, "private-boards").status_code == 403

    def test_an_async_view_is_refused_with_a_reason(self, member, board, settings):
        settings.DEBUG = True

        class View(views.OpenBoardViewSet):
            view_is_async = True

        declare(View)
        answer = ask(member, f"private-boards.{board.pk}")
        assert answer.status_code == 403
        assert "View is async" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("base", "name"),
        [
            (pagination.PageNumberPagination, "get_page_number"),
            (pagination.LimitOffsetPagination, "get_offset"),
            (pagination.CursorPagination, "decode_cursor"),
        ],
    )
    def test_pages_of_its_own_may_leave_objects_out(self, member, board, base, name):
        class Pages(base):
            page_size = default_limit = 2
            ordering = "pk"

        class View(views.OpenBoardViewSet):
            queryset = Board.objects.order_by("pk")
            pagination_class = Pages

        declare(View, "boards")
        assert ask(member, "private-boards").status_code == 200

        class First(View):
            pagination_class = type("First", (Pages,), {
                name: lambda self, *args: getattr(base, name)(self, *args)
            })  # fmt: skip

        declare(First, "first")
        assert ask(member, "private-first").status_code == 403

    @pytest.mark.parametrize(
        "base",
        [
            pagination.PageNumberPagination,
            pagination.LimitOffsetPagination,
            pagination.CursorPagination,
        ],
    )
    @pytest.mark.parametrize("whole", [True, False])
    def test_pages_of_a_part_of_the_queryset_are_no_list_of_all(self, member, board, base, whole):
        class Pages(base):
            page_size = default_limit = 2
            ordering = "pk"

        class View(generics.ListAPIView):
            queryset = Board.objects.order_by("pk")
            serializer_class = BoardSerializer
            permission_classes = ()
            pagination_class = Pages

            if not whole:

                def get(self, request):
                    page = self.paginate_queryset(self.queryset.exclude(slug__startswith="h"))
                    return self.get_paginated_response(self.get_serializer(page, many=True).data)

        for number in range(5):
            Board.objects.create(owner=board.owner, slug=f"hidden-{number}")
        declare(View, "boards")
        declare(View, "owners.{owner_id}")
        for name in ("boards", f"owners.{board.owner_id}"):
            assert ask(member, f"private-{name}").status_code == (200 if whole else 403)

    def test_initial_of_its_own(self, member, board):
        class View(views.BoardViewSet):
            def initial(self, request, *args, **kwargs):
                super().initial(request, *args, **kwargs)
                self.permission_denied(request)

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_filter_backends(self, member, board):
        class Nothing:
            def filter_queryset(self, request, queryset, view):
                return queryset.none()

        class View(views.BoardViewSet):
            filter_backends = [Nothing]

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    @pytest.mark.parametrize("status", [200, 404])
    def test_a_retrieve_of_its_own_is_really_asked(self, member, board, status):
        class View(views.BoardViewSet):
            def retrieve(self, request, pk):
                return Response(BoardSerializer(Board.objects.get(pk=pk)).data, status=status)

        declare(View)
        answer = ask(member, f"private-boards.{board.pk}").status_code
        assert answer == (200 if status == 200 else 403)

    @pytest.mark.parametrize("data", [None, {"id": 1}, {"board": {"slug": "plans"}}, [], "yes"])
    def test_an_answer_that_tells_no_object_proves_nothing(self, member, board, data):
        declare(type("View", (views.BoardViewSet,), {"retrieve": lambda *_, **__: Response(data)}))
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_an_answer_in_an_envelope_tells_its_object(self, member, board):
        class View(views.BoardViewSet):
            def retrieve(self, request, pk):
                found = super().retrieve(request, pk).data
                return Response({"code": 0, "payload": {"board": found}})

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 200
        assert ask(member, "private-boards.999").status_code == 403

    def test_a_cached_answer_to_one_is_none_to_another(self, member, board):
        class View(views.OpenBoardViewSet):
            permission_classes = [permissions.IsAuthenticated]

            @method_decorator(cache_page(60))
            def retrieve(self, request, pk):
                status = 200 if pk == str(board.pk) else 404
                return Response(BoardSerializer(Board.objects.get(pk=pk)).data, status=status)

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 200
        other = Board.objects.create(owner=User.objects.create_user("bo"), slug="other")
        assert ask(member, f"private-boards.{other.pk}").status_code == 403
        assert ask(APIClient(), f"private-boards.{board.pk}").status_code == 403

    def test_a_list_of_its_own_is_no_rule_unless_it_shows_the_queryset(self, member, board):
        class View(views.BoardViewSet):
            def list(self, request):
                return Response([])

        declare(View, "owners.{owner_id}")
        declare(View, "of-owners.{owner_id}", lists_queryset=True)
        assert ask(member, f"private-owners.{board.owner_id}").status_code == 403
        assert ask(member, f"private-of-owners.{board.owner_id}").status_code == 200

    def test_a_list_of_its_own_is_really_asked(self, member, board):
        class View(views.BoardViewSet):
            def list(self, request):
                self.permission_denied(request)

        declare(View, "owners.{owner_id}", lists_queryset=True)
        assert ask(member, f"private-owners.{board.owner_id}").status_code == 403

    def test_that_answers_no_get_of_the_kind_grants_nothing(self, member, board):
        class Lists(generics.ListAPIView):
            queryset = Board.objects.all()

        class Writes(views.BoardViewSet):
            http_method_names = ["post"]

        declare(Lists)
        declare(Writes, "written.{pk}")
        assert ask(member, f"private-boards.{board.pk}").status_code == 403
        assert ask(member, f"private-written.{board.pk}").status_code == 403

    def test_see_a_get_without_the_query_and_the_body_of_the_request(self, member, board):
        seen = []

        class View(views.BoardViewSet):
            def get_queryset(self):
                request = self.request
                asked = (
                    request.method,
                    dict(request.query_params),
                    dict(request.data),
                    dict(request._request.POST),
                )
                as_whom = (request.headers["X-Tenant"], self.action, request.user.username)
                seen.append(asked + as_whom)
                return super().get_queryset()

        declare(View)
        data = {"socket_id": "1.2", "channel_name": f"private-boards.{board.pk}", "admin": "1"}
        member.post("/pusher/auth?admin=1", data, headers={"X-Tenant": "reds"})
        assert seen == [("GET", {}, {}, {}, "reds", "retrieve", "ada")]

    def test_keep_what_middleware_attached(self, member, board, settings):
        class View(views.BoardViewSet):
            def get_queryset(self):
                return super().get_queryset().filter(slug=self.request._request.tenant)

        declare(View)
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.tenant_middleware"]
        assert ask(member, f"private-boards.{board.pk}").status_code == 200

    def test_are_throttled_as_a_get(self, member, board):
        class Never(ScopedRateThrottle):
            def allow_request(self, request, view):
                return False

            def wait(self):
                return None

        class View(views.BoardViewSet):
            throttle_classes = [Never]

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_with_a_dispatch_of_their_own_are_really_asked(self, member, board):
        class View(views.BoardViewSet):
            def dispatch(self, request, *args, **kwargs):
                return HttpResponseForbidden()

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    @pytest.mark.parametrize("status", [200, 403])
    def test_with_a_get_of_their_own_are_really_asked(self, member, board, status):
        class View(generics.RetrieveAPIView):
            queryset = Board.objects.all()
            serializer_class = BoardSerializer

            def get(self, request, *args, **kwargs):
                return Response(BoardSerializer(board).data, status=status)

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == status

    def test_know_how_the_user_was_authenticated(self, member, board):
        seen = []

        class View(views.BoardViewSet):
            def get_queryset(self):
                seen.append(type(self.request.successful_authenticator))
                return super().get_queryset()

        declare(View)
        ask(member, f"private-boards.{board.pk}")
        assert seen == [SessionAuthentication]

    def test_that_list_another_model_grant_nothing(self, member, board):
        class View(views.OpenBoardViewSet):
            def get_queryset(self):
                return User.objects.all()

        declare(View, "boards")
        assert ask(member, "private-boards").status_code == 403

    def test_authenticate_by_themselves(self, member, ada, board):
        class View(views.BoardViewSet):
            authentication_classes = [TokenAuthentication]

        declare(View)
        channel = f"private-boards.{board.pk}"
        assert ask(member, channel).status_code == 403  # the session is nobody there
        headers = {"Authorization": f"Token {Token.objects.create(user=ada).key}"}
        assert ask(Client(), channel, headers=headers).status_code == 200

    @pytest.mark.parametrize("opaque", [False, True])
    def test_with_a_session_do_not_take_the_user_of_a_token_for_one(self, ada, board, opaque):
        class View(views.BoardViewSet):
            authentication_classes = [SessionAuthentication]

            if opaque:

                def retrieve(self, request, pk):
                    return super().retrieve(request, pk)

        declare(View)
        headers = {"Authorization": f"Token {Token.objects.create(user=ada).key}"}
        channel = f"private-boards.{board.pk}"
        assert ask(Client(), channel, headers=headers).status_code == 403
        client = Client()
        client.force_login(ada)
        assert ask(client, channel).status_code == 200

    def test_with_a_session_want_its_csrf_token_although_a_get_needs_none(
        self, ada, board, monkeypatch
    ):
        monkeypatch.setattr(AuthorizationView, "authentication_classes", [TokenAuthentication])
        declare(views.BoardViewSet)
        client = Client(enforce_csrf_checks=True)
        client.force_login(ada)
        client.cookies["csrftoken"] = "x" * 32
        channel = f"private-boards.{board.pk}"
        assert ask(client, channel).status_code == 403
        assert ask(client, channel, headers={"X-CSRFToken": "x" * 32}).status_code == 200

    def test_of_another_model_are_a_mistake_that_the_log_tells_of(self, member, board, caplog):
        class Backend(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{slug}"]
            view_class = viewsets.ReadOnlyModelViewSet

        Backend.view_class = type(
            "Users", (viewsets.ReadOnlyModelViewSet,), {"queryset": User.objects.all()}
        )
        assert ask(member, f"private-boards.{board.slug}").status_code == 403
        assert "not about a User" in caplog.text


def tenant_middleware(get_response):
    def middleware(request):
        request.tenant = "plans"
        return get_response(request)

    return middleware


class TestInactive:
    def test_users_are_refused_whatever_let_them_through(self, ada, board):
        declare(views.BoardViewSet)
        client = APIClient()
        client.force_authenticate(ada)
        channel = f"private-boards.{board.pk}"
        assert ask(client, channel).status_code == 200
        ada.is_active = False
        assert ask(client, channel).status_code == 403


class TestListOfEverything:
    def test_is_granted_before_there_is_anything(self, client):
        declare(views.StaffBoardViewSet, "boards")
        client.force_login(User.objects.create_user("sam", is_staff=True))
        assert ask(client, "private-boards").status_code == 200

    def test_is_the_one_of_objects_that_a_foreign_key_leads_to(self, member, board, caplog):
        declare(views.OpenBoardViewSet, "tasks", serializer_class=TaskSerializer)
        assert ask(member, "private-tasks").status_code == 200

        class Tokens(viewsets.ReadOnlyModelViewSet):
            queryset = Token.objects.all()
            serializer_class = BoardSerializer
            permission_classes = ()

        declare(Tokens, "boards")
        assert ask(member, "private-boards").status_code == 403
        assert "no foreign key leads there" in caplog.text
        assert [each.id for each in check_channels()] == ["drf_model_pusher.E013"]

    @pytest.mark.parametrize(
        "narrow",
        [
            lambda queryset: queryset.filter(secret=False),
            lambda queryset: queryset[:1],
            lambda queryset: queryset.none(),
            lambda queryset: queryset.exclude(secret=True),
            lambda queryset: queryset.union(queryset),
            lambda queryset: queryset.order_by("slug").distinct("slug"),
            lambda queryset: queryset.extra(where=["0"]),
            lambda queryset: list(queryset),
        ],
    )
    def test_is_no_list_that_is_narrowed_in_any_way(self, member, narrow):
        class View(views.OpenBoardViewSet):
            def get_queryset(self):
                return narrow(Board.objects.all())

        declare(View, "boards")
        assert ask(member, "private-boards").status_code == 403

    def test_ends_as_soon_as_one_object_is_hidden(self, member, ada, board):
        declare(views.BoardViewSet, "owners.{owner_id}")
        channel = f"private-owners.{ada.pk}"
        assert ask(member, channel).status_code == 200
        Board.objects.create(owner=ada, slug="hidden", secret=True)
        assert ask(member, channel).status_code == 403

    def test_ends_so_though_no_manager_shows_what_is_hidden(self, member, ada, board, monkeypatch):
        hidden = Board.objects.create(owner=ada, slug="hidden", secret=True)

        class NotSecret(models.Manager):
            def get_queryset(self):
                return super().get_queryset().filter(secret=False)

        manager = NotSecret()
        manager.model = Board
        monkeypatch.setattr(Board._meta, "base_manager", manager)
        declare(views.BoardViewSet, "owners.{owner_id}")
        assert ask(member, f"private-owners.{ada.pk}").status_code == 403
        hidden.delete()
        assert ask(member, f"private-owners.{ada.pk}").status_code == 200


class TestListOfTheLatest:
    """Whether an object is shown depends on others that are there."""

    def test_shows_no_earlier_one_though_that_is_the_latest_of_its_own_name(
        self, member, ada, board
    ):
        class View(views.OpenBoardViewSet):
            def get_queryset(self):
                newest_first = Window(
                    RowNumber(), partition_by=F("owner_id"), order_by=F("pk").desc()
                )
                return Board.objects.annotate(place=newest_first).filter(place=1)

        declare(View, "slugs.{slug}")
        declare(View, "owners.{owner_id}")
        latest = Board.objects.create(owner=ada, slug="latest")
        assert ask(member, f"private-slugs.{latest.slug}").status_code == 200
        assert ask(member, f"private-slugs.{board.slug}").status_code == 403
        assert ask(member, f"private-owners.{ada.pk}").status_code == 403

    def test_is_no_list_of_objects_where_it_is_one_of_groups(self, member, board):
        class View(views.OpenBoardViewSet):
            def get_queryset(self):
                return Board.objects.values("owner").annotate(last=Max("slug"))

        declare(View, "slugs.{slug}")
        assert ask(member, f"private-slugs.{board.slug}").status_code == 403


class TestPermissionClasses:
    def test_of_two_backends_of_one_name_are_two_questions(self, member, board):
        declare(None, "open.{pk}", permission_classes=[])
        declare(None, "staff.{pk}", permission_classes=[permissions.IsAdminUser])
        names = [f"private-open.{board.pk}", f"private-staff.{board.pk}"]
        assert list(ask_all(member, *names).values()) == [200, 403]

    def test_are_asked_about_what_the_manager_shows_now(self, member, board, monkeypatch):
        shown = [board.pk]

        class OfTheTenant(models.Manager):
            def get_queryset(self):
                return super().get_queryset().filter(pk__in=shown)

        manager = OfTheTenant()
        manager.model = Board
        monkeypatch.setattr(Board._meta, "default_manager", manager)
        declare(permission_classes=[])
        channel = f"private-boards.{board.pk}"
        assert ask(member, channel).status_code == 200
        shown.clear()
        assert ask(member, channel).status_code == 403


@pytest.fixture
def route(settings):
    """Give the project routes of its own."""

    def route(*routes):
        urls = ModuleType("urls_of_the_test")
        urls.urlpatterns = [path("pusher/", include("drf_model_pusher.urls")), *routes]
        settings.ROOT_URLCONF = urls

    return route


class TestRoutes:
    @pytest.mark.parametrize(("actions", "status"), [("retrieve", 403), ("list", 200)])
    def test_a_list_that_no_url_leads_to_lets_nobody_in(
        self, member, board, route, actions, status
    ):
        class BoardViewSet(views.BoardViewSet):
            pass

        declare(BoardViewSet, "boards.all", channels=["boards.all"])
        route(path("boards/", BoardViewSet.as_view({"get": actions})))
        assert ask(member, "private-boards.all").status_code == status

    @pytest.mark.parametrize(
        "arguments",
        [
            {"permission_classes": [permissions.IsAdminUser]},
            {"queryset": Board.objects.none()},
            {"filter_backends": [StaffOnly]},
            {"lookup_field": "slug"},
        ],
    )
    def test_what_a_url_gives_to_as_view_counts(self, member, board, route, arguments):
        class View(views.OpenBoardViewSet):
            pass

        declare(View)
        declare(View, "boards")
        one, many = View.as_view({"get": "retrieve"}), View.as_view({"get": "list"})
        route(path("b/<pk>/", one), path("b/", many))
        names = [f"private-boards.{board.pk}", "private-boards"]
        assert set(ask_all(member, *names).values()) == {200}
        one = View.as_view({"get": "retrieve"}, **arguments)
        many = View.as_view({"get": "list"}, **arguments)
        route(
            path("b/<slug>/" if "lookup_field" in arguments else "b/<pk>/", one), path("b/", many)
        )
        gets = [
            member.get(f"/b/{board.slug if 'lookup_field' in arguments else board.pk}/"),
            member.get("/b/"),
        ]
        shown = [get.status_code == 200 and get.json() != [] for get in gets]
        assert [each == 200 for each in ask_all(member, *names).values()] == shown

    def test_that_counts_for_other_views_as_well(self, member, board, route):
        declare(views.BoardBySlugView)
        view = views.BoardBySlugView.as_view(permission_classes=[permissions.IsAdminUser])
        route(path("<board>/", view))
        assert member.get(f"/{board.slug}/").status_code == 403
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_all_urls_that_hold_the_fields_have_to_grant(self, member, board, route):
        class View(views.OpenBoardViewSet):
            pass

        declare(View)
        strict = View.as_view({"get": "retrieve"}, permission_classes=[permissions.IsAdminUser])
        route(path("b/<pk>/", View.as_view({"get": "retrieve"})), path("staff/<pk>/", strict))
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_what_the_urlconf_puts_around_a_view_counts(self, member, ada, board, route):
        class View(views.OpenBoardViewSet):
            pass

        staff_only = user_passes_test(lambda user: user.is_staff, login_url="/login/")

        @method_decorator(staff_only, name="dispatch")
        class StaffView(views.OpenBoardViewSet):
            pass

        declare(View)
        route(path("b/<pk>/", staff_only(View.as_view({"get": "retrieve"}))))
        assert member.get(f"/b/{board.pk}/").status_code == 302
        assert ask(member, f"private-boards.{board.pk}").status_code == 403
        User.objects.filter(pk=ada.pk).update(is_staff=True)
        assert ask(member, f"private-boards.{board.pk}").status_code == 200
        User.objects.filter(pk=ada.pk).update(is_staff=False)
        declare(StaffView, "staff.{pk}")
        route(path("b/<pk>/", StaffView.as_view({"get": "retrieve"})))
        assert ask(member, f"private-staff.{board.pk}").status_code == 403
        User.objects.filter(pk=ada.pk).update(is_staff=True)
        assert ask(member, f"private-staff.{board.pk}").status_code == 200

    @pytest.mark.parametrize(("pattern", "status"), [("[0-9]+", 200), ("[0-9]{40}", 403)])
    def test_what_no_url_of_a_router_can_hold_lets_nobody_in(
        self, member, board, route, pattern, status
    ):
        class View(views.OpenBoardViewSet):
            lookup_value_regex = pattern

        router = SimpleRouter()
        router.register("b", View)
        route(*router.urls)
        declare(View)
        assert member.get(f"/b/{board.pk}/").status_code == (200 if status == 200 else 404)
        assert ask(member, f"private-boards.{board.pk}").status_code == status

    def test_what_no_path_can_hold_lets_nobody_in(self, member, board, route):
        for converter, status in (("int", 200), ("uuid", 403), ("str", 200)):
            view = views.OpenBoardViewSet.as_view({"get": "retrieve"})
            route(path(f"b/<{converter}:pk>/", view))
            declare(views.OpenBoardViewSet)
            assert member.get(f"/b/{board.pk}/").status_code == (200 if status == 200 else 404)
            assert ask(member, f"private-boards.{board.pk}").status_code == status

    def test_a_nested_view_is_not_asked_without_what_its_url_holds(self, member, board, route):
        class IsMember(permissions.BasePermission):
            def has_permission(self, request, view):
                return view.kwargs.get("team_pk") != "7"

        class View(views.OpenBoardViewSet):
            permission_classes = [IsMember]

        router = SimpleRouter()
        router.register("boards", View)
        route(path("<version>/teams/<team_pk>/", include(router.urls)))
        declare(View)
        declare(View, "boards")
        declare(
            View, "in.{pk}", get_view_kwargs=lambda self, **fields: {"team_pk": "7", "version": "1"}
        )
        declare(
            View, "of.{pk}", get_view_kwargs=lambda self, **fields: {"team_pk": "8", "version": "1"}
        )
        assert (
            ask_all(member, *(f"private-{each}.{board.pk}" for each in ("boards", "in", "of")))[
                f"private-of.{board.pk}"
            ]
            == 200
        )
        for name in (f"boards.{board.pk}", "boards", f"in.{board.pk}"):
            assert ask(member, f"private-{name}").status_code == 403

    def test_a_view_knows_the_name_that_its_router_gave_it(self, member, board, route):
        class View(views.OpenBoardViewSet):
            def get_queryset(self):
                return (
                    Board.objects.none() if self.basename == "archive" else super().get_queryset()
                )

        for name, status in (("boards", 200), ("archive", 403)):
            router = SimpleRouter()
            router.register("b", View, name)
            route(*router.urls)
            declare(View)
            assert ask(member, f"private-boards.{board.pk}").status_code == status
