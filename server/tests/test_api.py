"""The HTTP API over real sockets: what is answered, and with which status."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from dev_server_tests.api_client import get, post, request
from dev_server_tests.client import Client
from pusher_dev_server.application import Application
from pusher_dev_server.testing import LocalServer

ITEM = {"name": "e", "channel": "a", "data": "{}"}
EVENT = {"name": "e", "channels": ["a"], "data": "{}"}


class TestEvents:
    def test_it_is_taken_and_answered_with_an_empty_object(self, server):
        response = post(server, "/events", EVENT)
        assert (response.status, response.json()) == (200, {})
        assert server.wait_for_event("e", channel="a").data == {}

    def test_one_channel_may_be_named_alone(self, server):
        assert post(server, "/events", {"name": "e", "channel": "a", "data": ""}).status == 200
        assert server.events[0].channel == "a"

    def test_info_is_what_is_asked_for_and_what_there_is(self, server):
        with Client(server) as client:
            client.subscribe("presence-a", '{"user_id":"1"}')
            event = {
                "name": "e",
                "channels": ["presence-a", "b"],
                "data": "{}",
                "info": "user_count,subscription_count",
            }
            assert post(server, "/events", event).json() == {
                "channels": {
                    "presence-a": {"user_count": 1, "subscription_count": 1},
                    "b": {"subscription_count": 0},
                }
            }

    def test_a_user_is_reached_on_all_its_connections(self, server):
        from pusher_dev_server.signatures import sign

        with Client(server) as client:
            text = '{"id":"7"}'
            signature = sign(server.secret, f"{client.socket_id}::user::{text}")
            auth = f"{server.key}:{signature}"
            client.say("pusher:signin", {"auth": auth, "user_data": text})
            client.receive("pusher:signin_success")
            client.subscribe("#server-to-user-7")
            event = {"name": "e", "channels": ["#server-to-user-7"], "data": "{}"}
            assert post(server, "/events", event).status == 200
            assert client.receive("e")["channel"] == "#server-to-user-7"
            described = get(server, "/channels/%23server-to-user-7")
            assert (described.status, described.json()) == (200, {"occupied": True})

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"name": None}, "name must be a text"),
            ({"name": ""}, "event name"),
            ({"name": "x" * 201}, "201 characters"),
            ({"name": "pusher:ping"}, "reserved"),
            ({"name": "pusher_internal:member_added"}, "reserved"),
            ({"data": {"not": "encoded"}}, "data must be a text"),
            ({"data": None}, "data must be a text"),
            ({"channels": []}, "at least one"),
            ({"channels": "a"}, "must be a list"),
            ({"channels": None}, "must be a text"),
            ({"channels": [1]}, "must be a text"),
            ({"channels": ["a b"]}, "not allowed"),
            ({"channels": ["x" * 165]}, "164"),
            ({"channels": [f"c{number}" for number in range(101)]}, "100 channels"),
            ({"channels": ["private-encrypted-a", "b"]}, "encrypted"),
            ({"socket_id": "1.1:presence-a"}, "connection"),
            ({"socket_id": 1.1}, "must be a text"),
            ({"info": "colour"}, "colour"),
            ({"info": ["user_count"]}, "must be a text"),
        ],
    )
    def test_what_is_not_in_order_is_refused_whole(self, server, change, message):
        response = post(server, "/events", EVENT | change)
        assert response.status == 400
        assert message in response.text
        assert server.events == []

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"])
    def test_a_body_that_is_no_object_is_refused(self, server, body):
        assert request(server, "POST", "/events", body).status == 400

    @pytest.mark.parametrize(("size", "status"), [(5_120, 200), (5_121, 413)])
    def test_data_has_at_most_10_kilobytes_of_utf8(self, server, size, status):
        assert post(server, "/events", EVENT | {"data": "é" * size}).status == status

    def test_a_hundred_channels_pass(self, server):
        names = [f"c{number}" for number in range(100)]
        assert post(server, "/events", EVENT | {"channels": names}).status == 200

    def test_a_body_beyond_reason_is_refused_before_it_is_read_whole(self, server):
        assert post(server, "/events", EVENT | {"data": "x" * 1_000_000}).status == 413

    def test_a_lone_surrogate_goes_through(self, server):
        with Client(server) as client:
            client.subscribe("a")
            assert post(server, "/events", EVENT | {"data": "\ud800"}).status == 200
            assert client.receive("e")["data"] == "\ud800"


class TestBatches:
    def test_all_are_published_in_their_order(self, server):
        items = [ITEM | {"name": str(number)} for number in range(10)]
        assert post(server, "/batch_events", {"batch": items}).json() == {}
        assert [event.name for event in server.events] == [str(n) for n in range(10)]

    def test_info_comes_in_the_same_order(self, server):
        items = [ITEM, ITEM | {"info": "subscription_count"}]
        assert post(server, "/batch_events", {"batch": items}).json() == {
            "batch": [{}, {"subscription_count": 0}]
        }

    @pytest.mark.parametrize(
        ("batch", "status"),
        [
            ([ITEM] * 11, 400),
            ("text", 400),
            (None, 400),
            (["text"], 400),
            ([ITEM, {}], 400),
            ([ITEM, ITEM | {"data": "x" * 10_241}], 413),
            ([ITEM, {"name": "e", "data": "{}"}], 400),
        ],
    )
    def test_one_that_is_not_in_order_stops_all(self, server, batch, status):
        assert post(server, "/batch_events", {"batch": batch}).status == status
        assert server.events == []

    def test_the_largest_batch_has_room(self, server):
        """Ten events, each at the limit, each character escaped sixfold by JSON."""
        items = [ITEM | {"data": "\x01" * 10_240}] * 10
        assert post(server, "/batch_events", {"batch": items}).status == 200


class TestChannels:
    @pytest.fixture(autouse=True)
    def subscriptions(self, server):
        with Client(server) as client, Client(server) as other:
            client.subscribe("pub")
            client.subscribe("presence-a", '{"user_id":"1"}')
            other.subscribe("presence-a", '{"user_id":"1"}')
            yield

    def test_the_occupied_ones_are_listed(self, server):
        assert get(server, "/channels").json() == {"channels": {"pub": {}, "presence-a": {}}}

    def test_by_prefix_with_counts(self, server):
        response = get(
            server,
            "/channels",
            filter_by_prefix="presence-",
            info="user_count,subscription_count",
        )
        assert response.json() == {
            "channels": {"presence-a": {"user_count": 1, "subscription_count": 2}}
        }

    @pytest.mark.parametrize("prefix", [{}, {"filter_by_prefix": "p"}])
    def test_users_are_counted_for_presence_channels_only(self, server, prefix):
        assert get(server, "/channels", info="user_count", **prefix).status == 400

    def test_one_channel_is_described(self, server):
        response = get(server, "/channels/presence-a", info="user_count,subscription_count")
        assert response.json() == {"occupied": True, "user_count": 1, "subscription_count": 2}

    def test_an_empty_channel_is_no_error(self, server):
        assert get(server, "/channels/empty").json() == {"occupied": False}

    def test_a_cache_channel_tells_its_last_event(self, server):
        assert get(server, "/channels/cache-a", info="cache").json() == {"occupied": False}
        post(server, "/events", EVENT | {"channels": ["cache-a"], "data": "last"})
        cache = get(server, "/channels/cache-a", info="cache").json()["cache"]
        assert cache["data"] == "last"
        assert 1_790 < cache["ttl"] <= 1_800

    @pytest.mark.parametrize(
        "path",
        ["/channels/a%20b", "/channels/%23x", "/channels/" + "x" * 165, "/channels/pub/users"],
    )
    def test_what_makes_no_sense_is_refused(self, server, path):
        assert get(server, path).status == 400

    @pytest.mark.parametrize("info", ["user_count", "cache", "colour"])
    def test_attributes_that_a_kind_lacks_are_refused(self, server, info):
        assert get(server, "/channels/pub", info=info).status == 400

    def test_a_name_may_be_percent_encoded(self, server):
        """It is signed as it is requested."""
        assert get(server, "/channels/a%3Db%40c").json() == {"occupied": False}

    def test_members_are_users_and_not_connections(self, server):
        assert get(server, "/channels/presence-a/users").json() == {"users": [{"id": "1"}]}
        assert get(server, "/channels/presence-b/users").json() == {"users": []}


class TestTermination:
    @pytest.mark.parametrize("user_id", ["a@b", "a:b", "a/b"])
    def test_the_users_connections_are_closed_with_4009(self, server, user_id):
        from pusher_dev_server.signatures import sign

        with Client(server) as client:
            text = json.dumps({"id": user_id})
            signature = sign(server.secret, f"{client.socket_id}::user::{text}")
            auth = f"{server.key}:{signature}"
            client.say("pusher:signin", {"auth": auth, "user_data": text})
            client.receive("pusher:signin_success")
            path = f"/users/{quote(user_id, safe='')}/terminate_connections"
            response = post(server, path, {})
            assert (response.status, response.json()) == (200, {})
            assert client.close_code() == 4009

    def test_the_body_may_be_empty(self, server):
        assert request(server, "POST", "/users/7/terminate_connections").status == 200


class TestRefusals:
    def test_the_wrong_secret_is_401(self, server):
        response = post(server, "/events", EVENT, secret="wrong")
        assert (response.status, response.text) == (401, "Invalid auth_signature")

    def test_a_changed_body_is_401(self, server):
        assert post(server, "/events", EVENT, sent=b"{}").status == 401

    @pytest.mark.parametrize("seconds", [-700, 700])
    def test_a_wrong_clock_is_401(self, server, seconds):
        assert get(server, "/channels", timestamp=time.time() + seconds).status == 401

    def test_no_signature_is_401(self, server):
        import urllib.error
        import urllib.request

        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{server.url}/apps/{server.app_id}/channels")
        refused.value.close()
        assert refused.value.code == 401

    @pytest.mark.parametrize("path", ["/channels", "/events"])
    def test_an_unknown_app_is_404(self, server, path):
        method = get if path == "/channels" else lambda *a, **k: post(*a, EVENT, **k)
        assert method(server, path, app_id="nobody").status == 404

    @pytest.mark.parametrize("path", ["/nothing", "/channels/a/members", ""])
    def test_an_unknown_path_is_404(self, server, path):
        assert get(server, path).status == 404

    def test_a_wrong_method_is_405(self, server):
        assert get(server, "/events").status == 405

    def test_a_disabled_app_is_403(self):
        app = Application(id="9", key="k", secret="s", enabled=False)
        with LocalServer([app]) as server:
            assert get(server, "/channels").status == 403


class TestApps:
    def test_apps_share_nothing(self):
        apps = [Application(id=name, key=f"key-{name}", secret=f"secret-{name}") for name in "12"]
        with LocalServer(apps) as server, Client(server) as client:
            client.subscribe("a")
            server.app_id, server.key, server.secret = "2", "key-2", "secret-2"
            assert get(server, "/channels").json() == {"channels": {}}
            assert post(server, "/events", EVENT).status == 200
            assert client.is_silent()

    def test_one_apps_secret_opens_no_other(self):
        apps = [Application(id=name, key="same" + name, secret=name) for name in "12"]
        with LocalServer(apps) as server:
            assert get(server, "/channels", secret="2").status == 401


def test_errors_are_plain_text_and_answers_are_json(server):
    import urllib.error
    import urllib.request

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server.url}/apps/1/channels")
    refused.value.close()
    assert refused.value.headers["Content-Type"].startswith("text/plain")
    assert json.loads(get(server, "/channels").text) == {"channels": {}}
