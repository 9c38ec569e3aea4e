"""What clients say, and what the hub answers, without a socket."""

from __future__ import annotations

import json

import pytest

from dev_server_tests.pure import World

KINDS = [
    "pub",
    "private-a",
    "private-encrypted-a",
    "cache-a",
    "private-cache-a",
    "private-encrypted-cache-a",
]


class TestConnecting:
    def test_the_greeting_names_the_socket_and_the_time_out(self):
        client = World().connect()
        assert client.greeting["event"] == "pusher:connection_established"
        assert json.loads(client.greeting["data"]) == {
            "socket_id": client.socket_id,
            "activity_timeout": 120,
        }

    def test_socket_ids_are_two_numbers_and_all_different(self):
        world = World()
        ids = {world.connect().socket_id for _ in range(100)}
        assert len(ids) == 100
        assert all(part.isdigit() for socket_id in ids for part in socket_id.split("."))


class TestPing:
    def test_it_is_answered(self):
        client = World().connect()
        client.say("pusher:ping", {})
        assert client.read() == [{"event": "pusher:pong", "data": {}}]

    def test_a_pong_needs_no_answer(self):
        client = World().connect()
        client.say("pusher:pong", {})
        assert client.read() == []


class TestSubscribing:
    @pytest.mark.parametrize("channel", KINDS)
    def test_each_kind_succeeds(self, channel):
        client = World().connect()
        client.subscribe(channel)
        assert client.read()[0] == {
            "event": "pusher_internal:subscription_succeeded",
            "channel": channel,
            "data": "{}",
        }

    def test_an_empty_auth_is_no_matter_on_a_public_channel(self):
        """pusher-js sends one."""
        client = World().connect()
        client.say("pusher:subscribe", {"channel": "pub", "auth": ""})
        assert client.events() == ["pusher_internal:subscription_succeeded"]

    def test_data_may_be_encoded_twice(self):
        client = World().connect()
        client.say("pusher:subscribe", '{"channel":"pub"}')
        assert client.events() == ["pusher_internal:subscription_succeeded"]

    @pytest.mark.parametrize("channel", KINDS[1:3] + KINDS[4:] + ["presence-a", "presence-cache-a"])
    def test_what_needs_authorization_is_refused_without(self, channel):
        client = World().connect()
        client.say("pusher:subscribe", {"channel": channel})
        assert client.error() == f"Auth info required to subscribe to {channel}"
        assert client.world.hub.channels == {}

    def test_a_forged_signature_is_refused(self):
        client = World().connect()
        client.say("pusher:subscribe", {"channel": "private-a", "auth": client.auth("private-b")})
        assert client.error() == "Auth value for subscription to private-a is invalid"
        assert client.world.hub.channels == {}

    def test_errors_of_a_subscription_have_no_code(self):
        client = World().connect()
        client.say("pusher:subscribe", {"channel": "private-a"})
        assert client.read()[0]["data"]["code"] is None

    def test_a_second_time_is_an_error(self):
        world = World()
        (client,) = world.subscribed("pub", 1)
        client.subscribe("pub")
        assert client.error() == "Existing subscription to channel pub"

    @pytest.mark.parametrize("name", ["a b", "a/b", "a:b", "é", "a\n", "x" * 165, "a#"])
    def test_a_name_that_is_not_allowed_is_refused(self, name):
        client = World().connect()
        client.say("pusher:subscribe", {"channel": name})
        assert client.error().startswith("Invalid channel name")

    def test_a_name_may_have_164_characters(self):
        client = World().connect()
        client.subscribe("x" * 164)
        assert client.events() == ["pusher_internal:subscription_succeeded"]

    def test_one_socket_has_so_many_subscriptions(self):
        client = World({"channels_per_connection": 2}).connect()
        for name in "abc":
            client.subscribe(name)
        assert client.events()[-1] == "pusher:error"
        assert list(client.world.hub.channels) == ["a", "b"]


class TestUnsubscribing:
    def test_it_is_not_answered_and_nothing_comes_any_more(self):
        world = World()
        (client,) = world.subscribed("pub", 1)
        client.unsubscribe("pub")
        assert client.read() == []
        assert world.hub.channels == {}

    def test_it_is_no_error_without_a_subscription(self):
        client = World().connect()
        client.unsubscribe("pub")
        assert client.read() == []

    def test_one_can_come_back(self):
        world = World()
        (client,) = world.subscribed("pub", 1)
        client.unsubscribe("pub")
        client.subscribe("pub")
        assert client.events() == ["pusher_internal:subscription_succeeded"]


class TestNonsense:
    @pytest.mark.parametrize(
        "text",
        [
            "garbage",
            '{"event":"pusher:subscribe"}',
            '{"event":"pusher:subscribe","data":[]}',
            '{"event":"pusher:subscribe","data":"{"}',
            '{"event":"pusher:subscribe","data":{"channel":["a"]}}',
            '{"event":"pusher:subscribe","data":{"channel":"private-a","auth":{}}}',
            '{"event":"pusher:unsubscribe"}',
            '{"event":"pusher:signin"}',
            '{"event":"pusher:signin","data":{"auth":"a"}}',
            '{"event":"pusher:made_up"}',
            '{"event":"pusher_internal:member_added","channel":"presence-a"}',
            '{"event":"orders.create","channel":"orders"}',
        ],
    )
    def test_it_is_answered_with_an_error_and_the_connection_stays(self, text):
        client = World().connect()
        client.say_text(text)
        assert client.error()
        assert client.closed is None
        client.subscribe("pub")
        assert client.events() == ["pusher_internal:subscription_succeeded"]


class TestClientEvents:
    @pytest.mark.parametrize(
        ("sent", "received"),
        [({"who": "é"}, '{"who":"é"}'), ("plain", "plain"), ('{"a": 1}', '{"a": 1}'), ([1], "[1]")],
    )
    def test_others_get_the_data_as_text_and_the_sender_nothing(self, sent, received):
        one, two = World().subscribed("private-a")
        one.say("client-typing", sent, "private-a")
        assert one.read() == []
        assert two.read() == [{"event": "client-typing", "channel": "private-a", "data": received}]

    def test_no_data_stays_no_data(self):
        one, two = World().subscribed("private-a")
        one.say("client-typing", channel="private-a")
        assert two.read() == [{"event": "client-typing", "channel": "private-a"}]

    def test_on_a_presence_channel_they_carry_the_senders_id(self):
        one, two = World().subscribed("presence-a")
        one.say("client-typing", {}, "presence-a")
        assert two.read()[0]["user_id"] == "0"

    @pytest.mark.parametrize("channel", ["pub", "private-encrypted-a", "cache-a"])
    def test_other_kinds_of_channels_refuse_them(self, channel):
        one, two = World().subscribed(channel)
        one.say("client-typing", {}, channel)
        assert "only supported on private and presence" in one.error()
        assert two.read() == []

    def test_they_need_a_subscription(self):
        world = World()
        (reader,) = world.subscribed("private-a", 1)
        stranger = world.connect()
        stranger.say("client-typing", {}, "private-a")
        assert "not subscribed" in stranger.error()
        assert reader.read() == []

    def test_they_need_a_channel(self):
        client = World().connect()
        client.say("client-typing", {})
        assert "not subscribed" in client.error()

    def test_an_app_may_switch_them_off(self):
        one, two = World(client_events=False).subscribed("private-a")
        one.say("client-typing", {}, "private-a")
        assert "not enabled" in one.error()
        assert two.read() == []

    def test_ten_a_second_pass_and_the_next_is_rejected(self):
        world = World()
        one, two = world.subscribed("private-a")
        for _ in range(10):
            one.say("client-typing", {}, "private-a")
        assert one.read() == []
        one.say("client-typing", {}, "private-a")
        assert one.read()[0]["data"]["code"] == 4301
        assert len(two.read()) == 10
        world.now += 1
        one.say("client-typing", {}, "private-a")
        assert len(two.read()) == 1

    def test_one_clients_rate_is_not_anothers(self):
        one, two = World({"client_events_per_second": 1}).subscribed("private-a")
        one.say("client-typing", {}, "private-a")
        two.read()
        two.say("client-typing", {}, "private-a")
        assert two.read() == []

    def test_their_data_may_be_as_large_as_an_events(self):
        one, two = World().subscribed("private-a")
        one.say("client-big", "é" * 5_120, "private-a")
        assert two.events() == ["client-big"]
        one.say("client-big", "é" * 5_121, "private-a")
        assert "larger than 10240 bytes" in one.error()

    def test_their_names_have_at_most_200_characters(self):
        one, two = World().subscribed("private-a")
        one.say("client-".ljust(200, "x"), {}, "private-a")
        assert len(two.read()) == 1
        one.say("client-".ljust(201, "x"), {}, "private-a")
        assert "200 characters" in one.error()

    def test_a_lone_surrogate_does_not_stop_the_others(self):
        one, two = World().subscribed("private-a")
        one.say_text('{"event":"client-x","channel":"private-a","data":"\\ud800"}')
        assert two.read()[0]["data"] == "\ud800"


class TestSigningIn:
    def test_it_is_answered_with_the_user_data(self):
        client = World().connect()
        client.sign_in({"id": "7"})
        assert client.read() == [
            {"event": "pusher:signin_success", "data": {"user_data": '{"id": "7"}'}}
        ]

    def test_a_forged_signature_is_refused(self):
        client = World().connect()
        key = client.world.hub.app.key
        client.say("pusher:signin", {"auth": f"{key}:{'0' * 64}", "user_data": '{"id":"7"}'})
        (frame,) = client.read()
        message = "Auth value for sign-in is invalid"
        assert frame == {"event": "pusher:error", "data": {"code": 4009, "message": message}}
        assert client.connection.user is None

    @pytest.mark.parametrize(
        "user",
        [{}, {"id": 7}, {"id": ""}, {"id": "x" * 129}, [], {"id": "7", "watchlist": "8"}],
    )
    def test_user_data_needs_an_id(self, user):
        client = World().connect()
        client.sign_in(user)
        assert client.error()
        assert client.connection.user is None

    def test_a_connection_stays_who_it_is(self):
        client = World().connect()
        client.sign_in({"id": "7"})
        client.read()
        client.sign_in({"id": "8"})
        assert client.error() == "Connection is already signed in"
        assert client.connection.user.id == "7"

    def test_a_user_has_a_channel_of_its_own(self):
        client = World().connect()
        client.sign_in({"id": "7"})
        client.subscribe("#server-to-user-7")
        assert client.events()[-1] == "pusher_internal:subscription_succeeded"

    def test_which_nobody_else_may_join(self):
        world = World()
        stranger, other = world.connect(), world.connect()
        other.sign_in({"id": "8"})
        other.read()
        for client in (stranger, other):
            client.subscribe("#server-to-user-7")
            assert "Not signed in" in client.error()
        assert world.hub.channels == {}

    def test_a_signed_in_user_may_be_a_member_without_channel_data(self):
        client = World().connect()
        client.sign_in({"id": "7", "user_info": {"name": "Ada"}})
        client.read()
        client.subscribe("presence-a")
        (frame,) = client.read()
        assert json.loads(frame["data"])["presence"]["hash"] == {"7": {"name": "Ada"}}

    def test_such_a_member_is_no_larger_than_others(self):
        client = World().connect()
        client.sign_in({"id": "7", "user_info": {"name": "A" * 1_024}})
        client.read()
        client.subscribe("presence-a")
        assert "larger than 1024 bytes" in client.error()
        assert client.world.hub.channels == {}
