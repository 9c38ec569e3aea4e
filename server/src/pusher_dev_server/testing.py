"""A server for tests: in a thread, on a free port of this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pusher_dev_server.application import LOCAL_APP, Application, Limits
from pusher_dev_server.asgi import PusherServer
from pusher_dev_server.protocol import CloseCode
from pusher_dev_server.recorder import RecordedEvent, Recorder
from pusher_dev_server.runner import Server, create_server

if TYPE_CHECKING:
    from typing_extensions import Self


class LocalServer:
    """A server on a free port of this machine, in a thread of this process.

    Use it as a context manager, or call ``start()`` and ``stop()``::

        with LocalServer() as server:
            client = pusher.Pusher(
                server.app_id, server.key, server.secret,
                host=server.host, port=server.port, ssl=False,
            )
            client.trigger("orders", "order.update", {"id": 7})
            event = server.wait_for_event("order.update", channel="orders")
            assert event.data == {"id": 7}

    Attributes:
        host: The address, always of this machine.
        port: The port, chosen at the start.
        app_id, key, secret: The credentials of its first app.
        recorder: What has happened, and methods that wait for more.
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
        self.recorder = Recorder()
        for hub in self.pusher.hubs.values():
            hub.observers.append(self.recorder)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

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
        return self.recorder.events

    def wait_for_event(
        self, name: str, channel: str | None = None, timeout: float = 5
    ) -> RecordedEvent:
        """Return the first event of this name; see ``Recorder.wait_for_event``."""
        return self.recorder.wait_for_event(name, channel, timeout)

    def close_connections(self, code: int = CloseCode.RECONNECT) -> None:
        """Close all connections with a code, by default one that makes clients come back."""
        loop = self.pusher.loop
        if loop is not None:
            for hub in self.pusher.hubs.values():
                loop.call_soon_threadsafe(hub.close, code, "Closed by the test")

    def start(self) -> Self:
        """Listen, and return when connections are taken; raise RuntimeError if that fails."""
        listener = socket.create_server((self.host, self.port))
        self.port = listener.getsockname()[1]
        self._server = server = create_server(self.pusher, host=self.host, port=self.port)
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name="pusher-dev-server", daemon=True
        )
        self._thread.start()
        while not server.started:
            if not self._thread.is_alive():
                raise RuntimeError("The server did not start; its log says why.")
            time.sleep(0.001)
        return self

    def stop(self) -> None:
        """Close all connections, and return when the server has ended."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()
