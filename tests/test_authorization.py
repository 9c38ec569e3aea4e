"""The endpoints: what they take, what they answer, and what becomes of attacks."""

import json

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponseForbidden
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from rest_framework import generics, permissions, serializers, viewsets
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.throttling import ScopedRateThrottle

from drf_model_pusher.authorization import Doorkeeper
from drf_model_pusher.backends import (
    EncryptedPusherBackend,
    PresencePusherBackend,
    PrivatePusherBackend,
    PusherBackend,
)
from drf_model_pusher.exceptions import DeclarationError, InvalidUserError
from drf_model_pusher.signing import sign_channel, sign_user
from drf_model_pusher.views import AuthorizationView, UserAuthenticationView
from tests.boards import views
from tests.boards.models import Board
from tests.boards.serializers import BoardSerializer

KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_registry", "project")]


@pytest.fixture
def project(settings):
    settings.ROOT_URLCONF = "tests.urls_of_boards"
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]


@pytest.fixture
def ada():
    return User.objects.create_user("ada", first_name="Ada", last_name="Lovelace")


@pytest.fixture
def board(ada):
    return Board.objects.create(owner=ada, slug="plans")


@pytest.fixture
def member(client, ada):
    client.force_login(ada)
    return client


@pytest.fixture
def boards(own_registry):
    class Boards(PrivatePusherBackend):
        serializer_class = BoardSerializer
        channels = ["boards.{pk}"]
        view_class = views.BoardViewSet

    return Boards


def auth_of(channel, socket_id="1.2", channel_data=None):
    return sign_channel(
        KEY, SECRET, socket_id=socket_id, channel=channel, channel_data=channel_data
    )


def ask(client, channel, socket_id="1.2", **more):
    data = {"socket_id": socket_id, "channel_name": channel}
    return client.post("/pusher/auth", data, **more)


@pytest.mark.usefixtures("boards")
class TestRequest:
    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "application/x-www-form-urlencoded",
            MULTIPART_CONTENT,
        ],
    )
    def test_is_a_form_or_json(self, member, board, content_type):
        channel = f"private-boards.{board.pk}"
        data = {"socket_id": "1.2", "channel_name": channel}
        if "urlencoded" in content_type:
            data = f"socket_id=1.2&channel_name={channel}"
        answer = member.post("/pusher/auth", data, content_type=content_type)
        assert (answer.status_code, answer.json()) == (200, {"auth": auth_of(channel)})

    @pytest.mark.parametrize(
        "socket_id",
        [
            "",
            "1",
            "1.1:presence-x",
            "1.1::user",
            "1.1 ",
            "1.1\n",
            "٣.٣",
            "1" * 99 + ".1",
            "-1.1",
            None,
        ],
    )
    def test_with_a_malformed_socket_id_gets_400(self, member, board, socket_id):
        data = {"socket_id": socket_id, "channel_name": f"private-boards.{board.pk}"}
        answer = member.post("/pusher/auth", data, content_type="application/json")
        assert answer.status_code == 400
        assert "auth" not in answer.json()

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{",
            b'"text"',
            b'{"socket_id": "1.2"}',
            b'{"socket_id": "1.2", "channel_name": 7}',
            b'{"socket_id": "1.2", "channel_name": {"a": "b"}}',
            b'{"socket_id": "1.2", "channel_name": [7]}',
            b'{"socket_id": "1.2", "channel_name": []}',
            b'{"socket_id": ["1.2"], "channel_name": "private-a"}',
            b'{"socket_id": "1.2", "channel_name": '
            + json.dumps(["private-a"] * 101).encode()
            + b"}",
            b"[" * 100_000,
        ],
    )
    def test_of_another_shape_gets_400(self, member, body):
        assert member.post("/pusher/auth", body, content_type="application/json").status_code == 400

    @pytest.mark.parametrize(
        "channel",
        [
            "boards.1",
            "#server-to-user-1",
            "private-boards.1:x",
            "private-",
            "a b",
            "private-\ud800",
            "x" * 165,
        ],
    )
    def test_for_a_name_that_is_never_signed_gets_403(self, member, channel):
        body = {"socket_id": "1.2", "channel_name": channel}
        answer = member.post("/pusher/auth", json.dumps(body), content_type="application/json")
        assert answer.status_code == 403

    @pytest.mark.parametrize("method", ["get", "put", "delete"])
    def test_of_another_method_gets_405(self, member, method):
        assert getattr(member, method)("/pusher/auth").status_code == 405

    def test_needs_the_csrf_token_with_a_session(self, ada, board):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ada)
        client.cookies["csrftoken"] = "x" * 32
        channel = f"private-boards.{board.pk}"
        assert ask(client, channel).status_code == 403
        assert ask(client, channel, headers={"X-CSRFToken": "x" * 32}).status_code == 200

    def test_needs_none_with_a_token(self, ada, board):
        client = Client(enforce_csrf_checks=True)
        headers = {"Authorization": f"Token {Token.objects.create(user=ada).key}"}
        channel = f"private-boards.{board.pk}"
        assert ask(client, channel, headers=headers).status_code == 200
        wrong = {"Authorization": "Token nonsense"}
        assert ask(client, channel, headers=wrong).status_code == 403

    @pytest.mark.parametrize("accept", ["text/html", "image/png", "*/*", "nonsense"])
    def test_is_answered_in_json_whatever_a_browser_likes_best(self, member, board, accept):
        answer = ask(member, f"private-boards.{board.pk}", headers={"Accept": accept})
        if accept in ("text/html", "*/*"):  # what the view could answer itself
            assert answer.status_code == 200
        assert answer["Content-Type"] == "application/json"

    def test_is_not_subject_to_what_the_project_chose_for_its_api(self):
        for view in (AuthorizationView, UserAuthenticationView):
            assert view.permission_classes == (permissions.AllowAny,)
            assert view.versioning_class is None

    def test_is_throttled_where_the_project_says_so(self, member, board, settings, monkeypatch):
        class Once(ScopedRateThrottle):
            THROTTLE_RATES = {"pusher": "1/day"}

        monkeypatch.setattr(AuthorizationView, "throttle_classes", [Once])
        answers = [ask(member, f"private-boards.{board.pk}").status_code for _ in range(2)]
        assert answers == [200, 429]


@pytest.mark.usefixtures("boards")
class TestSeveralChannels:
    def test_are_answered_each_as_pusher_js_auth_expects(self, member, board):
        name = f"private-boards.{board.pk}"
        body = f"socket_id=1.2&channel_name[0]={name}&channel_name[1]=private-boards.999"
        answer = member.post(
            "/pusher/auth", body, content_type="application/x-www-form-urlencoded"
        ).json()
        assert answer["1.2"][name] == {"status": 200, "data": {"auth": auth_of(name)}}
        assert answer["1.2"]["private-boards.999"]["status"] == 403
        assert set(answer["1.2"]) == {name, "private-boards.999"}

    @pytest.mark.parametrize("form", ["channel_name[0]={0}", "channel_name[]={0}",
                                      "channel_name={0}&channel_name={0}"])  # fmt: skip
    def test_come_in_brackets_or_repeated(self, member, board, form):
        name = f"private-boards.{board.pk}"
        body = "socket_id=1.2&" + form.format(name)
        answer = member.post("/pusher/auth", body, content_type="application/x-www-form-urlencoded")
        assert answer.json()["1.2"][name]["status"] == 200

    def test_come_as_a_list_in_json(self, member, board):
        name = f"private-boards.{board.pk}"
        data = {"socket_id": "1.2", "channel_name": [name, "boards", "a b", "\ud800"]}
        answer = member.post("/pusher/auth", json.dumps(data), content_type="application/json")
        statuses = {name: each["status"] for name, each in answer.json()["1.2"].items()}
        assert statuses == {name: 200, "boards": 403}

    def test_an_index_beyond_reason_is_no_index(self, member):
        body = f"socket_id=1.2&channel_name[{'9' * 5000}]=private-a"
        answer = member.post("/pusher/auth", body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 400

    def test_of_one_rule_are_one_question(self, member, board, django_assert_num_queries):
        class Tasks(PresencePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]
            view_class = views.BoardViewSet

        names = [f"private-boards.{board.pk}", f"presence-boards.{board.pk}"]
        data = {"socket_id": "1.2", "channel_name": names}
        with django_assert_num_queries(3):  # session, user, board
            member.post("/pusher/auth", json.dumps(data), content_type="application/json")


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


def declare(view, channel="boards.{pk}", **attributes):
    attributes = {
        "serializer_class": BoardSerializer,
        "channels": [channel],
        "view_class": view,
    } | attributes
    return type("Boards", (PrivatePusherBackend,), attributes)


class TestViews:
    """What a view asks in places of its own counts as well."""

    def test_get_object_of_its_own(self, member, board):
        class View(views.BoardViewSet):
            def get_object(self):
                return generics.get_object_or_404(Board, slug="no " + self.kwargs["pk"])

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

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
                return Response(status=status)

        declare(View)
        answer = ask(member, f"private-boards.{board.pk}").status_code
        assert answer == (200 if status == 200 else 403)

    def test_a_cached_answer_to_one_is_none_to_another(self, member, board):
        class View(views.OpenBoardViewSet):
            permission_classes = [permissions.IsAuthenticated]

            @method_decorator(cache_page(60))
            def retrieve(self, request, pk):
                return Response(status=200 if pk == str(board.pk) else 404)

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

    def test_are_not_throttled_as_a_get(self, member, board):
        class Never(ScopedRateThrottle):
            def allow_request(self, request, view):
                return False

            def wait(self):
                return None

        class View(views.BoardViewSet):
            throttle_classes = [Never]

        declare(View)
        assert ask(member, f"private-boards.{board.pk}").status_code == 200

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
                return Response(status=status)

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

    def test_of_another_model_are_a_loud_mistake(self, member, board):
        class Backend(PrivatePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{slug}"]
            view_class = viewsets.ReadOnlyModelViewSet

        Backend.view_class = type(
            "Users", (viewsets.ReadOnlyModelViewSet,), {"queryset": User.objects.all()}
        )
        with pytest.raises(DeclarationError, match="not about a User"):
            ask(member, f"private-boards.{board.slug}")


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


class TestPresence:
    @pytest.fixture
    def backend(self, own_registry):
        class Boards(PresencePusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]
            view_class = views.BoardViewSet

        return Boards

    def test_tells_key_and_name_of_the_user(self, member, board, backend, ada):
        channel = f"presence-boards.{board.pk}"
        answer = ask(member, channel).json()
        assert json.loads(answer["channel_data"]) == {
            "user_id": str(ada.pk),
            "user_info": {"name": "Ada Lovelace"},
        }
        assert answer["auth"] == auth_of(channel, channel_data=answer["channel_data"])

    def test_tells_what_a_serializer_renders(self, member, board, backend):
        class Initials(serializers.ModelSerializer):
            class Meta:
                model = User
                fields = ["first_name"]

        backend.user_info_serializer_class = Initials
        answer = ask(member, f"presence-boards.{board.pk}").json()
        assert json.loads(answer["channel_data"])["user_info"] == {"first_name": "Ada"}

    @pytest.mark.parametrize(
        ("data", "match"),
        [
            ({"user_id": "x" * 129}, "128"),
            ({"user_id": 7}, "text"),
            ({"user_id": ""}, "text"),
            ({}, "user_id"),
            (None, "user_id"),
            ({"user_id": "7", "user_info": {"name": "é" * 510}}, "1,024"),
        ],
    )
    def test_of_what_pusher_refuses_is_an_error_that_names_the_method(
        self, member, board, backend, data, match
    ):
        backend.get_presence_data = lambda self, request: data
        with pytest.raises(InvalidUserError, match=rf"Boards\.get_presence_data\(\).*{match}"):
            ask(member, f"presence-boards.{board.pk}")

    def test_takes_the_most_that_pusher_takes(self, member, board, backend):
        data = {"user_id": "x" * 128, "user_info": {"name": ""}}
        size = len(json.dumps(data, separators=(",", ":")))
        data["user_info"]["name"] = "x" * (1024 - size)
        backend.get_presence_data = lambda self, request: data
        assert ask(member, f"presence-boards.{board.pk}").status_code == 200

    def test_is_of_the_user_whom_the_view_knows(self, ada, board, backend, monkeypatch):
        class View(views.BoardViewSet):
            authentication_classes = [TokenAuthentication]

        backend.view_class = View
        client = Client()
        client.force_login(User.objects.create_user("bo"))
        headers = {"Authorization": f"Token {Token.objects.create(user=ada).key}"}
        answer = ask(client, f"presence-boards.{board.pk}", headers=headers).json()
        assert json.loads(answer["channel_data"])["user_id"] == str(ada.pk)


class TestSignIn:
    def sign_in(self, client, socket_id="1.2"):
        return client.post("/pusher/user-auth", {"socket_id": socket_id})

    def test_tells_key_and_name_of_the_user(self, member, ada):
        answer = self.sign_in(member).json()
        data = json.loads(answer["user_data"])
        assert data == {"id": str(ada.pk), "user_info": {"name": "Ada Lovelace"}}
        assert answer["auth"] == sign_user(
            KEY, SECRET, socket_id="1.2", user_data=answer["user_data"]
        )

    def test_has_hooks_for_user_info_and_watchlist(self, member, monkeypatch):
        view = UserAuthenticationView
        monkeypatch.setattr(view, "get_user_info", lambda self, request: {"x": 1})
        monkeypatch.setattr(view, "get_watchlist", lambda self, request: [7, "8"])
        data = json.loads(self.sign_in(member).json()["user_data"])
        assert (data["user_info"], data["watchlist"]) == ({"x": 1}, ["7", "8"])

    def test_is_not_for_anybody(self, client):
        assert self.sign_in(client).status_code == 403

    def test_is_not_for_the_inactive(self, ada):
        client = APIClient()
        ada.is_active = False
        client.force_authenticate(ada)
        assert self.sign_in(client).status_code == 403

    @pytest.mark.parametrize("socket_id", ["", "1.1:presence-x", "1.1::user", "1.1\n"])
    def test_with_a_malformed_socket_id_gets_400(self, member, socket_id):
        assert self.sign_in(member, socket_id).status_code == 400

    def test_needs_the_csrf_token_with_a_session(self, ada):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ada)
        assert self.sign_in(client).status_code == 403


class TestKinds:
    def test_a_public_backend_is_never_asked(self, member, board):
        class Boards(PusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]
            permission_classes = []

        assert ask(member, f"boards.{board.pk}").status_code == 403
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_an_encrypted_channel_needs_the_master_key(self, member, board):
        class Boards(EncryptedPusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]
            view_class = views.BoardViewSet

        with pytest.raises(DeclarationError, match="PUSHER_ENCRYPTION_MASTER_KEY_BASE64"):
            ask(member, f"private-encrypted-boards.{board.pk}")

    def test_a_cache_channel_is_asked_for_by_its_full_name_only(self, member, board):
        declare(views.BoardViewSet, cache=True)
        assert ask(member, f"private-cache-boards.{board.pk}").status_code == 200
        assert ask(member, f"private-boards.{board.pk}").status_code == 403


class TestDoorkeeper:
    def test_checks_the_socket_id_itself(self, rf, board):
        with pytest.raises(Exception, match="malformed"):
            Doorkeeper(rf.post("/")).admit("1.1:presence-x", "private-a")
