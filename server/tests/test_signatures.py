"""Each vector is one that the protocol's documentation or a reference client prints."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from dev_server_tests.pure import APP
from pusher_dev_server.signatures import (
    InvalidSignature,
    check_channel_auth,
    check_request,
    check_user_auth,
    sign,
)

SOCKET = "1234.1234"


class TestChannels:
    @pytest.mark.parametrize(
        ("channel", "channel_data", "signature"),
        [
            (
                "private-foobar",
                None,
                "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
            ),
            (
                "presence-foobar",
                '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
                "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
            ),
        ],
    )
    def test_the_published_vectors_pass(self, channel, channel_data, signature):
        check_channel_auth(APP, f"{APP.key}:{signature}", SOCKET, channel, channel_data)

    @pytest.mark.parametrize(
        ("auth", "message"),
        [
            (f"{APP.key}:{'0' * 64}", "Auth value for subscription to private-foobar is invalid"),
            (APP.key, "Auth value for subscription to private-foobar is invalid"),
            ("other:00", "Invalid key in subscription auth data: 'other'"),
            ("", "Invalid key in subscription auth data: ''"),
            ("\ud800:é", "Invalid key in subscription auth data"),
        ],
    )
    def test_others_are_refused_in_the_words_of_the_service(self, auth, message):
        with pytest.raises(InvalidSignature, match=message):
            check_channel_auth(APP, auth, SOCKET, "private-foobar")

    def test_a_signature_is_for_one_connection_and_one_channel(self):
        auth = f"{APP.key}:{sign(APP.secret, f'{SOCKET}:private-a')}"
        check_channel_auth(APP, auth, SOCKET, "private-a")
        with pytest.raises(InvalidSignature):
            check_channel_auth(APP, auth, "1.1", "private-a")
        with pytest.raises(InvalidSignature):
            check_channel_auth(APP, auth, SOCKET, "private-b")

    def test_a_secret_in_the_place_of_the_key_is_not_repeated(self):
        """Whoever mixes the two up finds the message in a log, in the console, in a browser."""
        with pytest.raises(InvalidSignature, match="the app's secret") as refused:
            check_channel_auth(APP, f"{APP.secret}:00", SOCKET, "private-a")
        assert APP.secret not in str(refused.value)
        with pytest.raises(InvalidSignature, match="the app's secret") as refused:
            check_user_auth(APP, f"{APP.secret}:00", SOCKET, "{}")
        assert APP.secret not in str(refused.value)

    def test_a_surrogate_is_no_question_mark(self):
        """Encoded loosely, both would be signed alike, and one could stand for the other."""
        auth = f"{APP.key}:{sign(APP.secret, f'{SOCKET}:presence-a:?')}"
        with pytest.raises(InvalidSignature):
            check_channel_auth(APP, auth, SOCKET, "presence-a", "\ud800")


class TestUsers:
    def test_the_published_vector_passes(self):
        signature = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"
        check_user_auth(APP, f"{APP.key}:{signature}", SOCKET, '{"id":"12345"}')

    @pytest.mark.parametrize("key", [APP.key, "other"])
    def test_others_are_refused(self, key):
        with pytest.raises(InvalidSignature):
            check_user_auth(APP, f"{key}:{'0' * 64}", SOCKET, '{"id":"12345"}')


class TestRequests:
    """The published vector, and what becomes of it when one thing changes."""

    BODY = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    QUERY = (
        ("auth_key", "278d425bdf160c739803"),
        ("auth_timestamp", "1353088179"),
        ("auth_version", "1.0"),
        ("body_md5", "ec365a775a4cd0599faeb73354201b6f"),
        ("auth_signature", "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"),
    )

    def check(self, **changes: Any) -> None:
        request = {
            "method": "POST",
            "path": "/apps/3/events",
            "query": self.QUERY,
            "body": self.BODY,
            "now": 1353088179.0,
        }
        app = changes.pop("app", APP)
        check_request(app, **(request | changes))

    def signed(self, *parameters: tuple[str, str], body: bytes = b"") -> dict[str, Any]:
        """Return a request that is rightly signed over whatever its parameters are."""
        text = "&".join(sorted(f"{name.lower()}={value}" for name, value in parameters))
        signature = sign(APP.secret, f"GET\n/apps/3/events\n{text}")
        query = (*parameters, ("auth_signature", signature))
        return {"method": "GET", "query": query, "body": body}

    def test_the_published_vector_passes(self):
        self.check()

    @pytest.mark.parametrize("now", [1353088179 - 600, 1353088179 + 600])
    def test_the_clocks_may_differ_by_ten_minutes(self, now):
        self.check(now=now)

    @pytest.mark.parametrize(
        "changes",
        [
            {"method": "PUT"},
            {"path": "/apps/4/events"},
            {"body": BODY + b" "},
            {"body": b""},
            {"now": 1353088179 - 601},
            {"now": 1353088179 + 601},
            {"query": (*QUERY, ("more", "1"))},
            {"query": (*QUERY, ("auth_key", QUERY[0][1]))},
            {"query": QUERY[:-1]},
            {"query": ()},
            {"app": replace(APP, secret="other")},
            {"app": replace(APP, key="other")},
        ],
    )
    def test_any_change_is_refused(self, changes):
        with pytest.raises(InvalidSignature):
            self.check(**changes)

    AUTH = QUERY[:3]

    @pytest.mark.parametrize("own", [(), (("filter_by_prefix", "presence-"), ("info", "a,b"))])
    def test_a_get_needs_no_body_md5(self, own):
        self.check(**self.signed(*self.AUTH, *own))

    def test_a_get_may_carry_the_body_md5_of_nothing(self):
        """The official Python library signs it on every GET."""
        md5 = hashlib.md5(b"").hexdigest()
        self.check(**self.signed(*self.AUTH, ("body_md5", md5)))

    def test_a_body_needs_its_md5(self):
        with pytest.raises(InvalidSignature, match="body_md5"):
            self.check(**self.signed(*self.AUTH, body=b"{}"))

    def test_names_of_parameters_are_signed_in_lower_case(self):
        self.check(**self.signed(*self.AUTH, ("Info", "a")))

    @pytest.mark.parametrize("timestamp", ["", "x", "-1", "1e9", "9" * 5_000, "١٣٥٣٠٨٨١٧٩"])
    def test_a_timestamp_is_digits(self, timestamp):
        with pytest.raises(InvalidSignature, match="auth_timestamp"):
            self.check(**self.signed(self.AUTH[0], ("auth_timestamp", timestamp), self.AUTH[2]))

    def test_only_version_1_is_known(self):
        with pytest.raises(InvalidSignature, match="auth_version"):
            self.check(**self.signed(*self.AUTH[:2], ("auth_version", "2.0")))


class TestWebhooks:
    def test_the_published_vector(self):
        body = (
            b'{"time_ms":1327078148132,"events":[{"name":"channel_occupied",'
            b'"channel":"my-channel"}]}'
        )
        assert sign(APP.secret, body) == (
            "c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf"
        )


def test_an_app_keeps_its_secret_out_of_logs():
    assert APP.secret not in repr(APP)
