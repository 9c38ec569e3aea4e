"""A WebSocket client whose verbs are the protocol's."""

from __future__ import annotations

import json
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from pusher_dev_server.signatures import sign
from pusher_dev_server.testing import LocalServer


class Client:
    """One connection to a local server, greeted and ready inside its ``with`` block."""

    def __init__(self, server: LocalServer, **options: Any) -> None:
        self.server = server
        self._connecting = connect(server.ws_url, **options)

    def __enter__(self) -> Client:
        self.socket = self._connecting.__enter__()
        greeting = json.loads(self.receive("pusher:connection_established")["data"])
        self.socket_id = greeting["socket_id"]
        return self

    def __exit__(self, *error: Any) -> None:
        self._connecting.__exit__(*error)

    def say(self, event: str, data: Any, channel: str | None = None) -> None:
        message = {"event": event, "data": data}
        if channel:
            message["channel"] = channel
        self.socket.send(json.dumps(message))

    def receive(self, event: str | None = None, timeout: float = 5) -> dict[str, Any]:
        """Return the next frame, which must be of this event if one is given."""
        frame = json.loads(self.socket.recv(timeout))
        assert event is None or frame["event"] == event, frame
        return frame

    def subscribe(self, channel: str, channel_data: str | None = None) -> dict[str, Any]:
        """Subscribe, authorized where the channel needs it, and return the answer."""
        data = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            if channel_data is not None:
                data["channel_data"] = channel_data
            data["auth"] = self.auth(channel, channel_data)
        self.say("pusher:subscribe", data)
        return self.receive("pusher_internal:subscription_succeeded")

    def auth(self, channel: str, channel_data: str | None = None) -> str:
        """Return the app's word that this connection may subscribe."""
        signed = [self.socket_id, channel, *([] if channel_data is None else [channel_data])]
        return f"{self.server.key}:{sign(self.server.secret, ':'.join(signed))}"

    def close_code(self, timeout: float = 5) -> int:
        """Read until the server closes, and return its code."""
        try:
            while True:
                self.socket.recv(timeout)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006

    def is_silent(self) -> bool:
        """Say whether nothing more was sent: an answer to a ping is the next frame."""
        self.say("pusher:ping", {})
        return self.receive()["event"] == "pusher:pong"
