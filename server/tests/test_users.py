"""Signed-in users and their watchlists."""

from __future__ import annotations

import json

from dev_server_tests.pure import World
from pusher_dev_server.protocol import CloseCode


def watchlist(frames: list[dict]) -> list[dict]:
    """Return the watchlist events among frames."""
    return [
        event
        for frame in frames
        if frame["event"] == "pusher_internal:watchlist_events"
        for event in json.loads(frame["data"])["events"]
    ]


class TestWatchlist:
    def test_at_the_sign_in_one_learns_who_is_there(self):
        world = World()
        world.connect().sign_in({"id": "8"})
        watcher = world.connect()
        watcher.sign_in({"id": "7", "watchlist": ["8", "9"]})
        frames = watcher.read()
        assert frames[0]["event"] == "pusher:signin_success"
        assert watchlist(frames) == [
            {"name": "online", "user_ids": ["8"]},
            {"name": "offline", "user_ids": ["9"]},
        ]

    def test_later_one_learns_of_the_first_and_the_last_connection(self):
        world = World()
        watcher = world.connect()
        watcher.sign_in({"id": "7", "watchlist": ["8"]})
        watcher.read()
        tabs = [world.connect(), world.connect()]
        for tab in tabs:
            tab.sign_in({"id": "8"})
        assert watchlist(watcher.read()) == [{"name": "online", "user_ids": ["8"]}]
        tabs[0].disconnect()
        assert watcher.read() == []
        tabs[1].disconnect()
        assert watchlist(watcher.read()) == [{"name": "offline", "user_ids": ["8"]}]

    def test_who_is_not_watched_is_not_reported(self):
        world = World()
        watcher = world.connect()
        watcher.sign_in({"id": "7", "watchlist": ["8"]})
        watcher.read()
        world.connect().sign_in({"id": "9"})
        assert watcher.read() == []

    def test_nothing_comes_after_the_watcher_has_gone(self):
        world = World()
        watcher = world.connect()
        watcher.sign_in({"id": "7", "watchlist": ["7", "8"]})
        watcher.disconnect()
        watcher.read()
        world.connect().sign_in({"id": "8"})
        assert watcher.read() == []

    def test_one_that_is_too_long_is_cut_and_reported(self):
        world = World()
        world.connect().sign_in({"id": "100"})
        watcher = world.connect()
        watcher.sign_in({"id": "me", "watchlist": [str(number) for number in range(101)]})
        frames = watcher.read()
        assert len(watchlist(frames)[0]["user_ids"]) == 100
        assert frames[-1]["event"] == "pusher:error"
        assert frames[-1]["data"]["code"] == 4302


class TestTermination:
    def test_it_closes_all_connections_of_the_user_and_no_others(self):
        world = World()
        clients = [world.connect() for _ in range(3)]
        for client, user in zip(clients, ("7", "7", "8"), strict=True):
            client.sign_in({"id": user})
        world.hub.terminate("7")
        assert [client.closed and client.closed[0] for client in clients] == [
            CloseCode.UNAUTHORIZED,
            CloseCode.UNAUTHORIZED,
            None,
        ]

    def test_an_unknown_user_is_no_error(self):
        World().hub.terminate("nobody")


class TestLeaving:
    def test_nothing_is_left_of_a_connection(self):
        world = World()
        client = world.connect()
        client.sign_in({"id": "7", "watchlist": ["8"]})
        client.subscribe("#server-to-user-7")
        client.subscribe("presence-a", {"user_id": "7"})
        client.disconnect()
        hub = world.hub
        assert (hub.connections, hub.channels, len(hub.users)) == ({}, {}, 0)
        assert hub.users._watchers == {}
