"""Ways to route a view, rules, users, targets and spellings: a subscription is what GET says.

By default a part of the cells is asked; with HYPOTHESIS_PROFILE=thorough each of them.
"""

import functools
import os
import random
from itertools import product
from types import ModuleType

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponseForbidden
from django.test import Client
from django.urls import include, path, re_path, register_converter
from django.urls.converters import get_converters
from rest_framework import generics, permissions, viewsets
from rest_framework.authtoken.models import Token
from rest_framework.decorators import api_view
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.throttling import BaseThrottle
from rest_framework.urlpatterns import format_suffix_patterns
from rest_framework.views import APIView

from tests.authorization.asking import ask, declare
from tests.boards.models import Board, Task
from tests.boards.serializers import BoardSerializer, TaskSerializer
from tests.boards.views import IsReader, boards_of

ALL = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
PART = 0.25


class HexConverter:
    regex = "x[0-9a-f]+"

    def to_python(self, value):
        return int(value[1:], 16)

    def to_url(self, value):
        return f"x{value:x}"  # takes numbers only


if "hex" not in get_converters():
    register_converter(HexConverter, "hex")


class Boards(viewsets.ReadOnlyModelViewSet):
    """Everybody may GET, unless what the URL gives says otherwise."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer
    permission_classes = ()
    only_of = None

    def get_queryset(self):
        boards = super().get_queryset()
        only = self.kwargs.get("only_of") or self.only_of
        if only:
            boards = boards.filter(owner__username=only)
        if type(self.kwargs.get("pk")) is int:  # which a converter makes it
            boards = boards.exclude(slug="for-texts")
        if self.basename == "archive":
            boards = boards.exclude(slug="other")
        return boards


class IsAda(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.user.username == "ada"


class IsBo(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.user.username == "bo"


class IsGet(permissions.BasePermission):
    """The method and the body of the request for authorization are not those of the GET."""

    def has_permission(self, request, view):
        return request.method == "GET" and not request.data and not request.query_params


class AdasTurn(BaseThrottle):
    def allow_request(self, request, view):
        return request.user.username == "ada"

    def wait(self):
        return None


class OfUser:
    def get_queryset(self):
        own = boards_of(self.request.user).values("pk")
        return super().get_queryset().filter(pk__in=own)


class ByAction:
    def get_permissions(self):
        return [IsAda()] if self.action == "retrieve" else [permissions.AllowAny()]


class Impersonating:
    """Whoever is bo is ada here."""

    def initialize_request(self, request, *args, **kwargs):
        request = super().initialize_request(request, *args, **kwargs)
        if request.user.username == "bo":
            request.user = User.objects.get(username="ada")
        return request

    def get_queryset(self):
        own = boards_of(self.request.user).values("pk")
        return super().get_queryset().filter(pk__in=own)


class Refusing:
    def retrieve(self, request, *args, **kwargs):
        response = super().retrieve(request, *args, **kwargs)
        if response.data["slug"] == "other":
            raise PermissionDenied
        return response


class Enveloping:
    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        response.data = {"code": response.status_code, "data": response.data}
        return response


RULES = {
    "open": {},
    "queryset": (OfUser,),
    "object permission": {"permission_classes": [IsReader]},
    "and": {"permission_classes": [permissions.IsAuthenticated & IsReader]},
    "or": {"permission_classes": [IsAda | IsReader]},
    "not": {"permission_classes": [~IsAda]},
    "by action": (ByAction,),
    "by method": {"permission_classes": [IsGet]},
    "throttle": {"throttle_classes": [AdasTurn]},
    "impersonation": (Impersonating,),
    "retrieve": (Refusing,),
    "envelope": (Enveloping, OfUser),
    "staff": {"permission_classes": [permissions.IsAdminUser]},
}


def view_of(rule):
    bases = rule if isinstance(rule, tuple) else ()
    return type("Boards", (*bases, Boards), {} if bases else dict(rule))


# Wrappers: each lets ada through and nobody else.


def refuse():
    return HttpResponseForbidden()


def with_wraps(view):
    @functools.wraps(view)
    def wrapper(request, *args, **kwargs):
        return view(request, *args, **kwargs) if request.user.username == "ada" else refuse()

    return wrapper


def without_wraps(view):
    def wrapper(request, *args, **kwargs):
        return view(request, *args, **kwargs) if request.user.username == "ada" else refuse()

    return wrapper


def copying_cls(view):
    wrapper = without_wraps(view)
    wrapper.cls = view.cls
    return wrapper


class Wrapper:
    def __init__(self, view):
        self.view = view

    def __call__(self, request, *args, **kwargs):
        return without_wraps(self.view)(request, *args, **kwargs)


def through(view, request, *args, **kwargs):
    return without_wraps(view)(request, *args, **kwargs)


def partially(view):
    return functools.partial(through, view)


def instead(view):
    """Answers in the view's place, with objects."""
    other = Boards.as_view({"get": "retrieve"})

    @functools.wraps(view)
    def wrapper(request, *args, **kwargs):
        return other(request, *args, **kwargs) if "pk" in kwargs else view(request)

    return wrapper


WRAPPERS = [with_wraps, without_wraps, copying_cls, Wrapper, partially]


# Ways to route a view: its patterns, and what the backend says besides.


def pair(view, converter="int", wrap=lambda view: view, extra=None, **options):
    one = wrap(view.as_view({"get": "retrieve"}, **options))
    many = wrap(view.as_view({"get": "list"}, **options))
    return [path(f"b/<{converter}:pk>/", one, extra), path("b/", many, extra)]


def by_regex(view):
    one, many = (view.as_view({"get": each}) for each in ("retrieve", "list"))
    return [re_path(r"^b/(?P<pk>[0-9]+)/$", one), re_path(r"^b/$", many)]


def by_router(view, basename="board"):
    router = SimpleRouter()
    router.register("b", view, basename)
    return router.urls


def nested(view):
    one, many = (view.as_view({"get": each}) for each in ("retrieve", "list"))
    return [path("of/<int:team>/b/<pk>/", one), path("of/<int:team>/b/", many)]


def twice(view):
    """By two URLs, of which one is for ada."""
    return [*pair(view), path("staff/", include(pair(view, wrap=with_wraps)))]


WIRINGS = {
    **{f"converter {name}": functools.partial(pair, converter=name)
       for name in ("int", "str", "slug", "hex")},
    **{f"wrapper {wrap.__name__}": functools.partial(pair, wrap=wrap) for wrap in WRAPPERS},
    "extra options": functools.partial(pair, extra={"only_of": "ada"}),
    "options of include": lambda view: [path("", include(pair(view)), {"only_of": "ada"})],
    "as_view arguments": functools.partial(pair, only_of="ada"),
    "regular expression": by_regex,
    "router": by_router,
    "basename": functools.partial(by_router, basename="archive"),
    "namespace": lambda view: [path("in/", include((by_router(view), "app"), namespace="ns"))],
    "two namespaces": lambda view: [
        path("a/", include(([path("b/", include((by_router(view), "y")))], "x")))
    ],
    "suffixes": lambda view: format_suffix_patterns(pair(view)),
    "nested": nested,
    "two URLs": twice,
    "tenant": pair,
}  # fmt: skip
MORE = {"nested": {"get_view_kwargs": lambda self, **fields: {"team": 7}}}
PLACES = {"namespace": "/in", "two namespaces": "/a/b", "nested": "/of/7"}

SPELLINGS = {
    "leading zero": "0{}", "underscore": "{}_0", "capitals": "X{}", "Arabic digits": "٣",
    "percent": "%3{}", "newline": "{}\n", "space": "{} ", "plus": "+{}", "dot": "{}.",
    "minus": "-{}",
}  # fmt: skip


def tenant_middleware(get_response):
    def middleware(request):
        request.urlconf = TENANT
        return get_response(request)

    return middleware


TENANT = ModuleType("urls_of_a_tenant")


@pytest.fixture
def world(settings):
    ada, bo = (User.objects.create_user(name) for name in ("ada", "bo"))
    boards = [
        Board.objects.create(owner=owner, slug=slug)
        for owner, slug in ((ada, "own"), (bo, "other"), (ada, "for-texts"))
    ]
    boards[1].members.add(ada)
    boards.append(Board(pk=999, slug="absent"))
    for board in boards[:3]:
        Task.objects.create(board=board)
    clients = {"anonymous": Client()}
    for user in (ada, bo):
        clients[f"session of {user}"] = Client()
        clients[f"session of {user}"].force_login(user)
        headers = {"Authorization": f"Token {Token.objects.create(user=user).key}"}
        clients[f"token of {user}"] = Client(headers=headers)
    return boards, clients


def use(settings, wiring, patterns):
    urls = ModuleType(f"urls {random.random()}")
    urls.urlpatterns = [path("pusher/", include("drf_model_pusher.urls")), *patterns]
    settings.ROOT_URLCONF = urls
    if wiring == "tenant":
        TENANT.urlpatterns, urls.urlpatterns = urls.urlpatterns, []
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.tenant_middleware"]
        from django.urls import clear_url_caches

        clear_url_caches()


def is_shown(answer, board):
    """Whether a list says that a board is there."""
    if answer.status_code != 200:
        return False
    data = answer.json()
    data = data["data"] if isinstance(data, dict) else data
    return any(each["id"] == board.pk for each in data)


def check(client, channel, expected, why):
    assert ask(client, channel).status_code == (200 if expected else 403), why


CELLS = list(product(WIRINGS, RULES))


@pytest.mark.parametrize(("wiring", "rule"), CELLS if ALL else random.Random(1).sample(CELLS, 90))
def test_a_subscription_is_what_get_says(wiring, rule, world, settings):
    boards, clients = world
    view = view_of(RULES[rule])
    use(settings, wiring, WIRINGS[wiring](view))
    more = MORE.get(wiring, {})
    declare(view, "one.{pk}", **more)
    declare(view, "parent.{board_id}", serializer_class=TaskSerializer, **more)
    declare(view, "list.{slug}", **more)
    place = PLACES.get(wiring, "")
    dice = random.Random(f"{wiring} {rule}")
    for (name, client), board in ((c, b) for c in clients.items() for b in boards):
        if not ALL and dice.random() > PART:
            continue
        key = f"x{board.pk:x}" if wiring == "converter hex" else board.pk
        got = client.get(f"{place}/b/{key}/").status_code == 200
        if wiring == "two URLs":
            got = got and client.get(f"/staff/b/{key}/").status_code == 200
        why = (name, board.slug)
        check(client, f"private-one.{board.pk}", got, why)
        check(client, f"private-parent.{board.pk}", got, why)
        shown = is_shown(client.get(f"{place}/b/"), board)
        if wiring == "two URLs":
            shown = shown and is_shown(client.get("/staff/b/"), board)
        # Who sees a list of all there is may hear of what is yet to come: in no cell of GET's.
        if board.slug != "absent":
            check(client, f"private-list.{board.slug}", shown, why)
        few = dice.sample(list(SPELLINGS.values()), 1)
        for spelling in SPELLINGS.values() if ALL else few:
            check(client, "private-one." + spelling.format(board.pk), False, spelling)


@pytest.mark.parametrize("rule", ["open", "queryset", "or"])
def test_what_answers_in_the_place_of_a_view_grants_nothing(rule, world, settings):
    boards, clients = world
    view = view_of(RULES[rule])
    use(settings, "instead", pair(view, wrap=instead))
    declare(view, "one.{pk}")
    for client in clients.values():
        check(client, f"private-one.{boards[0].pk}", False, rule)


@api_view(["GET"])
def function(request, board):
    found = generics.get_object_or_404(boards_of(request.user), pk=board)
    return Response(BoardSerializer(found).data)


class Plain(APIView):
    def get(self, request, board):
        found = generics.get_object_or_404(boards_of(request.user), pk=board)
        return Response({"code": 0, "board": BoardSerializer(found).data})


@pytest.mark.parametrize("callback", [function, with_wraps(function), Plain.as_view()])
@pytest.mark.parametrize("namespace", [None, "app"])
def test_a_function_is_found_by_its_name(callback, namespace, world, settings):
    boards, clients = world
    patterns = [path("f/<int:board>/", callback, name="board")]
    use(settings, "name", [path("", include((patterns, namespace) if namespace else patterns))])
    named = {
        "view_name": f"{namespace}:board" if namespace else "board",
        "get_view_kwargs": lambda self, **fields: {"board": next(iter(fields.values()))},
    }
    declare(None, "one.{pk}", **named)
    declare(None, "parent.{board_id}", serializer_class=TaskSerializer, **named)
    declare(None, "slug.{slug}", **named | {
        "get_view_kwargs": lambda self, slug: {"board": Board.objects.get(slug=slug).pk}
    })  # fmt: skip
    for (name, client), board in ((c, b) for c in clients.items() for b in boards):
        got = client.get(f"/f/{board.pk}/").status_code == 200
        for channel in ("one.{0.pk}", "parent.{0.pk}", "slug.{0.slug}"):
            check(client, "private-" + channel.format(board), got, name)
        for spelling in SPELLINGS.values():
            check(client, "private-one." + spelling.format(board.pk), False, spelling)


def test_my_own_objects_are_on_one_channel(world, settings):
    """With a URL that says nothing of whom it is about."""

    class Me(generics.RetrieveAPIView):
        queryset = User.objects.all()
        permission_classes = [permissions.IsAuthenticated]
        serializer_class = type("Mine", (BoardSerializer,), {"Meta": type(
            "Meta", (), {"model": User, "fields": ["id"]})})  # fmt: skip

        def get_object(self):
            return self.request.user

    _, clients = world
    use(settings, "me", [path("me/", Me.as_view(), name="me")])
    declare(None, "users.{owner_id}.boards", view_name="me")
    declare(Me, "u.{owner_id}.boards")
    ada, bo = User.objects.order_by("username")
    for user, other in ((ada, bo), (bo, ada)):
        for client in (clients[f"session of {user}"], clients[f"token of {user}"]):
            for name in ("users", "u"):
                check(client, f"private-{name}.{user.pk}.boards", True, user)
                check(client, f"private-{name}.{other.pk}.boards", False, user)
    check(clients["anonymous"], f"private-users.{ada.pk}.boards", False, "anonymous")


def test_a_view_without_a_url_grants_nothing(world, settings):
    boards, clients = world
    use(settings, "none", [])
    declare(view_of({}), "one.{pk}")
    declare(None, "two.{pk}", view_name="nowhere")
    for name in ("one", "two"):
        check(clients["session of ada"], f"private-{name}.{boards[0].pk}", False, name)
    settings.DEBUG = True
    detail = ask(clients["session of ada"], f"private-one.{boards[0].pk}").json()["detail"]
    assert "no URL leads to Boards.retrieve()" in detail


def test_a_route_that_comes_first_answers_for_what_it_takes(world, settings):
    boards, clients = world
    view = view_of({})
    first = path(f"b/{boards[0].pk}/", Boards.as_view({"get": "retrieve"}), {"pk": boards[0].pk})
    use(settings, "first", [first, *pair(view)])
    declare(view, "one.{pk}")
    check(clients["session of ada"], f"private-one.{boards[0].pk}", False, "shadowed")
    check(clients["session of ada"], f"private-one.{boards[1].pk}", True, "not shadowed")


def test_a_uuid_has_one_spelling(world, settings):
    class Tasks(viewsets.ReadOnlyModelViewSet):
        serializer_class = TaskSerializer

        def get_queryset(self):
            board = Board.objects.get(pk=self.kwargs["board_id"])
            return Task.objects.filter(board__in=boards_of(self.request.user), board=board)

    boards, clients = world
    router = SimpleRouter()
    router.register(r"b/(?P<board_id>[0-9]+)/tasks", Tasks, "task")
    one = Tasks.as_view({"get": "retrieve"})
    for patterns in (router.urls, [path("b/<int:board_id>/tasks/<uuid:pk>/", one)]):
        use(settings, "uuid", patterns)
        declare(Tasks, "b.{board_id}.t.{pk}", serializer_class=TaskSerializer)
        for task in Task.objects.all():
            client = clients["session of bo"]
            for board in boards[:2]:
                url = f"/b/{board.pk}/tasks/{task.pk}/"
                got = client.get(url).status_code == 200
                check(client, f"private-b.{board.pk}.t.{task.pk}", got, url)
            for text in (str(task.pk).upper(), task.pk.hex, f"{{{task.pk}}}"):
                check(client, f"private-b.{task.board_id}.t.{text}", False, text)


def test_a_look_up_that_others_share_grants_nothing(world, settings):
    """Who may GET the own board of a name hears of all boards on a channel of that name."""

    class ByTeam(Boards):
        lookup_field = "secret"

        def get_queryset(self):
            return Board.objects.filter(slug="own")

    _, clients = world
    use(settings, "shared", [path("b/<secret>/", ByTeam.as_view({"get": "retrieve"}))])
    declare(ByTeam, "s.{secret}")
    assert clients["session of ada"].get("/b/False/").status_code == 200
    check(clients["session of ada"], "private-s.False", False, "others share it")
    Board.objects.exclude(slug="own").delete()
    check(clients["session of ada"], "private-s.False", True, "it is alone")
