"""The WebSocket side: from frames on a socket to the hub, and back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from drf_model_pusher.server import conversation, protocol
from drf_model_pusher.server.connection import Connection
from drf_model_pusher.server.hub import Hub
from drf_model_pusher.server.peers import Socket, make_socket
from drf_model_pusher.server.protocol import Refused

if TYPE_CHECKING:
    from starlette.types import Receive, Send


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
    socket = make_socket(send, hub.limits.outgoing_bytes)
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
