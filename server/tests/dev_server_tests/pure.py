"""A hub without sockets: clients whose frames are lists, and a clock that a test turns."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pusher_dev_server import handlers
from pusher_dev_server.application import Application, Limits
from pusher_dev_server.hub import Hub
from pusher_dev_server.signatures import sign

# The credentials of the protocol's published vectors.
APP = Application(id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")


class World:
    """One app, its clients, its webhooks and its time."""

    def __init__(self, limits: dict[str, Any] | None = None, **app: Any) -> None:
        self.now = 1_000.0
        self.webhooks: list[dict[str, Any]] = []
        self.activities: list[Any] = []
        self.hub = Hub(replace(APP, **app), Limits(**(limits or {})), self.webhooks.append)
        self.hub.observers.append(self.activities.append)

    def connect(self) -> Pipe:
        return Pipe(self)

    def subscribed(self, channel: str, count: int = 2, **options: Any) -> list[Pipe]:
        """Return clients that are subscribed, and have read all that it made."""
        pipes = [self.connect() for _ in range(count)]
        for number, pipe in enumerate(pipes):
            member = {"user_id": str(number)} if channel.startswith("presence-") else None
            pipe.subscribe(channel, member)
        for pipe in pipes:
            pipe.read()
        return pipes

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.hub.tick(self.now)

    def names(self) -> list[str]:
        """Return the names of the webhook events so far."""
        return [event["name"] for event in self.webhooks]


class Pipe:
    """A client of a pure hub; it is its own peer."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.unread: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.connection = world.hub.connect(self, world.now)
        self.socket_id = self.connection.socket_id
        self.greeting = self.read()[0]

    def send(self, text: str) -> None:
        text.encode()  # what cannot be encoded cannot be sent
        self.unread.append(text)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def read(self) -> list[dict[str, Any]]:
        """Return the frames since the last call."""
        texts, self.unread = self.unread, []
        return [json.loads(text) for text in texts]

    def events(self) -> list[str]:
        return [frame["event"] for frame in self.read()]

    def error(self) -> str:
        """Return the message of the one frame that came, which must be an error."""
        (frame,) = self.read()
        assert frame["event"] == "pusher:error", frame
        return frame["data"]["message"]

    def say_text(self, text: str) -> None:
        handlers.receive(self.world.hub, self.connection, text, self.world.now)

    def say(self, event: str, data: Any = None, channel: str | None = None) -> None:
        message: dict[str, Any] = {"event": event}
        if data is not None:
            message["data"] = data
        if channel is not None:
            message["channel"] = channel
        self.say_text(json.dumps(message))

    def auth(self, channel: str, channel_data: str | None = None) -> str:
        text = f"{self.socket_id}:{channel}"
        if channel_data is not None:
            text += f":{channel_data}"
        app = self.world.hub.app
        return f"{app.key}:{sign(app.secret, text)}"

    def subscribe(self, channel: str, member: dict[str, Any] | None = None) -> None:
        """Subscribe, authorized where the channel needs it."""
        data = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            channel_data = None if member is None else json.dumps(member)
            if channel_data is not None:
                data["channel_data"] = channel_data
            data["auth"] = self.auth(channel, channel_data)
        self.say("pusher:subscribe", data)

    def unsubscribe(self, channel: str) -> None:
        self.say("pusher:unsubscribe", {"channel": channel})

    def sign_in(self, user: dict[str, Any]) -> None:
        user_data = json.dumps(user)
        app = self.world.hub.app
        signature = sign(app.secret, f"{self.socket_id}::user::{user_data}")
        self.say("pusher:signin", {"auth": f"{app.key}:{signature}", "user_data": user_data})

    def disconnect(self) -> None:
        self.world.hub.disconnect(self.connection, self.world.now)
