"""Running the server under uvicorn, until a signal or another thread ends it."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from pusher_dev_server.asgi import PusherServer
from pusher_dev_server.printer import Printer, Terminal, reopen
from pusher_dev_server.protocol import CloseCode
from pusher_dev_server.uvicorn_protocols import StrictWebSocketProtocol, TimeoutHTTPProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

NOTICE = (
    "Pusher server for development and tests: its state lives in this one process. "
    "Production fan-out belongs on Pusher or another server of its protocol."
)

#: Seconds that a stopping server waits for its last connections.
GRACE = 3

#: Ticks of uvicorn, ten a second, in which a client must have read what was sent before a close.
SWEEP = 50


class Server(uvicorn.Server):
    """A uvicorn server that closes WebSockets with a code that brings clients back."""

    def __init__(self, config: uvicorn.Config, pusher: PusherServer) -> None:
        super().__init__(config)
        self._pusher = pusher
        self._closing: set[asyncio.Transport] = set()

    async def on_tick(self, counter: int) -> bool:
        """Cut off connections that have been closing for too long, because nothing is read."""
        if counter % SWEEP == 0:
            closing = {
                each.transport for each in self.server_state.connections if _is_closing(each)
            }
            for transport in closing & self._closing:
                transport.abort()
            self._closing = closing
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close with 4200 before uvicorn closes in its own way."""
        # Clients come back at once, and must not find the server that is about to end.
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await self._pusher.close(CloseCode.RECONNECT, "Server is going away")
        # uvicorn would cancel what is left after its grace, each with a traceback in the log.
        last = asyncio.get_running_loop().call_later(GRACE / 2, self._cut_off_all)
        await super().shutdown(sockets)
        last.cancel()

    def _cut_off_all(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def create_server(
    pusher: PusherServer, *, host: str, port: int, app: ASGIApp | None = None
) -> Server:
    """Return a server that is ready to run.

    Args:
        pusher: The application whose clients are told when the server ends.
        host: The address to listen on.
        port: The port to listen on.
        app: What to serve, where ``pusher`` is only a part of it.
    """
    frame_bytes = max(hub.limits.frame_bytes for hub in pusher.hubs.values())
    config = uvicorn.Config(
        app or pusher,
        host=host,
        port=port,
        http=TimeoutHTTPProtocol,
        ws=StrictWebSocketProtocol,
        # Frames that are too large are answered by the protocol; this is for the monstrous.
        ws_max_size=2 * frame_bytes,
        # Compression costs a context of memory for each connection, and time for each event.
        ws_per_message_deflate=False,
        # The protocol has its own pings, which clients answer in any state of their page.
        ws_ping_interval=None,
        timeout_graceful_shutdown=GRACE,
        lifespan="on",
        log_config=None,
        access_log=False,
    )
    return Server(config, pusher)


def run(
    pusher: PusherServer,
    *,
    host: str,
    port: int,
    out: Terminal,
    console: str,
    verbose: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; then close WebSockets with 4200, and return.

    Args:
        pusher: What is served.
        host: The address to listen on.
        port: The port to listen on; 0 for one that is free.
        out: Where the command's lines are written.
        console: Who may open the console, for those lines.
        verbose: Print what happens, with the data of events.

    Raises:
        ValueError: It cannot listen there; the message is a sentence.
    """
    try:
        listeners = listen(host, port)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"Cannot listen on {host}, port {port}: {reason}.") from error
    port = listeners[0].getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    lines = [f"Listening on http://{shown}:{port} (Ctrl+C ends it)"]
    lines.append(f"The console is the page at /, {console}")
    lines += [f"App {hub.app.id} with key {hub.app.key}" for hub in pusher.hubs.values()]
    out.write("".join(f"{line}\n" for line in lines))
    out.flush()
    # uvicorn shuts down at a signal, and then raises it again for the handler that was there.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _ignore)
    with ExitStack() as stack:
        if verbose:
            printer = stack.enter_context(Printer(reopen(out)))
            for hub in pusher.hubs.values():
                hub.observers.append(printer)
        create_server(pusher, host=host, port=port).run(listeners)


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on a host's addresses; with port 0, on one that is free.

    Raises:
        OSError: The port is taken or is none, or the host is not of this machine.
    """
    if not 0 <= port <= 65_535:
        raise OSError(errno.EINVAL, "a port is a number from 0 to 65535")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    failure: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            listener = socket.create_server((*address[:1], port, *address[2:]), family=family)
        except OSError as error:
            failure = error
            # "localhost" may have an IPv6 address on a machine that has no IPv6.
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue
            break
        listeners.append(listener)
        port = listener.getsockname()[1]
    else:
        if listeners:
            return listeners
    for listener in listeners:
        listener.close()
    raise failure or OSError(f"{host} has no address")


def _is_closing(connection: Any) -> bool:
    """Say whether a connection of uvicorn only waits for its client to read, or to close too."""
    # A request's connection has no `close_sent`: it closes without being answered.
    return connection.transport.is_closing() or getattr(connection, "close_sent", False)


def _ignore(signum: int, frame: FrameType | None) -> None:
    pass
