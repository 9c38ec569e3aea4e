"""The WebSocket side: from frames on a socket to the hub, and back.

What a client does not read waits in a bounded buffer of its own, so that one that reads slowly, or
not at all, costs the others nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from drf_model_pusher.server import conversation, protocol
from drf_model_pusher.server.connection import Connection
from drf_model_pusher.server.hub import Hub
from drf_model_pusher.server.protocol import Refused

try:
    from uvicorn.protocols.websockets.websockets_sansio_impl import (
        WebSocketsSansIOProtocol as _DirectProtocol,
    )
except ImportError:  # pragma: no cover - another ASGI server
    _DirectProtocol = None  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

#: Seconds that a client has to read what was sent before a close, and to answer the close.
CLOSE_TIMEOUT = 5.0


class Socket:
    """The peer of a connection: what it is given goes out at once, in order, and never waits."""

    def __init__(self, send: Send, max_bytes: int) -> None:
        self._send = send
        # uvicorn's `send` is a method of the protocol that owns the transport. Under another
        # server, and behind middleware, there is none to be had, and frames go through `send`;
        # so they do where uvicorn's older protocol may still have the handshake to write.
        owner = getattr(send, "__self__", None)
        is_direct = _DirectProtocol is not None and isinstance(owner, _DirectProtocol)
        transport = getattr(owner, "transport", None) if is_direct else None
        self._transport = transport if isinstance(transport, asyncio.WriteTransport) else None
        self._room = self._max_bytes = max_bytes
        self._waiting: deque[str] = deque()
        self._closing: Message | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._writer: asyncio.Future[None] | None = None
        self._reader = asyncio.current_task()
        self.is_cut_off = False

    def send(self, text: str) -> None:
        """Take a frame; cut the client off if too much is waiting for it."""
        if self._closing is not None:
            return
        if self._transport is not None:
            # The path of every event to every subscriber. uvicorn would frame the text anew for
            # each of them, and `await` would need a task for each.
            if not self._transport.is_closing():
                self._transport.write(wire_frame(text))
                self.check()
            return
        self._room -= len(text)
        self._waiting.append(text)
        self._write_later()
        self.check()

    @property
    def is_closing(self) -> bool:
        """Whether the client is being sent away, behind whatever it has not read yet."""
        return self._closing is not None

    def check(self) -> None:
        """Cut the client off if it has left too much unread, answers to its pings included."""
        if self.is_cut_off:
            return
        if self._transport is not None:
            is_full = self._transport.get_write_buffer_size() > self._max_bytes
        else:
            is_full = self._room < 0
        if is_full:
            self._cut_off()

    def close(self, code: int, reason: str) -> None:
        """Take no more frames; close when those that were taken are sent."""
        if self._closing is not None:
            return
        self._closing = {"type": "websocket.close", "code": int(code), "reason": reason}
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(CLOSE_TIMEOUT, self._cut_off)
        self._write_later()

    def ended(self) -> None:
        """Note that the client has gone, however that came."""
        self._closing = self._closing or {"type": "websocket.close"}
        if self._deadline is not None:
            self._deadline.cancel()
        if self._writer is not None:
            self._writer.cancel()

    def _write_later(self) -> None:
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        """Send what is waiting; a close is the last."""
        with contextlib.suppress(OSError, RuntimeError):
            while self._waiting:
                text = self._waiting.popleft()
                await self._send({"type": "websocket.send", "text": text})
                self._room += len(text)
            if self._closing is not None:
                await self._send(self._closing)
        self._writer = None

    def _cut_off(self) -> None:
        self.is_cut_off = True
        self._closing = {"type": "websocket.close"}
        self._waiting.clear()
        # Aborted and not closed: a close frame would wait behind what the client does not read.
        if self._transport is not None:
            self._transport.abort()
        if self._reader is not None:
            self._reader.cancel()


@lru_cache(maxsize=1)
def wire_frame(text: str) -> bytes:
    """Return the bytes of a WebSocket's text message; the subscribers of an event share them.

    A server's frames are unmasked, so they are the same for all (RFC 6455, 5.2), and an
    uncompressed one is right also where compression was agreed on (RFC 7692, 6).
    """
    data = text.encode()
    size = len(data)
    if size < 126:
        return bytes((0x81, size)) + data
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 126, size) + data
    return struct.pack("!BBQ", 0x81, 127, size) + data


async def serve(
    hub: Hub,
    parameters: Mapping[str, str],
    receive: Receive,
    send: Send,
    clock: Callable[[], float],
    sockets: set[Socket],
) -> None:
    """Serve one accepted WebSocket to its end.

    Args:
        hub: The hub of the app whose key the address names.
        parameters: The query of the address.
        receive: The ASGI callable.
        send: The ASGI callable.
        clock: The clock that the hub is driven by.
        sockets: Where it stands while it is open, to be checked now and then.
    """
    socket = Socket(send, hub.limits.outgoing_bytes)
    try:
        protocol.check_versions(parameters)
        connection = hub.connect(socket, clock())
    except Refused as refusal:
        await refuse(send, refusal)
        return
    sockets.add(socket)
    try:
        await _read(hub, connection, socket, receive, clock)
    except asyncio.CancelledError:
        if not socket.is_cut_off:
            raise
    finally:
        sockets.discard(socket)
        hub.disconnect(connection, clock())
        socket.ended()


async def refuse(send: Send, refusal: Refused) -> None:
    """Tell an accepted socket why it is not wanted, and close it."""
    # Clients of protocol 6 and later read the close code; the event is for all others.
    with contextlib.suppress(OSError):
        text = protocol.error(str(refusal), refusal.code)
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": int(refusal.code), "reason": str(refusal)})


async def _read(
    hub: Hub,
    connection: Connection,
    socket: Socket,
    receive: Receive,
    clock: Callable[[], float],
) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if socket.is_closing:
            # Whoever is sent away, and does not read it, must not go on speaking.
            pass
        elif text is None:
            conversation.refuse_binary(hub, connection, clock())
        else:
            conversation.receive(hub, connection, text, clock())
        # One client's flood waits its turn between the others' frames.
        await asyncio.sleep(0)
