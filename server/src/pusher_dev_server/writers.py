"""What goes out on a connection's socket.

What a client has not read waits in a bounded buffer of its own, so a slow client does not hold up
the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from pusher_dev_server import protocol

if TYPE_CHECKING:
    from starlette.types import Message, Send

#: Seconds that a client has to read what was sent before a close, and to answer the close.
CLOSE_TIMEOUT = 5.0


class SocketWriter:
    """Writes a connection's frames at once and in order, and never waits."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._closing: Message | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._writer: asyncio.Future[None] | None = None
        self._reader = asyncio.current_task()
        self.is_cut_off = False

    # A transport has these.

    def send(self, text: str) -> None:
        """Take a frame; cut the client off if too much is waiting for it."""
        raise NotImplementedError

    def is_full(self) -> bool:
        """Say whether the client has left too much unread."""
        raise NotImplementedError

    async def flush(self) -> None:
        """Return when all that was taken can no longer be overtaken by a close."""

    def drop(self) -> None:
        """Forget what is waiting, and whatever there is to be aborted."""

    # What follows is the same for all.

    @property
    def is_closing(self) -> bool:
        """Whether the client is being sent away, behind whatever it has not read yet."""
        return self._closing is not None

    def check(self) -> None:
        """Cut the client off if it has left too much unread, answers to its pings included."""
        if not self.is_cut_off and self.is_full():
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
            await self.flush()
            if self._closing is not None:
                await self._send(self._closing)
        self._writer = None

    def _cut_off(self) -> None:
        self.is_cut_off = True
        self._closing = {"type": "websocket.close"}
        self.drop()
        if self._reader is not None:
            self._reader.cancel()


class DirectWriter(SocketWriter):
    """Writes to uvicorn's transport, which keeps what is not read yet.

    The path of every event to every subscriber: uvicorn would frame the text anew for each of them,
    and `await` would need a task for each.
    """

    def __init__(self, send: Send, transport: asyncio.WriteTransport, max_bytes: int) -> None:
        super().__init__(send)
        self._transport = transport
        self._max_bytes = max_bytes

    def send(self, text: str) -> None:
        """Take a frame; cut the client off if too much is waiting for it."""
        if self._closing is None and not self._transport.is_closing():
            self._transport.write(wire_frame(text))
            self.check()

    def is_full(self) -> bool:
        """Say whether the client has left too much unread."""
        return self._transport.get_write_buffer_size() > self._max_bytes

    def drop(self) -> None:
        """Abort, and not close: a close frame would wait behind what the client does not read."""
        self._transport.abort()


class QueueingWriter(SocketWriter):
    """Writes through any ASGI server's `send`, and keeps what that is not ready for yet."""

    def __init__(self, send: Send, max_bytes: int) -> None:
        super().__init__(send)
        self._room = max_bytes
        self._waiting: deque[str] = deque()

    def send(self, text: str) -> None:
        """Take a frame; cut the client off if too much is waiting for it."""
        if self._closing is None:
            self._room -= protocol.size(text)
            self._waiting.append(text)
            self._write_later()
            self.check()

    def is_full(self) -> bool:
        """Say whether the client has left too much unread."""
        return self._room < 0

    async def flush(self) -> None:
        """Send what is waiting."""
        while self._waiting:
            text = self._waiting.popleft()
            await self._send({"type": "websocket.send", "text": text})
            self._room += protocol.size(text)

    def drop(self) -> None:
        """Forget what is waiting."""
        self._waiting.clear()


def make_writer(send: Send, max_bytes: int) -> SocketWriter:
    """Return the writer for an ASGI server's `send`, for which so many bytes may wait."""
    # uvicorn's `send` is a method of the protocol that owns the transport. Other servers and
    # middleware hide theirs; uvicorn's older protocol may still have the handshake to write.
    owner = getattr(send, "__self__", None)
    transport = owner.transport if isinstance(owner, WebSocketsSansIOProtocol) else None
    if transport is not None:
        return DirectWriter(send, transport, max_bytes)
    return QueueingWriter(send, max_bytes)


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
