"""The WebSocket side: from frames on a socket to the hub, and back.

Each connection has a bounded buffer and one task that empties it, so that a client that reads
slowly, or not at all, costs the others nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from drf_model_pusher.server import conversation, protocol
from drf_model_pusher.server.connection import Connection
from drf_model_pusher.server.hub import Hub
from drf_model_pusher.server.protocol import Refused

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

#: Seconds that a client has to read what was sent before a close, and to answer the close.
CLOSE_TIMEOUT = 5.0


class Socket:
    """The peer of a connection: takes frames at once, and sends them when the client reads."""

    def __init__(self, send: Send, max_bytes: int) -> None:
        self._send = send
        self._frames: deque[str] = deque()
        self._room = max_bytes
        self._closing: Message | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._wake: asyncio.Future[None] | None = None
        self._reader = asyncio.current_task()
        self.is_cut_off = False

    def send(self, text: str) -> None:
        """Take a frame; cut the client off if too much is waiting for it."""
        if self._closing is not None:
            return
        self._room -= len(text)
        if self._room < 0:
            self._cut_off()
            return
        self._frames.append(text)
        self._rouse()

    def close(self, code: int, reason: str) -> None:
        """Take no more frames; close when those that were taken are sent."""
        if self._closing is not None:
            return
        self._closing = {"type": "websocket.close", "code": int(code), "reason": reason}
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(CLOSE_TIMEOUT, self._cut_off)
        self._rouse()

    def ended(self) -> None:
        """Note that the client has gone, however that came."""
        self._closing = self._closing or {"type": "websocket.close"}
        if self._deadline is not None:
            self._deadline.cancel()

    async def write(self) -> None:
        """Send what is taken, until the connection is closed."""
        frames, send = self._frames, self._send
        # Sending fails when the client has gone; the reader is told, and ends the connection.
        with contextlib.suppress(OSError, RuntimeError):
            while True:
                while frames:
                    text = frames.popleft()
                    await send({"type": "websocket.send", "text": text})
                    self._room += len(text)
                if self._closing is not None:
                    await send(self._closing)
                    return
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake

    def _rouse(self) -> None:
        if self._wake is not None:
            self._wake.set_result(None)
            self._wake = None

    def _cut_off(self) -> None:
        self.is_cut_off = True
        self._closing = {"type": "websocket.close"}
        self._frames.clear()
        # A close frame would wait behind what the client does not read. uvicorn's `send` is a
        # method of the protocol that owns the transport; elsewhere the server ends the connection
        # in its own time when the application returns.
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        if self._reader is not None:
            self._reader.cancel()


async def serve(
    hub: Hub,
    parameters: Mapping[str, str],
    receive: Receive,
    send: Send,
    clock: Callable[[], float],
) -> None:
    """Serve one accepted WebSocket to its end.

    Args:
        hub: The hub of the app whose key the address names.
        parameters: The query of the address.
        receive: The ASGI callable.
        send: The ASGI callable.
        clock: The clock that the hub is driven by.
    """
    socket = Socket(send, hub.limits.outgoing_bytes)
    try:
        protocol.check_versions(parameters)
        connection = hub.connect(socket, clock())
    except Refused as refusal:
        await refuse(send, refusal)
        return
    writer = asyncio.ensure_future(socket.write())
    try:
        await _read(hub, connection, receive, clock)
    except asyncio.CancelledError:
        if not socket.is_cut_off:
            raise
    finally:
        hub.disconnect(connection, clock())
        socket.ended()
        writer.cancel()


async def refuse(send: Send, refusal: Refused) -> None:
    """Tell an accepted socket why it is not wanted, and close it."""
    # Clients of protocol 6 and later read the close code; the event is for all others.
    with contextlib.suppress(OSError):
        text = protocol.error(str(refusal), refusal.code)
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": int(refusal.code), "reason": str(refusal)})


async def _read(
    hub: Hub, connection: Connection, receive: Receive, clock: Callable[[], float]
) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None:
            conversation.refuse_binary(hub, connection, clock())
        else:
            conversation.receive(hub, connection, text, clock())
        # One client's flood waits its turn between the others' frames.
        await asyncio.sleep(0)
