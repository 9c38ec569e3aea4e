"""The official Python library against the server, over real sockets."""

from __future__ import annotations

import json

import pusher
import pytest

from drf_model_pusher.server.runner import LocalServer

from .client import Client


@pytest.fixture
def library(pusher_server: LocalServer) -> pusher.Pusher:
    return pusher.Pusher(
        pusher_server.app_id,
        pusher_server.key,
        pusher_server.secret,
        host=pusher_server.host,
        port=pusher_server.port,
        ssl=False,
        encryption_master_key_base64="zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU=",
    )


class TestTrigger:
    def test_an_event_reaches_the_subscribers_of_its_channels(self, pusher_server, library):
        with Client(pusher_server) as one, Client(pusher_server) as two:
            one.subscribe("a")
            two.subscribe("b")
            assert library.trigger(["a", "b"], "hi", {"to": "all"}) == {}
            for client, channel in ((one, "a"), (two, "b")):
                frame = client.receive("hi")
                assert frame["channel"] == channel
                assert json.loads(frame["data"]) == {"to": "all"}

    def test_the_connection_that_caused_it_is_left_out(self, pusher_server, library):
        with Client(pusher_server) as writer, Client(pusher_server) as reader:
            writer.subscribe("a")
            reader.subscribe("a")
            library.trigger("a", "hi", {}, socket_id=writer.socket_id)
            reader.receive("hi")
            assert writer.is_silent()

    def test_a_batch_keeps_its_order(self, pusher_server, library):
        with Client(pusher_server) as client:
            client.subscribe("a")
            names = [f"event-{number}" for number in range(10)]
            library.trigger_batch([{"channel": "a", "name": name, "data": {}} for name in names])
            assert [client.receive()["event"] for _ in names] == names

    def test_the_wrong_secret_is_refused(self, pusher_server):
        stranger = pusher.Pusher(
            pusher_server.app_id, pusher_server.key, "wrong",
            host=pusher_server.host, port=pusher_server.port, ssl=False,
        )  # fmt: skip
        with pytest.raises(pusher.errors.PusherBadAuth):
            stranger.trigger("a", "hi", {})
        assert pusher_server.events == []


class TestAuthorization:
    def test_private_encrypted_and_presence_channels_take_its_signatures(
        self, pusher_server, library
    ):
        with Client(pusher_server) as client:
            for channel, member in (
                ("private-a", None),
                ("private-encrypted-a", None),
                ("presence-a", {"user_id": "7", "user_info": {"name": "Ada"}}),
            ):
                signed = library.authenticate(channel, client.socket_id, member)
                signed.pop("shared_secret", None)
                client.say("pusher:subscribe", {"channel": channel, **signed})
                client.receive("pusher_internal:subscription_succeeded")


class TestQueries:
    def test_channels_members_and_counts(self, pusher_server, library):
        with Client(pusher_server) as client:
            client.subscribe("a")
            client.subscribe("presence-a", '{"user_id":"7"}')
            assert library.channels_info() == {"channels": {"a": {}, "presence-a": {}}}
            assert library.channels_info("presence-", ["user_count"]) == {
                "channels": {"presence-a": {"user_count": 1}}
            }
            assert library.channel_info("a", ["subscription_count"]) == {
                "occupied": True,
                "subscription_count": 1,
            }
            assert library.users_info("presence-a") == {"users": [{"id": "7"}]}
