"""Members of presence channels: distinct users, and not connections."""

from __future__ import annotations

import json

import pytest

from dev_server_tests.pure import World


def listing(client) -> dict:
    """Return the members in the answer to a subscription, which must be the next frame."""
    frame = client.read()[0]
    assert frame["event"] == "pusher_internal:subscription_succeeded"
    return json.loads(frame["data"])["presence"]


class TestListing:
    def test_it_has_ids_hash_and_count(self):
        world = World()
        one, two = world.connect(), world.connect()
        one.subscribe("presence-a", {"user_id": "1", "user_info": {"name": "Ada"}})
        two.subscribe("presence-a", {"user_id": "2"})
        assert listing(two) == {
            "ids": ["1", "2"],
            "hash": {"1": {"name": "Ada"}, "2": None},
            "count": 2,
        }

    def test_empty_info_stays_an_object(self):
        client = World().connect()
        client.subscribe("presence-a", {"user_id": "1", "user_info": {}})
        assert listing(client)["hash"] == {"1": {}}


class TestNews:
    def test_others_hear_of_a_user_who_joins_and_leaves(self):
        world = World()
        (one,) = world.subscribed("presence-a", 1)
        two = world.connect()
        two.subscribe("presence-a", {"user_id": "2", "user_info": {"name": "Bea"}})
        assert two.events() == ["pusher_internal:subscription_succeeded"]
        (added,) = one.read()
        assert added["event"] == "pusher_internal:member_added"
        assert json.loads(added["data"]) == {"user_id": "2", "user_info": {"name": "Bea"}}
        two.unsubscribe("presence-a")
        (removed,) = one.read()
        assert removed["event"] == "pusher_internal:member_removed"
        assert json.loads(removed["data"]) == {"user_id": "2"}
        assert two.read() == []

    def test_nobody_hears_of_a_second_tab(self):
        world = World()
        (watcher,) = world.subscribed("presence-a", 1)
        tabs = [world.connect(), world.connect()]
        for tab in tabs:
            tab.subscribe("presence-a", {"user_id": "2"})
            assert listing(tab)["count"] == 2
        assert watcher.events() == ["pusher_internal:member_added"]
        tabs[0].disconnect()
        assert watcher.read() == []
        tabs[1].disconnect()
        assert watcher.events() == ["pusher_internal:member_removed"]


class TestChannelData:
    @pytest.mark.parametrize(
        ("user_id", "member"),
        [("7", "7"), (7, "7"), (7.0, "7"), (1.5, "1.5"), (10**18, str(10**18))],
    )
    def test_an_id_is_a_text_or_a_number(self, user_id, member):
        client = World().connect()
        client.subscribe("presence-a", {"user_id": user_id})
        assert listing(client)["ids"] == [member]

    @pytest.mark.parametrize(
        "member",
        [
            {},
            {"user_id": None},
            {"user_id": ""},
            {"user_id": True},
            {"user_id": {}},
            {"user_id": "x" * 129},
            {"user_id": 10**200},
            [],
            "text",
            {"user_id": "1", "user_info": "x" * 1_024},
        ],
    )
    def test_other_ids_and_large_users_are_refused(self, member):
        client = World().connect()
        client.subscribe("presence-a", member)
        assert "channel_data" in client.error()
        assert client.world.hub.channels == {}

    @pytest.mark.parametrize("channel_data", ["{", '{"user_id":1e999}', '{"user_id":NaN}'])
    def test_signed_nonsense_is_refused(self, channel_data):
        client = World().connect()
        auth = client.auth("presence-a", channel_data)
        data = {"channel": "presence-a", "auth": auth, "channel_data": channel_data}
        client.say("pusher:subscribe", data)
        assert client.error() == "channel_data is not valid JSON"

    def test_channel_data_is_a_text(self):
        client = World().connect()
        data = {"channel": "presence-a", "auth": "a", "channel_data": {"user_id": "1"}}
        client.say("pusher:subscribe", data)
        assert client.error() == "channel_data is not a string"

    def test_without_it_a_connection_must_be_signed_in(self):
        client = World().connect()
        client.subscribe("presence-a")
        assert "sign-in required" in client.error()

    def test_it_is_covered_by_the_signature(self):
        client = World().connect()
        data = {
            "channel": "presence-a",
            "auth": client.auth("presence-a", '{"user_id":"1"}'),
            "channel_data": '{"user_id":"2"}',
        }
        client.say("pusher:subscribe", data)
        assert "Auth value" in client.error()


class TestLimit:
    def test_a_hundred_users_have_room_and_the_next_has_not(self):
        world = World()
        world.subscribed("presence-a", 100)
        late = world.connect()
        late.subscribe("presence-a", {"user_id": "late"})
        assert "100 members" in late.error()

    def test_a_user_who_is_there_has_room_for_another_tab(self):
        world = World({"presence_members": 1})
        world.subscribed("presence-a", 1)
        tab = world.connect()
        tab.subscribe("presence-a", {"user_id": "0"})
        assert listing(tab)["count"] == 1
