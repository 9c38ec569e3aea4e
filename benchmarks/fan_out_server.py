"""A server that one event is sent through, to all who are connected: ours, or the floor.

Run as ``python -m benchmarks.fan_out_server VARIANT FD``, with a socket that listens already.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn

from pusher_dev_server.application import LOCAL_APP
from pusher_dev_server.asgi import PusherServer
from pusher_dev_server.runner import create_server


class Floor:
    """Bare uvicorn: what is posted goes, as it is, to each socket. It knows no protocol at all."""

    def __init__(self) -> None:
        self.sends: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            self.sends.append(send)
            while (await receive())["type"] != "websocket.disconnect":
                pass
            self.sends.remove(send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        text = body.decode()
        for each in self.sends:
            await each({"type": "websocket.send", "text": text})
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
        )
        await send({"type": "http.response.body", "body": b"{}"})


def main(variant: str, listener: socket.socket) -> None:
    server: uvicorn.Server = create_server(PusherServer([LOCAL_APP]), host="127.0.0.1", port=0)
    if variant == "floor":
        # All that uvicorn is told is the same.
        server.config.app, server.config.lifespan = Floor(), "off"
        server = uvicorn.Server(server.config)
    server.run([listener])


if __name__ == "__main__":
    main(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
