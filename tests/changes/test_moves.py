"""An update that takes an object to other channels."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers, viewsets

from drf_model_pusher.backends import PrivatePusherBackend, PusherBackend
from drf_model_pusher.changes import snapshots
from drf_model_pusher.views import ModelPusherViewMixin
from tests.boards.models import Board, Team
from tests.views import call

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_registry"),
]


class BoardSerializer(serializers.ModelSerializer):
    class Meta:
        model = Board
        fields = ["id", "slug", "owner", "team", "secret"]


class BoardViewSet(ModelPusherViewMixin, viewsets.ModelViewSet):
    queryset = Board.objects.all()
    serializer_class = BoardSerializer

    def get_pusher_channels(self):
        return ["boards"]


@pytest.fixture
def users():
    return [User.objects.create_user(name) for name in ("ada", "bo")]


@pytest.fixture
def board(users):
    return Board.objects.create(owner=users[0], slug="plans", team=Team.objects.create(slug="reds"))


def declare(*channels, base=PrivatePusherBackend, **attributes):
    attributes = {"serializer_class": BoardSerializer, "channels": list(channels)} | attributes
    return type("Boards", (base,), attributes)


def update(board, view=BoardViewSet, **data):
    return call(view, "partial_update", data, pk=board.pk, headers={"X-Pusher-Socket-Id": "1.2"})


def told(memory):
    return [(event.channels, event.name, event.json()) for event in memory]


class TestMove:
    def test_tells_each_channel_what_it_is_to_it(self, memory, board, users):
        declare("owners.{owner_id}", "boards.{pk}")
        after = update(board, owner=users[1].pk).data
        assert told(memory) == [
            ((f"private-owners.{users[0].pk}",), "board.delete", {"id": board.pk}),
            ((f"private-owners.{users[1].pk}",), "board.create", after),
            ((f"private-boards.{board.pk}",), "board.update", after),
        ]
        assert {event.socket_id for event in memory} == {"1.2"}
        assert [event.change for event in memory] == ["delete", "create", "update"]

    def test_tells_those_who_lost_the_object_nothing_of_what_it_became(self, memory, board, users):
        declare("owners.{owner_id}")
        update(board, owner=users[1].pk, slug="hush")
        assert "hush" not in memory[0].data

    def test_is_no_move_where_the_channels_stay(self, memory, board):
        declare("owners.{owner_id}")
        after = update(board, slug="new").data
        assert told(memory) == [((f"private-owners.{after['owner']}",), "board.update", after)]

    def test_to_nowhere_else_tells_only_who_lost_it(self, memory, board):
        def get_channels(self, instance=None):
            return [] if instance.secret else ["boards"]

        declare(get_channels=get_channels, channels=None)
        update(board, secret=True)
        assert told(memory) == [(("private-boards",), "board.delete", {"id": board.pk})]

    def test_of_readers_is_one_as_well(self, memory, board, users):
        def get_channels(self, instance=None):
            return [f"users.{user.pk}" for user in instance.members.all()]

        class Members(BoardSerializer):
            class Meta(BoardSerializer.Meta):
                fields = ["members"]

        class View(BoardViewSet):
            serializer_class = Members
            queryset = Board.objects.prefetch_related("members")

        board.members.set([users[0]])
        declare(get_channels=get_channels, channels=None)
        update(board, View, members=[users[1].pk])
        assert [(event.channels, event.name) for event in memory] == [
            ((f"private-users.{users[0].pk}",), "board.delete"),
            ((f"private-users.{users[1].pk}",), "board.create"),
        ]

    def test_gives_the_key_that_readers_knew(self, memory, board, users):
        class View(BoardViewSet):
            lookup_field = "slug"
            lookup_url_kwarg = "pk"

        declare("owners.{owner_id}")
        call(View, "partial_update", {"owner": users[1].pk, "slug": "new"}, pk="plans")
        assert memory[0].json() == {"slug": "plans"}

    def test_works_with_packets_of_ones_own(self, memory, board, users):
        def get_packet(self, event, instance):
            channels, name, _ = PusherBackend.get_packet(self, event, instance)
            return channels, name, {"event": event}

        declare("owners.{owner_id}", "boards.{pk}", get_packet=get_packet)
        update(board, owner=users[1].pk)
        assert told(memory)[1:] == [
            ((f"private-owners.{users[1].pk}",), "board.create", {"event": "create"}),
            ((f"private-boards.{board.pk}",), "board.update", {"event": "update"}),
        ]

    def test_out_of_a_name_that_cannot_be_is_a_creation(self, memory, board):
        declare("boards.{slug}")
        Board.objects.update(slug="not a name")
        update(board, slug="plans")
        assert [(event.channels, event.name) for event in memory] == [
            (("private-boards.plans",), "board.create")
        ]

    def test_pushed_by_hand_too_is_one_move(self, memory, board, users):
        class View(BoardViewSet):
            def perform_update(self, serializer):
                super().perform_update(serializer)
                self.push_change("update", serializer.instance)

        declare("owners.{owner_id}")
        update(board, View, owner=users[1].pk)
        assert [event.name for event in memory] == ["board.delete", "board.create"]

    def test_of_many_at_once(self, memory, board, users):
        class Many(serializers.ListSerializer):
            def update(self, instances, validated_data):
                return [
                    self.child.update(*pair) for pair in zip(instances, validated_data, strict=True)
                ]

        class View(BoardViewSet):
            def get_object(self):
                return [super().get_object()]

            def get_serializer(self, instance, data, partial):
                child = BoardSerializer(partial=True)
                return Many(instance, data=[data], child=child, partial=partial)

        declare("owners.{owner_id}")
        update(board, View, owner=users[1].pk)
        assert [event.name for event in memory] == ["board.delete", "board.create"]

    def test_is_not_looked_for_where_nothing_is_pushed(self, memory, board, settings):
        def get_channels(self, instance=None):
            raise AssertionError("work was done")

        declare(get_channels=get_channels, channels=None)
        settings.DRF_MODEL_PUSHER_DISABLED = True
        assert update(board, slug="new").status_code == 200
        settings.DRF_MODEL_PUSHER_DISABLED = False
        view = type("View", (BoardViewSet,), {"push_updates": False})
        assert update(board, view, slug="newer").status_code == 200

    def test_asks_a_view_for_its_channels_no_more_than_before(self, memory, board):
        asked = []

        class View(BoardViewSet):
            def get_pusher_channels(self):
                asked.append(1)
                return ["boards"]

        declare(channels=None)
        update(board, View, slug="new")
        assert (asked, [event.name for event in memory]) == ([1], ["board.update"])


class TestQueries:
    @pytest.mark.parametrize(
        ("template", "change", "more"),
        [
            ("owners.{owner_id}", "slug", 0),
            ("owners.{owner_id}", "owner", 0),
            ("teams.{team__slug}", "slug", 0),  # the old value is the new one
            ("teams.{team__slug}", "team", 1),  # the old team
        ],
    )
    def test_are_no_more_than_the_old_values_need(
        self, memory, board, users, template, change, more, monkeypatch
    ):
        declare(template)
        blues = Team.objects.create(slug="blues")
        values = {"slug": ["a", "b"], "owner": [users[1].pk, users[0].pk],
                  "team": [blues.pk, board.team_id]}[change]  # fmt: skip
        with CaptureQueriesContext(connection) as with_moves:
            update(board, **{change: values[0]})
        monkeypatch.setattr(snapshots, "previous_channels", lambda backend, instance: None)
        with CaptureQueriesContext(connection) as without:
            update(board, **{change: values[1]})
        assert len(with_moves) - len(without) == more


class TestDeleteData:
    def test_is_all_that_the_serializer_renders(self, memory, board):
        declare("boards.{pk}")
        call(BoardViewSet, "destroy", pk=board.pk)
        assert memory[0].json() == BoardSerializer(board).data

    def test_is_the_key_alone_if_told_so(self, memory, board, django_assert_num_queries):
        declare("boards.{pk}", delete_data="key")
        update(board, slug="new")
        call(BoardViewSet, "destroy", pk=board.pk)
        assert memory[0].json()["slug"] == "new"
        assert memory[1].json() == {"id": board.pk}

    def test_has_the_version_where_the_backend_has_a_field_of_one(self, memory, board):
        declare("boards.{pk}", delete_data="key", version_field="secret")
        call(BoardViewSet, "destroy", pk=board.pk)
        assert memory[0].json() == {"id": board.pk, "secret": False}

    def test_has_the_version_in_a_channel_that_the_object_leaves(self, memory, board):
        declare("boards.{slug}", version_field="secret")
        update(board, slug="new")
        assert memory[0].name == "board.delete"
        assert memory[0].json() == {"id": board.pk, "secret": False}

    def test_is_the_look_up_of_the_view(self, memory, board):
        class View(BoardViewSet):
            lookup_field = "slug"
            lookup_url_kwarg = "pk"

        declare("boards.{pk}", delete_data="key")
        call(View, "destroy", pk="plans")
        assert memory[0].json() == {"slug": "plans"}

    def test_is_the_primary_key_of_an_object_of_another_view(self, memory, board):
        class View(BoardViewSet):
            lookup_field = "slug"
            lookup_url_kwarg = "pk"

            def perform_destroy(self, instance):
                self.push_change("delete", instance.team)

        class Teams(PrivatePusherBackend):
            channels = ["teams"]
            delete_data = "key"

            class Meta:
                model = Team

        call(View, "destroy", pk="plans")
        assert memory[0].json() == {"id": board.team_id}
