"""Who may GET it may subscribe to it: each cell is compared with the GET that it stands for."""

import json
from itertools import product
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from drf_model_pusher.backends import (
    EncryptedPusherBackend,
    PresencePusherBackend,
    PrivatePusherBackend,
)
from tests.authorization.asking import KEY, ask, auth_of
from tests.boards import views
from tests.boards.models import Board, Task, Team
from tests.boards.serializers import BoardSerializer, TaskSerializer

BASES = {
    "private": PrivatePusherBackend,
    "presence": PresencePusherBackend,
    "encrypted": EncryptedPusherBackend,
}
PREFIXES = {"private": "private-", "presence": "presence-", "encrypted": "private-encrypted-"}
USERS = ["anonymous", "stranger", "member", "owner", "staff", "inactive"]
OBJECTS = ["present", "forbidden", "absent"]


@pytest.fixture
def world():
    users = {name: User.objects.create_user(name) for name in [*USERS[1:], "somebody"]}
    User.objects.filter(pk=users["staff"].pk).update(is_staff=True)
    team = Team.objects.create(slug="reds")
    present = Board.objects.create(owner=users["owner"], slug="present", team=team)
    present.members.add(users["member"], users["inactive"])
    forbidden = Board.objects.create(owner=users["somebody"], slug="forbidden", team=team)
    absent = Board(pk=4711, slug="absent", owner=User(pk=4711), team=Team(slug="blues"))
    boards = dict(zip(OBJECTS, (present, forbidden, absent), strict=True))
    for board in (present, forbidden):
        Task.objects.create(board=board, text="tea")
    return SimpleNamespace(users=users, boards=boards)


def client_of(world, name):
    client = Client(raise_request_exception=True)
    if name != "anonymous":
        client.force_login(world.users[name])
        User.objects.filter(username="inactive").update(is_active=False)
    return client


# Each rule is a template, what the backend declares, and the address that a GET of it has.


def has_channel_permission(self, request, channel, **fields):
    boards = views.boards_of(request.user)
    return request.user.is_authenticated and boards.filter(**fields).exists()


def match_channel(self, name):
    head = self.channel_prefix + "b-"
    return {"pk": name[len(head) :]} if name.startswith(head) else None


RULES = {
    "queryset": ("b.{pk}", {"view_class": views.BoardViewSet}, "/boards/{0.pk}/"),
    "object permission": (
        "b.{pk}",
        {"view_class": views.BoardByPermissionViewSet},
        "/by-permission/{0.pk}/",
    ),
    "generic view": ("b.{slug}", {"view_class": views.BoardBySlugView}, "/by-slug/{0.slug}/"),
    "primary key for a view by slug": (
        "b.{pk}",
        {"view_class": views.BoardBySlugView},
        "/by-slug/{0.slug}/",
    ),
    "staff view": ("b.{pk}", {"view_class": views.StaffBoardViewSet}, "/staff/{0.pk}/"),
    "open view": ("b.{pk}", {"view_class": views.OpenBoardViewSet}, "/open/{0.pk}/"),
    "permission_classes": (
        "b.{pk}",
        {"permission_classes": [views.IsReader]},
        "/by-permission/{0.pk}/",
    ),
    "permission_classes by slug": (
        "b.{slug}",
        {"permission_classes": [views.IsReader]},
        "/by-permission/{0.pk}/",
    ),
    "has_channel_permission": (
        "b.{pk}",
        {"has_channel_permission": has_channel_permission},
        "/boards/{0.pk}/",
    ),
    "match_channel": (
        "b-{pk}",
        {"match_channel": match_channel, "view_class": views.BoardViewSet, "channels": None},
        "/boards/{0.pk}/",
    ),
    "two fields": (
        "o.{owner_id}.b.{pk}",
        {"view_class": views.BoardViewSet},
        "/boards/{0.pk}/",
    ),
    "staff list": ("b", {"view_class": views.StaffBoardViewSet}, "/staff/"),
    "no rule": ("b.{pk}", {}, "/nowhere/{0.pk}/"),
}


def declare_kind(kind, template, attributes):
    attributes = {"serializer_class": BoardSerializer, "channels": [template]} | attributes
    return type("Backend", (BASES[kind],), attributes)


class TestMatrix:
    @pytest.mark.parametrize(("rule", "kind"), list(product(RULES, BASES)))
    def test_the_answer_is_that_of_get(self, rule, kind, world):
        template, attributes, url = RULES[rule]
        declare_kind(kind, template, attributes)
        for name, which in product(USERS, OBJECTS):
            board = world.boards[which]
            channel = PREFIXES[kind] + template.format_map(vars(board) | {"pk": board.pk})
            client = client_of(world, name)
            may_get = client.get(url.format(board)).status_code == 200
            # Members of a presence channel have names: nobody is there anonymously.
            expected = may_get and (kind != "presence" or name not in ("anonymous", "inactive"))
            answer = ask(client, channel)
            assert answer.status_code == (200 if expected else 403), (name, which)
            if expected:
                data = answer.json().get("channel_data")
                assert answer.json()["auth"] == auth_of(channel, channel_data=data)
                assert (data is not None) == (kind == "presence")
                assert ("shared_secret" in answer.json()) == (kind == "encrypted")

    @pytest.mark.parametrize("kind", BASES)
    @pytest.mark.parametrize("template", ["o.{owner_id}", "t.{team__slug}", "b"])
    def test_a_list_is_granted_if_get_shows_all_of_it(self, template, kind, world):
        declare_kind(kind, template, {"view_class": views.BoardViewSet})
        for name, which in product(USERS, OBJECTS):
            board = world.boards[which]
            client = client_of(world, name)
            response = client.get("/boards/")
            about = {
                "o.{owner_id}": {"owner": board.owner_id},
                "t.{team__slug}": {"team__slug": board.team.slug},
                "b": {},
            }[template]
            all_of_it = set(Board.objects.filter(**about).values_list("pk", flat=True))
            shown = (
                {each["id"] for each in response.json()} if response.status_code == 200 else set()
            )
            expected = name == "staff" or (bool(all_of_it) and all_of_it <= shown)
            values = {"owner_id": board.owner_id, "team__slug": board.team.slug}
            channel = PREFIXES[kind] + template.format_map(values)
            assert ask(client, channel).status_code == (200 if expected else 403), (name, which)

    @pytest.mark.parametrize("kind", BASES)
    def test_children_follow_the_view_of_their_parent(self, kind, world):
        class Backend(BASES[kind]):
            serializer_class = TaskSerializer
            channels = ["b.{board_id}", "s.{board__slug}"]
            view_class = views.BoardViewSet

        for name, which in product(USERS, OBJECTS):
            board, client = world.boards[which], client_of(world, name)
            expected = client.get(f"/boards/{board.pk}/").status_code == 200
            answer = ask(client, f"{PREFIXES[kind]}b.{board.pk}")
            assert answer.status_code == (200 if expected else 403), (name, which)

    def test_nested_views_are_given_what_their_url_holds(self, world):
        class Backend(PrivatePusherBackend):
            serializer_class = TaskSerializer
            channels = ["b.{board_id}.t.{pk}"]
            view_class = views.TaskViewSet

            def get_view_kwargs(self, board_id, pk):
                return {"board_pk": board_id}

        present, forbidden = (
            Task.objects.get(board__slug="present"),
            Task.objects.get(board__slug="forbidden"),
        )
        client = client_of(world, "member")
        for board, task in product((present.board, forbidden.board), (present, forbidden)):
            expected = client.get(f"/nested/{board.pk}/tasks/{task.pk}/").status_code == 200
            answer = ask(client, f"private-b.{board.pk}.t.{task.pk}")
            assert answer.status_code == (200 if expected else 403)
        assert ask(client, f"private-b.{present.board.pk}.t.{present.pk}").status_code == 200

    def test_absent_and_forbidden_are_one_answer(self, world):
        declare_kind("private", "b.{pk}", {"view_class": views.BoardViewSet})
        client = client_of(world, "stranger")
        answers = [ask(client, f"private-b.{board.pk}") for board in world.boards.values()]
        answers.append(ask(client, "private-nobody-knows-it"))
        assert {(each.status_code, each.content) for each in answers} == {
            (403, b'{"detail":"You do not have permission to perform this action."}')
        }


NAMES = st.text("abot.-_=@,;0123456789 é:/#\n", max_size=170) | st.text(max_size=30)
IDS = st.one_of(
    st.integers().map(str),
    st.sampled_from(
        ["present", "007", "1_0", "9" * 150, "-1", "1.orders", "None", "", "%00", "1e3"]
    ),
    NAMES,
)


class TestHypothesis:
    # The profile ``thorough`` makes more of them.
    @hypothesis_settings(
        max_examples=max(200, hypothesis_settings.default.max_examples),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_no_name_gets_a_500_or_a_signature_that_get_would_not_give(self, world, data):
        if not hasattr(world, "declared"):
            for kind, (rule, (template, attributes, _)) in product(BASES, RULES.items()):
                template = rule.replace(" ", "-") + "." + template
                if rule != "match_channel":
                    declare_kind(kind, template, attributes)
            world.declared = True
        rule = data.draw(st.sampled_from([name for name in RULES if name != "match_channel"]))
        template, _, url = RULES[rule]
        name = data.draw(st.sampled_from(USERS))
        made = {field: data.draw(IDS) for field in ("pk", "slug", "owner_id")}
        prefix = data.draw(st.sampled_from([*PREFIXES.values(), "", "#", "private-cache-"]))
        channel = prefix + rule.replace(" ", "-") + "." + template.format_map(made)
        channel = data.draw(st.just(channel) | NAMES)
        client = client_of(world, name)
        body = {"socket_id": "1.2", "channel_name": channel}
        answer = client.post("/pusher/auth", json.dumps(body), content_type="application/json")
        assert answer.status_code in (200, 400, 403)
        if answer.status_code == 200:
            board = next(
                (b for b in Board.objects.all() if channel.endswith(template.format_map(
                    vars(b) | {"pk": b.pk}))), None)  # fmt: skip
            assert board is not None
            assert client.get(url.format(board)).status_code == 200
        else:
            assert KEY.encode() not in answer.content


class TestIdentity:
    def test_a_user_who_lost_the_account_is_refused_by_rules_of_ones_own(self, world):
        from rest_framework.test import APIClient

        declare_kind("private", "b.{pk}", {"has_channel_permission": lambda *args, **kwargs: True})
        client = APIClient()
        client.force_authenticate(world.users["inactive"])
        world.users["inactive"].is_active = False
        assert client.post("/pusher/auth", {"socket_id": "1.2", "channel_name": "private-b.1"}
                           ).status_code == 403  # fmt: skip
        client.force_authenticate(AnonymousUser())
        assert client.post("/pusher/auth", {"socket_id": "1.2", "channel_name": "private-b.1"}
                           ).status_code == 200  # fmt: skip
