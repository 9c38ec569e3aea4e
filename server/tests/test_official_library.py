"""The official Python library against the server, over real sockets."""

from __future__ import annotations

import json

import pusher
import pytest

from dev_server_tests.client import Client
from pusher_dev_server.testing import LocalServer


@pytest.fixture
def library(server: LocalServer) -> pusher.Pusher:
    return pusher.Pusher(
        server.app_id,
        server.key,
        server.secret,
        host=server.host,
        port=server.port,
        ssl=False,
        encryption_master_key_base64="zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU=",
    )


class TestTrigger:
    def test_an_event_reaches_the_subscribers_of_its_channels(self, server, library):
        with Client(server) as one, Client(server) as two:
            one.subscribe("a")
            two.subscribe("b")
            assert library.trigger(["a", "b"], "hi", {"to": "all"}) == {}
            for client, channel in ((one, "a"), (two, "b")):
                frame = client.receive("hi")
                assert frame["channel"] == channel
                assert json.loads(frame["data"]) == {"to": "all"}

    def test_the_connection_that_caused_it_is_left_out(self, server, library):
        with Client(server) as writer, Client(server) as reader:
            writer.subscribe("a")
            reader.subscribe("a")
            library.trigger("a", "hi", {}, socket_id=writer.socket_id)
            reader.receive("hi")
            assert writer.is_silent()

    def test_a_batch_keeps_its_order(self, server, library):
        with Client(server) as client:
            client.subscribe("a")
            names = [f"event-{number}" for number in range(10)]
            library.trigger_batch([{"channel": "a", "name": name, "data": {}} for name in names])
            assert [client.receive()["event"] for _ in names] == names

    def test_the_wrong_secret_is_refused(self, server):
        stranger = pusher.Pusher(
            server.app_id, server.key, "wrong",
            host=server.host, port=server.port, ssl=False,
        )  # fmt: skip
        with pytest.raises(pusher.errors.PusherBadAuth):
            stranger.trigger("a", "hi", {})
        assert server.events == []


class TestAuthorization:
    def test_private_encrypted_and_presence_channels_take_its_signatures(self, server, library):
        with Client(server) as client:
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
    def test_channels_members_and_counts(self, server, library):
        with Client(server) as client:
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
