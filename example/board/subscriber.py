"""A client of Pusher's protocol for a terminal instead of a browser."""

import json
import socket
import time
from typing import Any

from drf_model_pusher.authorization.signing import sign_channel
from websockets.sync.client import connect


class Subscriber:
    """One connection, subscribed to one channel inside its ``with`` block.

    It knows the secret, and so lets itself in; a browser has to ask.
    """

    def __init__(self, host: str, port: int, key: str, secret: str, channel: str) -> None:
        self.key, self.secret, self.channel = key, secret, channel
        # A socket of our own, since a proxy that the environment names is not for this machine.
        self._connection = connect(
            f"ws://{host}:{port}/app/{key}?protocol=7&client=demo&version=1.0",
            sock=socket.create_connection((host, port)),
        )

    def __enter__(self) -> "Subscriber":
        self._connection.__enter__()
        established = json.loads(self._wait_for("pusher:connection_established", 5)["data"])
        auth = sign_channel(
            self.key, self.secret, socket_id=established["socket_id"], channel=self.channel
        )
        self._send("pusher:subscribe", {"channel": self.channel, "auth": auth})
        self._wait_for("pusher_internal:subscription_succeeded", 5)
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.__exit__(*error)

    def receive(self, timeout: float) -> tuple[str, Any] | None:
        """Return name and data of the channel's next event, or None when time is over."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                message = json.loads(self._connection.recv(max(0, deadline - time.monotonic())))
                if message["event"] == "pusher:ping":
                    self._send("pusher:pong", {})
                elif message.get("channel") == self.channel:
                    # The protocol sends data as JSON text inside the JSON of the frame.
                    return message["event"], json.loads(message["data"])
        except TimeoutError:
            return None

    def _send(self, event: str, data: Any) -> None:
        self._connection.send(json.dumps({"event": event, "data": data}))

    def _wait_for(self, event: str, timeout: float) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(self._connection.recv(timeout))
            if message["event"] == event:
                return message
