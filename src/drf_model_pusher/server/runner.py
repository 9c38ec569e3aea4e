"""Running the server: in the foreground for a command, in a thread for tests and demos."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from drf_model_pusher.server import extra
from drf_model_pusher.server.application import Application, Limits
from drf_model_pusher.server.asgi import PusherServer
from drf_model_pusher.server.patience import PatientProtocol, StrictSocketProtocol
from drf_model_pusher.server.protocol import CloseCode
from drf_model_pusher.server.record import Record, RecordedEvent

try:
    import uvicorn
except ImportError as error:  # pragma: no cover - needs an installation without the extra
    raise ImportError(extra.MESSAGE) from error

if TYPE_CHECKING:
    from starlette.types import ASGIApp

#: Seconds that a stopping server waits for its last connections.
GRACE = 3

#: Ticks of uvicorn, ten a second, in which a client must have read what was sent before a close.
SWEEP = 50

#: What a local server is called where nobody names its apps; it is reached from this machine only.
LOCAL_APP = Application(id="1", key="local-key", secret="local-secret")  # noqa: S106


class Server(uvicorn.Server):
    """A uvicorn server that sends clients away with a code that brings them back."""

    def __init__(self, config: uvicorn.Config, pusher: PusherServer) -> None:
        super().__init__(config)
        self._pusher = pusher
        self._closing: set[asyncio.Transport] = set()

    async def on_tick(self, counter: int) -> bool:
        """Cut off what has been closing for too long, as a client that reads nothing lets it."""
        if counter % SWEEP == 0:
            closing = {each.transport for each in self.server_state.connections if _is_over(each)}
            for transport in closing & self._closing:
                transport.abort()
            self._closing = closing
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close with 4200 before uvicorn closes in its own way."""
        # Clients come back at once: they must find the door shut, and not a server that leaves.
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await self._pusher.close(CloseCode.RECONNECT, "Server is going away")
        # What is not over by then would be cancelled, each with a traceback in the log.
        last = asyncio.get_running_loop().call_later(GRACE / 2, self._cut_off_all)
        await super().shutdown(sockets)
        last.cancel()

    def _cut_off_all(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _is_over(connection: Any) -> bool:
    """Say whether a connection of uvicorn only waits for its client to read, or to close too."""
    # A request's connection has no `close_sent`: it closes without being answered.
    return connection.transport.is_closing() or getattr(connection, "close_sent", False)


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on a host's addresses; with port 0, on one that is free.

    Raises:
        OSError: The port is taken, or the host is not of this machine.
    """
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


def create_server(
    pusher: PusherServer, *, host: str, port: int, app: ASGIApp | None = None
) -> Server:
    """Return a server that is ready to run.

    Args:
        pusher: The application whose clients are sent away at the end.
        host: The address to listen on.
        port: The port to listen on.
        app: What to serve, where ``pusher`` is only a part of it.
    """
    frame_bytes = max(hub.limits.frame_bytes for hub in pusher.hubs.values())
    config = uvicorn.Config(
        app or pusher,
        host=host,
        port=port,
        http=PatientProtocol,
        ws=StrictSocketProtocol,
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


class LocalServer:
    """A server on a free port of this machine, in a thread of this process.

    Use it as a context manager, or call ``start()`` and ``stop()``.

    Attributes:
        host: The address, always of this machine.
        port: The port, chosen at the start.
        app_id, key, secret: The credentials of its first app.
        record: What has happened, and verbs to wait for more.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        apps: Iterable[Application] | None = None,
        limits: Limits | None = None,
        *,
        port: int = 0,
    ) -> None:
        apps = list(apps or [LOCAL_APP])
        self.app_id, self.key, self.secret = apps[0].id, apps[0].key, apps[0].secret
        self.port = port
        self.pusher = PusherServer(apps, limits)
        self.record = Record()
        for hub in self.pusher.hubs.values():
            hub.observers.append(self.record)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Django settings that lead to this server, for ``override_settings(**server.settings)``.

        ``DRF_MODEL_PUSHER_PROVIDER`` is among them, since another provider stands in for tests.
        """
        return {
            "DRF_MODEL_PUSHER_PROVIDER": "drf_model_pusher.providers.PusherProvider",
            "PUSHER_APP_ID": self.app_id,
            "PUSHER_KEY": self.key,
            "PUSHER_SECRET": self.secret,
            "PUSHER_HOST": self.host,
            "PUSHER_PORT": self.port,
            "PUSHER_SSL": False,
        }

    @property
    def url(self) -> str:
        """The address of the HTTP API, without a slash at its end."""
        return f"http://{self.host}:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address that a WebSocket client of the first app connects to."""
        return f"ws://{self.host}:{self.port}/app/{self.key}?protocol=7"

    @property
    def events(self) -> list[RecordedEvent]:
        """The events that were published, in their order."""
        return self.record.events

    def wait_for_event(
        self, name: str, channel: str | None = None, timeout: float = 5
    ) -> RecordedEvent:
        """Return the first event of this name; see ``Record.wait_for_event``."""
        return self.record.wait_for_event(name, channel, timeout)

    def send_clients_away(self, code: int = CloseCode.RECONNECT) -> None:
        """Close all connections with a code, by default one that makes clients come back."""
        loop = self.pusher.loop
        if loop is not None:
            for hub in self.pusher.hubs.values():
                loop.call_soon_threadsafe(hub.close, code, "Sent away")

    def start(self) -> LocalServer:
        """Listen, and return when connections are taken; raise RuntimeError if that fails."""
        listener = socket.create_server((self.host, self.port))
        self.port = listener.getsockname()[1]
        self._server = server = create_server(self.pusher, host=self.host, port=self.port)
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name="pusher-server", daemon=True
        )
        self._thread.start()
        while not server.started:
            if not self._thread.is_alive():
                raise RuntimeError("The server did not start; its log says why.")
            time.sleep(0.001)
        return self

    def stop(self) -> None:
        """Send clients away and return when the server has ended."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> LocalServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
