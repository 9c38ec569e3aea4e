"""Who a member of a presence channel is, and what others see."""

import json
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework import serializers
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token

from drf_model_pusher.backends import (
    PresencePusherBackend,
)
from tests.authorization.asking import add_route, ask, auth_of
from tests.boards import views
from tests.boards.serializers import BoardSerializer


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

    def test_is_nothing_that_a_browser_could_say(self, member, board, backend, ada):
        claims = {"user_id": "7", "channel_data": '{"user_id": "7"}', "user_info": "Bo"}
        data = {"socket_id": "1.2", "channel_name": f"presence-boards.{board.pk}", **claims}
        told = member.post("/pusher/auth", data).json()["channel_data"]
        assert json.loads(told)["user_id"] == str(ada.pk)

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
        self, member, board, backend, data, match, settings, caplog
    ):
        backend.get_presence_data = lambda self, request: data
        settings.DEBUG = True
        answer = ask(member, f"presence-boards.{board.pk}")
        assert answer.status_code == 403
        for told in (answer.json()["detail"], caplog.messages[-2]):
            assert re.search(rf"Boards\.get_presence_data\(\).*{match}", told)

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
        add_route(View)
        client = Client()
        client.force_login(User.objects.create_user("bo"))
        headers = {"Authorization": f"Token {Token.objects.create(user=ada).key}"}
        answer = ask(client, f"presence-boards.{board.pk}", headers=headers).json()
        assert json.loads(answer["channel_data"])["user_id"] == str(ada.pk)
