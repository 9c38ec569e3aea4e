"""What the endpoint takes, and which channels it is asked for at all."""

import json

import pytest
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from rest_framework import permissions
from rest_framework.authtoken.models import Token
from rest_framework.throttling import ScopedRateThrottle

from drf_model_pusher.authorization.authorizer import ChannelAuthorizer
from drf_model_pusher.backends import (
    EncryptedPusherBackend,
    PresencePusherBackend,
    PusherBackend,
)
from drf_model_pusher.views import AuthorizationView, UserAuthenticationView
from tests.authorization.asking import ask, auth_of, declare
from tests.boards import views
from tests.boards.serializers import BoardSerializer


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

    @pytest.mark.parametrize("path", ["/pusher/auth", "/pusher/user-auth"])
    def test_that_is_huge_gets_413_and_is_not_read(self, member, path):
        body = b'{"socket_id": "1.2", "padding": "' + b"x" * 10_000_000 + b'"}'
        answer = member.post(path, body, content_type="application/json")
        assert answer.status_code == 413
        assert "auth" not in answer.json()

    @pytest.mark.parametrize("charset", ["idna", "punycode", "zlib", "utf-16", "nonsense"])
    @pytest.mark.parametrize(
        ("media_type", "body"),
        [
            ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"'),
            ("application/json", b"{}"),
            ("application/x-www-form-urlencoded", b"a=b"),
        ],
    )
    def test_in_a_strange_charset_gets_400(self, member, media_type, body, charset):
        content_type = f"{media_type}; charset={charset}"
        body += b"\r\n\r\n1\r\n--x--\r\n" if "boundary" in media_type else b""
        answer = member.generic("POST", "/pusher/auth", body, content_type=content_type)
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        "channel",
        [
            "boards.1",
            "#server-to-user-1",
            "private-boards.1:x",
            "private-boards.1\n",
            "private-boards.1\0",
            "private-boards.\u0661",
            "private-",
            "a b",
            "private-\ud800",
            "x" * 165,
        ],
    )
    def test_for_a_name_that_is_never_signed_gets_403(self, member, board, channel):
        declare(views.OpenBoardViewSet, "boards.{pk}")
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
        assert answer[name] == {"status": 200, "data": {"auth": auth_of(name)}}
        assert answer["private-boards.999"]["status"] == 403
        assert set(answer) == {name, "private-boards.999"}

    @pytest.mark.parametrize("form", ["channel_name[0]={0}", "channel_name[]={0}",
                                      "channel_name={0}&channel_name={0}"])  # fmt: skip
    def test_come_in_brackets_or_repeated(self, member, board, form):
        name = f"private-boards.{board.pk}"
        body = "socket_id=1.2&" + form.format(name)
        answer = member.post("/pusher/auth", body, content_type="application/x-www-form-urlencoded")
        assert answer.json()[name]["status"] == 200

    def test_come_as_a_list_in_json(self, member, board):
        name = f"private-boards.{board.pk}"
        data = {"socket_id": "1.2", "channel_name": [name, "boards", "a b", "\ud800"]}
        answer = member.post("/pusher/auth", json.dumps(data), content_type="application/json")
        statuses = {name: each["status"] for name, each in answer.json().items()}
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


class TestKinds:
    def test_a_public_backend_is_never_asked(self, member, board):
        class Boards(PusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]
            permission_classes = []

        assert ask(member, f"boards.{board.pk}").status_code == 403
        assert ask(member, f"private-boards.{board.pk}").status_code == 403

    def test_an_encrypted_channel_needs_the_master_key(self, member, board, settings, caplog):
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = None

        class Boards(EncryptedPusherBackend):
            serializer_class = BoardSerializer
            channels = ["boards.{pk}"]
            view_class = views.BoardViewSet

        assert ask(member, f"private-encrypted-boards.{board.pk}").status_code == 403
        assert "PUSHER_ENCRYPTION_MASTER_KEY_BASE64" in caplog.text

    def test_a_cache_channel_is_asked_for_by_its_full_name_only(self, member, board):
        declare(views.BoardViewSet, cache=True)
        assert ask(member, f"private-cache-boards.{board.pk}").status_code == 200
        assert ask(member, f"private-boards.{board.pk}").status_code == 403


class TestChannelAuthorizer:
    def test_checks_the_socket_id_itself(self, rf, board):
        with pytest.raises(Exception, match="malformed"):
            ChannelAuthorizer(rf.post("/")).authorize("1.1:presence-x", "private-a")


class TestThrottles:
    @pytest.mark.parametrize("url", ["auth", "user-auth"])
    def test_by_scope_without_a_rate_for_ours_are_no_matter(self, member, board, monkeypatch, url):
        declare(views.BoardViewSet)

        class Scoped(ScopedRateThrottle):
            THROTTLE_RATES = {"login": "1/day"}

        for view in (AuthorizationView, UserAuthenticationView):
            monkeypatch.setattr(view, "throttle_classes", [Scoped])
        data = {"socket_id": "1.2", "channel_name": f"private-boards.{board.pk}"}
        answers = [member.post(f"/pusher/{url}", data).status_code for _ in range(2)]
        assert answers == [200, 200]
