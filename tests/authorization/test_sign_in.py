"""Signing the connection of a user in."""

import json

import pytest
from django.test import Client
from rest_framework.test import APIClient

from drf_model_pusher.authorization.signing import sign_user
from drf_model_pusher.views import UserAuthenticationView
from tests.authorization.asking import KEY, SECRET


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

    @pytest.mark.parametrize(("number", "warned"), [(100, False), (101, True)])
    def test_takes_the_first_hundred_of_a_watchlist(
        self, member, ada, monkeypatch, caplog, number, warned
    ):
        wanted = [str(each) for each in range(number)]
        monkeypatch.setattr(UserAuthenticationView, "get_watchlist", lambda self, request: wanted)
        data = json.loads(self.sign_in(member).json()["user_data"])
        assert data["watchlist"] == wanted[:100]
        assert (f"watchlist cut off user={ada.pk} users=101 limit=100" in caplog.text) is warned

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
