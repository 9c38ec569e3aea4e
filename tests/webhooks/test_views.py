import io
import json

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import include, path, re_path, reverse

from drf_model_pusher import signals
from drf_model_pusher.occupancy.state import STATE
from drf_model_pusher.views import ChannelExistenceWebhook
from tests.webhooks.posting import KEY, SECRET, body_of, event, now_ms, post, signature

urlpatterns = [
    re_path(
        r"^pusher/channel-existence/$",
        ChannelExistenceWebhook.as_view(),
        name="pusher-channel-existence-webhook",
    ),
    path("pusher/", include("drf_model_pusher.urls")),
]

# The protocol's published example.
EXAMPLE = b'{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}'
EXAMPLE_SIGNATURE = "c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf"


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    settings.ROOT_URLCONF = __name__
    cache.clear()


@pytest.fixture
def heard():
    """What the signals told, as pairs of a name and arguments."""
    told = []
    receivers = []
    for name, signal in signals.WEBHOOKS.items():

        def receiver(name=name, signal=None, sender=None, **values):
            told.append((name, values))

        signal.connect(receiver)
        receivers.append((signal, receiver))
    yield told
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def status(*args, **kwargs):
    return post(*args, **kwargs).status_code


class TestRoutes:
    def headers(self, body):
        return {"X-Pusher-Key": KEY, "X-Pusher-Signature": signature(body)}

    @pytest.mark.parametrize(
        "name", ["pusher-channel-existence-webhook", "drf_model_pusher:webhook"]
    )
    def test_works_at_the_packages_route_and_at_ones_own(self, name, heard, settings):
        settings.MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
        body = body_of(event("channel_occupied"))
        response = Client(enforce_csrf_checks=True).post(
            reverse(name), body, content_type="application/json", headers=self.headers(body)
        )
        assert response.status_code == 200
        assert [name for name, _ in heard] == ["channel_occupied"]

    def test_needs_no_login(self, settings):
        body = body_of(event("channel_occupied"))
        settings.MIDDLEWARE = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
        settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
        response = Client().post(
            "/pusher/webhook", body, content_type="application/json", headers=self.headers(body)
        )
        assert response.status_code == 200

    def test_is_not_ruled_by_the_defaults_of_the_projects_api(self, settings):
        settings.REST_FRAMEWORK = {
            "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
            "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
        }
        assert status(body_of(event("channel_occupied")), HTTP_ACCEPT="image/png") == 200

    def test_reads_a_body_that_middleware_has_read_already(self):
        body = body_of(event("channel_occupied"))
        request = RequestFactory().post(
            "/", body, content_type="application/json", headers=self.headers(body)
        )
        assert request.body == body
        assert ChannelExistenceWebhook.as_view()(request).status_code == 200

    @pytest.mark.parametrize(("size", "answer"), [(0, 200), (3 * 2**20, 413)])
    def test_works_under_asgi(self, heard, size, answer):
        body = body_of(event("client_event", event="client-x", data="x" * size))
        response = async_to_sync(AsyncClient().post)(
            "/pusher/webhook", body, content_type="application/json", headers=self.headers(body)
        )
        assert (response.status_code, len(heard)) == (answer, answer == 200)

    @pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
    def test_takes_post_only(self, method):
        assert getattr(Client(), method)("/pusher/webhook").status_code == 405


class TestTrust:
    def test_the_published_example_has_a_good_signature_and_is_of_another_time(self, heard):
        assert post(EXAMPLE, signed=EXAMPLE_SIGNATURE).content == b"time"
        with override_settings(DRF_MODEL_PUSHER_WEBHOOK_MAX_AGE=86_400):
            assert status(EXAMPLE, signed=EXAMPLE_SIGNATURE) == 401
        assert heard == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"signed": "0" * 64},
            {"signed": ""},
            {"signed": False},
            {"signed": "ä" * 64},
            {"signed": "\udce4" * 64},
            {"key": "0" * 20},
            {"key": ""},
            {"key": False},
            {"key": "\udce4"},
        ],
    )
    def test_what_is_not_signed_is_refused_and_changes_nothing(self, heard, wrong):
        assert status(body_of(event("channel_occupied")), **wrong) == 401
        assert heard == []
        assert cache.get(STATE + "orders") is None

    def test_the_signature_is_over_the_raw_body(self, heard):
        body = body_of(event("channel_occupied"))
        assert status(body + b" ", signed=signature(body)) == 401
        assert status(body[:-1], signed=signature(body)) == 401
        spaced = b'\n { "events" : [ ] ,\t"time_ms" : %d }\r\n' % now_ms()
        assert status(spaced) == 200

    def test_a_new_key_is_taken_beside_the_old_one(self, settings):
        settings.PUSHER_EXTRA_KEYS = {"new-key": "new-secret"}
        body = body_of()
        assert status(body) == 200
        assert status(body, key="new-key", signed=signature(body, "new-secret")) == 200
        assert status(body, key="new-key", signed=signature(body, SECRET)) == 401
        assert status(body, key=KEY, signed=signature(body, "new-secret")) == 401

    def test_without_a_secret_nothing_is_trusted(self, settings):
        settings.PUSHER_SECRET = ""
        body = body_of()
        assert status(body, signed=signature(body, "")) == 401

    def test_a_project_without_credentials_trusts_nobody(self, settings):
        settings.PUSHER_KEY = settings.PUSHER_SECRET = ""
        body = body_of()
        assert status(body, key="", signed=signature(body, "")) == 401

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_clocks_may_differ_and_retries_may_take_their_time(self, seconds):
        assert status(body_of(time_ms=now_ms(seconds))) == 200

    @pytest.mark.parametrize("seconds", [-610, 610, 10**9])
    def test_a_webhook_of_another_time_is_refused(self, heard, seconds):
        body = body_of(event("channel_occupied"), time_ms=now_ms(seconds))
        assert status(body) == 401
        assert heard == []


class TestSize:
    def test_a_body_above_the_limit_is_refused_unread(self):
        class Unread(io.BytesIO):
            def read(self, *args):
                raise AssertionError("it was read")

        request = RequestFactory().generic("POST", "/", b"")
        request.META["CONTENT_LENGTH"] = str(10 * 2**20)
        request._stream = Unread()
        assert ChannelExistenceWebhook.as_view()(request).status_code == 413

    @pytest.mark.parametrize("announced", ["", "5", "9" * 5000, "٣", "-1", "x"])
    def test_what_a_length_announces_is_not_believed(self, announced):
        request = RequestFactory().generic("POST", "/", b"")
        request.META["CONTENT_LENGTH"] = announced
        request._stream = io.BytesIO(b"x" * 10 * 2**20)
        assert ChannelExistenceWebhook.as_view()(request).status_code == 413

    def test_no_more_than_the_limit_is_read(self):
        request = RequestFactory().generic("POST", "/", b"")
        request._stream = stream = io.BytesIO(b"x" * 10 * 2**20)
        ChannelExistenceWebhook.as_view()(request)
        assert stream.tell() <= 2_621_440 + 1

    def test_the_limit_is_a_setting(self, settings):
        body = body_of(*[event("channel_occupied")] * 20)
        settings.DRF_MODEL_PUSHER_WEBHOOK_MAX_BYTES = 1024
        assert len(body) > 1024
        assert status(body) == 413
        settings.DRF_MODEL_PUSHER_WEBHOOK_MAX_BYTES = len(body)
        assert status(body) == 200

    def test_forms_limit_of_the_project_does_not_count(self, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
        assert status(body_of(event("channel_occupied"))) == 200

    def test_a_body_that_is_cut_off_is_malformed(self):
        class CutOff(io.BytesIO):
            def read(self, *args):
                raise OSError("the client has gone")

        request = RequestFactory().generic("POST", "/", b"")
        request._stream = CutOff()
        assert ChannelExistenceWebhook.as_view()(request).status_code == 400


class TestShape:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b'"text"',
            b"{}",
            b"\xff\xfe{}",
            b"[" * 100_000,
            b'{"time_ms":' + b"9" * 5_000 + b',"events":[]}',
            b'{"time_ms":' + b"9" * 4_000 + b',"events":[]}',
            b'{"time_ms":1e999,"events":[]}',
            b'{"time_ms":NaN,"events":[]}',
            b'{"time_ms":true,"events":[]}',
            b'{"time_ms":-1,"events":[]}',
            b'{"time_ms":"NOW","events":[]}',
            b'{"time_ms":NOW}',
            b'{"time_ms":NOW,"events":{}}',
        ],
        ids=lambda body: repr(body[:40]),
    )
    def test_what_is_signed_and_has_no_sense_is_malformed(self, body, heard):
        assert status(body.replace(b"NOW", b"%d" % now_ms())) == 400
        assert heard == []

    def test_what_is_not_in_utf_8_is_malformed(self, heard):
        assert status(body_of().decode().encode("utf-16")) == 400
        assert heard == []

    @pytest.mark.parametrize(
        "wrong",
        [
            1,
            {},
            {"name": 1},
            {"name": "channel_occupied"},
            {"name": "channel_occupied", "channel": None},
            {"name": "channel_occupied", "channel": 5},
            event("member_added"),
            event("member_added", user_id=True),
            event("client_event"),
            event("subscription_count", subscription_count="3"),
        ],
        ids=str,
    )
    def test_an_event_that_has_no_sense_is_malformed(self, wrong, heard):
        assert status(body_of(wrong)) == 400
        assert heard == []

    def test_one_bad_event_refuses_all(self, heard):
        assert status(body_of(event("channel_occupied"), event("member_added"))) == 400
        assert heard == []
        assert cache.get(STATE + "orders") is None

    @pytest.mark.parametrize("name", ["channel_exploded", "", "__class__"])
    def test_unknown_kinds_are_passed_over(self, name, heard):
        body = body_of({"name": name, "what": [1]}, event("channel_occupied"))
        assert status(body) == 200
        assert [name for name, _ in heard] == ["channel_occupied"]


class TestSignals:
    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("channel_occupied", {}),
            ("channel_vacated", {}),
            ("member_added", {"user_id": "7"}),
            ("member_removed", {"user_id": "7"}),
            (
                "client_event",
                {"event": "client-x", "data": '{"é":1}', "socket_id": "1.2", "user_id": "7"},
            ),
            ("cache_miss", {}),
            ("subscription_count", {"subscription_count": 3}),
        ],
    )
    def test_each_kind_has_its_own(self, heard, name, values):
        at = now_ms()
        assert status(body_of(event(name, **values), time_ms=at)) == 200
        assert heard == [(name, {"channel": "orders", "time_ms": at, **values})]

    def test_a_client_event_of_soketi_carries_a_value_and_no_user(self, heard):
        client_event = event("client_event", event="client-x", data={"a": [1]}, socket_id="1.2")
        status(body_of(client_event))
        assert heard[0][1]["data"] == {"a": [1]}
        assert heard[0][1]["user_id"] is None

    def test_user_ids_are_texts(self, heard):
        status(body_of(event("member_added", user_id=7)))
        assert heard[0][1]["user_id"] == "7"

    def test_texts_arrive_as_they_were_sent(self, heard):
        text = " Zoë ☃ \x00 \ud800 "
        status(body_of(event("client_event", event="client-x", data=text)))
        assert heard[0][1]["data"] == text

    def test_a_thousand_events_keep_their_order(self, heard):
        body = body_of(*[event("cache_miss", f"cache-{number}") for number in range(1000)])
        assert status(body) == 200
        assert [values["channel"] for _, values in heard] == [f"cache-{n}" for n in range(1000)]

    def test_keys_may_come_in_any_order(self, heard):
        body = (
            b'{"events":[{"channel":"orders","name":"channel_occupied"}],"time_ms":%d}' % now_ms()
        )
        assert status(body) == 200
        assert len(heard) == 1

    def test_non_ascii_may_be_escaped_or_not(self, heard):
        for ascii_only in (True, False):
            body = json.dumps(
                {"time_ms": now_ms(), "events": [event("member_added", user_id="Zoë")]},
                ensure_ascii=ascii_only,
            ).encode()
            assert status(body) == 200
        assert [values["user_id"] for _, values in heard] == ["Zoë", "Zoë"]

    def test_a_receiver_that_fails_makes_pusher_send_again_and_stops_no_other(self, heard):
        def failing(**kwargs):
            raise ValueError("busy")

        signals.channel_occupied.connect(failing)
        try:
            body = body_of(event("channel_occupied"), event("cache_miss"))
            assert status(body) == 500
        finally:
            signals.channel_occupied.disconnect(failing)
        assert [name for name, _ in heard] == ["channel_occupied", "cache_miss"]
        assert status(body) == 200

    def test_without_the_optimisation_they_are_sent_and_nothing_is_remembered(
        self, heard, settings
    ):
        settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = False
        assert status(body_of(event("channel_occupied"))) == 200
        assert len(heard) == 1
        assert cache.get(STATE + "orders") is None

    def test_the_sender_is_the_view(self):
        senders = []

        class Own(ChannelExistenceWebhook):
            pass

        def receiver(sender, **kwargs):
            senders.append(sender)

        body = body_of(event("channel_occupied"))
        request = RequestFactory().generic(
            "POST", "/", body, headers={"X-Pusher-Key": KEY, "X-Pusher-Signature": signature(body)}
        )
        signals.channel_occupied.connect(receiver, sender=Own)
        try:
            Own.as_view()(request)
        finally:
            signals.channel_occupied.disconnect(receiver, sender=Own)
        assert senders == [Own]


class TestLog:
    def test_refusals_are_logged_without_what_was_sent(self, caplog):
        status(b"payload-of-a-stranger", signed="signature-of-a-stranger", key="key-of-a-stranger")
        assert "status=401 reason=signature" in caplog.text
        assert "stranger" not in caplog.text
