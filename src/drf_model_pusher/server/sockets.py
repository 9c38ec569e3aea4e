"""The WebSocket side: from frames on a socket to the hub, and back.

What a client does not read waits in a bounded buffer of its own, so that one that reads slowly, or
not at all, costs the others nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import TYPE_CHECKING, Any, cast

from drf_model_pusher.server import conversation, protocol
from drf_model_pusher.server.connection import Connection
from drf_model_pusher.server.hub import Hub
from drf_model_pusher.server.protocol import Refused

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

#: Seconds that a client has to read what was sent before a close, and to answer the close.
CLOSE_TIMEOUT = 5.0


class Socket:
    """The peer of a connection: sends a frame at once, or when the client has read those before."""

    def __init__(self, send: Send, max_bytes: int) -> None:
        self._send = send
        # uvicorn's `send` is a method of the protocol that owns the transport. Under another
        # server there is none to be had, and that server bounds and ends what it has taken.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        self._transport = transport if isinstance(transport, asyncio.WriteTransport) else None
        self._max_bytes = max_bytes
        self._room = max_bytes
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
        if self._writer is None and self._transport is not None:
            self._send_now(text, self._transport)
            return
        self._room -= len(text)
        if self._room < 0:
            self._cut_off()
            return
        self._waiting.append(text)
        self._write_later()

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

    def _send_now(self, text: str, transport: asyncio.WriteTransport) -> None:
        """Send a frame without a task: to a client that reads, uvicorn writes without waiting.

        This is the path of every event to every subscriber; a task for each would double its cost.
        """
        sending = cast(
            "Coroutine[Any, Any, None]", self._send({"type": "websocket.send", "text": text})
        )
        try:
            awaited = sending.send(None)
        except StopIteration:
            # Not every version of uvicorn waits for a client that does not read.
            if transport.get_write_buffer_size() > self._max_bytes:
                self._cut_off()
        except (OSError, RuntimeError):
            # The client has gone; the reader is told, and ends the connection.
            self._closing = {"type": "websocket.close"}
        else:
            self._write_later(_rest(sending, awaited))

    def _write_later(self, first: Coroutine[Any, Any, None] | None = None) -> None:
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._write(first))

    async def _write(self, first: Coroutine[Any, Any, None] | None) -> None:
        """Send what is waiting; a close is the last."""
        with contextlib.suppress(OSError, RuntimeError):
            if first is not None:
                await first
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


@types.coroutine
def _rest(sending: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Go on, inside a task, with a coroutine that has been begun outside and awaits a future."""
    try:
        yield awaited
        yield from sending.__await__()
    finally:
        sending.close()


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
    try:
        await _read(hub, connection, receive, clock)
    except asyncio.CancelledError:
        if not socket.is_cut_off:
            raise
    finally:
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
