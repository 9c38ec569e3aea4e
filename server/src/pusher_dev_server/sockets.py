"""The WebSocket side: from frames on a socket to the hub, and back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pusher_dev_server import handlers, protocol
from pusher_dev_server.connection import Connection
from pusher_dev_server.hub import Hub
from pusher_dev_server.protocol import Refused
from pusher_dev_server.writers import SocketWriter, make_writer

if TYPE_CHECKING:
    from starlette.types import Receive, Send


async def serve(
    hub: Hub,
    parameters: Mapping[str, str],
    receive: Receive,
    send: Send,
    clock: Callable[[], float],
    writers: set[SocketWriter],
) -> None:
    """Serve one accepted WebSocket to its end.

    Args:
        hub: The hub of the app whose key the address names.
        parameters: The query of the address.
        receive: The ASGI callable.
        send: The ASGI callable.
        clock: The hub's clock.
        writers: Holds the socket's writer while it is open, to be checked now and then.
    """
    writer = make_writer(send, hub.limits.outgoing_bytes)
    try:
        protocol.check_versions(parameters)
        connection = hub.connect(writer, clock())
    except Refused as refusal:
        await refuse(send, refusal)
        return
    writers.add(writer)
    try:
        await _read(hub, connection, writer, receive, clock)
    except asyncio.CancelledError:
        if not writer.is_cut_off:
            raise
    finally:
        writers.discard(writer)
        hub.disconnect(connection, clock())
        writer.ended()


async def refuse(send: Send, refusal: Refused) -> None:
    """Tell an accepted socket why it is refused, and close it."""
    # Clients of protocol 6 and later read the close code; the event is for all others.
    with contextlib.suppress(OSError):
        text = protocol.error(str(refusal), refusal.code)
        await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.close", "code": int(refusal.code), "reason": str(refusal)})


async def _read(
    hub: Hub,
    connection: Connection,
    writer: SocketWriter,
    receive: Receive,
    clock: Callable[[], float],
) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        # A client that is being closed, and does not read that, is not listened to.
        if not writer.is_closing:
            if text is None:
                handlers.refuse_binary(hub, connection, clock())
            else:
                handlers.receive(hub, connection, text, clock())
        # One client's flood is handled between the others' frames.
        await asyncio.sleep(0)
