"""What an app's state does by itself: publishing, time-outs, counts, webhooks."""

from __future__ import annotations

import json

import pytest

from dev_server_tests.pure import World
from pusher_dev_server.activity import Kind
from pusher_dev_server.events import Event
from pusher_dev_server.protocol import CloseCode, Refused


def publish(world: World, *channels: str, data: str = "{}", skip: str | None = None) -> None:
    event = Event(channels=channels, name="e", data=data, socket_id=skip)
    world.hub.publish(event, world.now)


class TestPublishing:
    def test_all_subscribers_get_the_same_text(self):
        """The text is encoded once, and not once for each subscriber."""
        world = World()
        one, two = world.subscribed("pub")
        publish(world, "pub", data='{"a": "é"}')
        assert one.unread[0] is two.unread[0]
        assert one.read() == [{"event": "e", "channel": "pub", "data": '{"a": "é"}'}]

    def test_one_connection_is_left_out(self):
        world = World()
        one, two = world.subscribed("pub")
        publish(world, "pub", skip=one.socket_id)
        assert (one.events(), two.events()) == ([], ["e"])

    def test_the_id_of_a_connection_that_has_gone_is_no_matter(self):
        world = World()
        (client,) = world.subscribed("pub", 1)
        publish(world, "pub", skip="1.1")
        assert client.events() == ["e"]

    def test_only_the_channels_subscribers_get_it(self):
        world = World()
        one, other = world.subscribed("pub", 1)[0], world.subscribed("other", 1)[0]
        publish(world, "pub")
        assert (one.events(), other.events()) == (["e"], [])

    def test_one_who_is_on_two_channels_gets_it_on_both(self):
        world = World()
        (client,) = world.subscribed("a", 1)
        client.subscribe("b")
        client.read()
        publish(world, "a", "b")
        assert [frame["channel"] for frame in client.read()] == ["a", "b"]

    def test_observers_are_told_once_for_each_channel(self):
        world = World()
        publish(world, "a", "b", data='{"n":1}')
        assert [(item.kind, item.channel, item.data) for item in world.activities] == [
            (Kind.PUBLISHED, "a", '{"n":1}'),
            (Kind.PUBLISHED, "b", '{"n":1}'),
        ]


class TestQuota:
    def test_the_app_takes_so_many_connections(self):
        world = World({"connections": 1})
        client = world.connect()
        with pytest.raises(Refused) as refused:
            world.connect()
        assert refused.value.code == CloseCode.OVER_QUOTA
        client.disconnect()
        world.connect()

    def test_a_disabled_app_takes_none(self):
        with pytest.raises(Refused) as refused:
            World(enabled=False).connect()
        assert refused.value.code == CloseCode.APP_DISABLED


class TestActivity:
    def test_a_silent_connection_is_asked_and_then_closed(self):
        world = World()
        client = world.connect()
        world.wait(119)
        assert client.read() == []
        world.wait(1)
        assert client.read() == [{"event": "pusher:ping", "data": {}}]
        world.wait(29)
        assert (client.read(), client.closed) == ([], None)
        world.wait(1)
        assert client.closed is not None
        assert client.closed[0] == CloseCode.NO_PONG

    @pytest.mark.parametrize("frame", ["pusher:pong", "pusher:ping", "nonsense"])
    def test_any_frame_is_a_sign_of_life(self, frame):
        world = World()
        client = world.connect()
        world.wait(120)
        client.say(frame)
        world.wait(100)
        assert client.closed is None
        client.read()
        world.wait(20)
        assert client.events() == ["pusher:ping"]


class TestAuthorizedConnections:
    def test_a_connection_that_nobody_vouches_for_is_closed(self):
        world = World(authorized_connections=True)
        idle, public, private, user = (world.connect() for _ in range(4))
        public.subscribe("pub")
        private.subscribe("private-a")
        user.sign_in({"id": "7"})
        world.wait(30)
        codes = [client.closed and client.closed[0] for client in (idle, public, private, user)]
        assert codes == [CloseCode.UNAUTHORIZED, CloseCode.UNAUTHORIZED, None, None]

    def test_it_must_be_asked_for(self):
        world = World()
        client = world.connect()
        world.wait(31)
        assert client.closed is None


class TestCache:
    @pytest.mark.parametrize("channel", ["cache-a", "private-cache-a", "private-encrypted-cache-a"])
    def test_a_late_subscriber_gets_the_last_event(self, channel):
        world = World()
        publish(world, channel, data='"first"')
        publish(world, channel, data='"last"')
        client = world.connect()
        client.subscribe(channel)
        assert client.read()[1:] == [{"event": "e", "channel": channel, "data": '"last"'}]

    def test_members_too(self):
        world = World()
        publish(world, "presence-cache-a")
        client = world.connect()
        client.subscribe("presence-cache-a", {"user_id": "1"})
        assert client.events() == ["pusher_internal:subscription_succeeded", "e"]

    def test_without_one_it_is_told_so_and_the_app_too(self):
        world = World()
        client = world.connect()
        client.subscribe("cache-a")
        assert client.read()[1:] == [{"event": "pusher:cache_miss", "channel": "cache-a"}]
        assert {"name": "cache_miss", "channel": "cache-a"} in world.webhooks

    def test_the_app_is_told_once_in_a_while(self):
        world = World()
        world.subscribed("cache-a", 5)
        assert world.names().count("cache_miss") == 1
        world.wait(10)
        world.subscribed("cache-a", 1)
        assert world.names().count("cache_miss") == 2

    def test_after_half_an_hour_it_is_forgotten(self):
        world = World()
        publish(world, "cache-a")
        world.wait(1_799)
        assert world.hub.cache.get("cache-a", world.now)
        world.now += 1
        assert world.hub.cache.get("cache-a", world.now) is None
        world.wait(0)
        assert world.hub.cache._events == {}

    def test_the_oldest_goes_where_there_are_too_many(self):
        world = World({"cached_channels": 2})
        for channel in ("cache-a", "cache-b", "cache-a", "cache-c"):
            publish(world, channel)
        cached = [world.hub.cache.get(f"cache-{name}", world.now) for name in "abc"]
        assert [item is not None for item in cached] == [True, False, True]

    def test_client_events_are_not_kept(self):
        world = World()
        (client,) = world.subscribed("private-cache-a", 1)
        client.say("client-x", {}, "private-cache-a")
        assert world.hub.cache.get("private-cache-a", world.now) is None

    def test_other_channels_have_none(self):
        world = World()
        publish(world, "a-cache-", "private-x-cache-")
        assert world.hub.cache._events == {}


class TestSubscriptionCount:
    def counts(self, client) -> list[int]:
        return [
            json.loads(frame["data"])["subscription_count"]
            for frame in client.read()
            if frame["event"] == "pusher_internal:subscription_count"
        ]

    @pytest.mark.parametrize("channel", ["pub", "private-a", "cache-a"])
    def test_every_change_is_announced(self, channel):
        world = World(subscription_count=True)
        one, two = world.connect(), world.connect()
        one.subscribe(channel)
        two.subscribe(channel)
        two.disconnect()
        assert self.counts(one) == [1, 2, 1]
        assert self.counts(two) == [2]
        counted = [event for event in world.webhooks if event["name"] == "subscription_count"]
        assert [event["subscription_count"] for event in counted] == [1, 2, 1]

    def test_the_answer_to_the_subscription_comes_first(self):
        client = World(subscription_count=True).connect()
        client.subscribe("pub")
        assert client.events() == [
            "pusher_internal:subscription_succeeded",
            "pusher_internal:subscription_count",
        ]

    def test_not_on_presence_channels(self):
        world = World(subscription_count=True)
        client = world.connect()
        client.subscribe("presence-a", {"user_id": "1"})
        assert self.counts(client) == []

    def test_it_must_be_switched_on(self):
        client = World().connect()
        client.subscribe("pub")
        assert self.counts(client) == []

    def test_above_a_hundred_every_five_seconds(self):
        world = World(subscription_count=True)
        clients = [world.connect() for _ in range(103)]
        for client in clients[:101]:
            client.subscribe("pub")
        clients[0].read()
        clients[101].subscribe("pub")
        clients[102].subscribe("pub")
        assert self.counts(clients[0]) == []
        world.wait(4)
        assert self.counts(clients[0]) == []
        world.wait(1)
        assert self.counts(clients[0]) == [103]
        world.wait(5)
        assert self.counts(clients[0]) == []


class TestWebhooks:
    def test_occupied_at_once_and_vacated_after_three_seconds(self):
        world = World()
        (client,) = world.subscribed("pub", 1)
        assert world.webhooks == [{"name": "channel_occupied", "channel": "pub"}]
        client.unsubscribe("pub")
        world.wait(2.9)
        assert world.names() == ["channel_occupied"]
        world.wait(0.1)
        assert world.webhooks[1:] == [{"name": "channel_vacated", "channel": "pub"}]

    def test_a_return_in_time_is_no_news(self):
        world = World()
        (client,) = world.subscribed("pub", 1)
        client.disconnect()
        world.wait(2)
        world.subscribed("pub", 1)
        world.wait(10)
        assert world.names() == ["channel_occupied"]

    def test_members_likewise(self):
        world = World()
        world.subscribed("presence-a", 1)
        member = {"channel": "presence-a", "user_id": "7"}
        for pause, news in ((1, ["member_added"]), (3, ["member_added", "member_removed"])):
            client = world.connect()
            client.subscribe("presence-a", {"user_id": "7"})
            client.disconnect()
            world.wait(pause)
            about = [event for event in world.webhooks if event.get("user_id") == "7"]
            assert about == [{"name": name, **member} for name in news]

    def test_client_events_are_reported_with_their_sender(self):
        world = World()
        one, two = world.subscribed("presence-a", 1)[0], world.subscribed("private-a", 1)[0]
        world.webhooks.clear()
        one.say("client-x", {"a": 1}, "presence-a")
        two.say("client-y", "text", "private-a")
        assert world.webhooks == [
            {
                "name": "client_event",
                "channel": "presence-a",
                "event": "client-x",
                "data": '{"a":1}',
                "socket_id": one.socket_id,
                "user_id": "0",
            },
            {
                "name": "client_event",
                "channel": "private-a",
                "event": "client-y",
                "data": "text",
                "socket_id": two.socket_id,
            },
        ]


class TestEnd:
    def test_all_are_sent_away_with_the_code(self):
        world = World()
        clients = [world.connect(), world.connect()]
        world.hub.close(CloseCode.RECONNECT, "bye")
        assert [client.closed for client in clients] == [(4200, "bye")] * 2
