"""The server as an ASGI application: alone, or on one port with a project of yours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pusher_dev_server import log, sockets
from pusher_dev_server.api import make_api
from pusher_dev_server.application import Application, Limits
from pusher_dev_server.console.pages import Console
from pusher_dev_server.hub import Hub
from pusher_dev_server.lifespan import live
from pusher_dev_server.protocol import CloseCode, Refused
from pusher_dev_server.webhook_delay import WebhookEvent
from pusher_dev_server.webhooks import WebhookSender
from pusher_dev_server.writers import SocketWriter

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

#: Seconds between two checks of what is due.
TICK = 0.25

#: Seconds that clients have to answer a close at the end.
CLOSE_GRACE = 1.0


class PusherServer:
    """The ASGI application: sockets at ``/app/KEY``, the HTTP API at ``/apps/ID/…``.

    Its state is in the process, so run it with one worker.

    Args:
        apps: The apps that it serves.
        limits: What they may do.
        fallback: Your application, for all other requests and sockets.
        fallback_has_sockets: False refuses other sockets with 4005 where the fallback, as
            Django's handler, cannot take any.
        console: The path of the console; None for no console.
        console_token: Opens the console on other machines; without one it is for this machine.

    Attributes:
        hubs: The state of each app, by app id.
        loop: The event loop that the server runs in, from its first connection on.

    Raises:
        ValueError: The console's path does not begin and end with a slash.
    """

    clock = staticmethod(time.monotonic)

    def __init__(
        self,
        apps: Iterable[Application],
        limits: Limits | None = None,
        fallback: ASGIApp | None = None,
        *,
        fallback_has_sockets: bool = True,
        console: str | None = "/",
        console_token: str | None = None,
    ) -> None:
        self.hubs: dict[str, Hub] = {}
        self._senders: list[WebhookSender] = []
        for app in apps:
            senders = [WebhookSender(app, url) for url in app.webhooks]
            self._senders += senders
            self.hubs[app.id] = Hub(app, limits, partial(_put_all, senders))
        self._by_key = {hub.app.key: hub for hub in self.hubs.values()}
        self._api = make_api(self.hubs, self.clock)
        self._console: Console | None = None
        if console is not None:
            self._console = Console(self.hubs, self.clock, console, console_token)
        self._fallback = fallback
        self._socket_fallback = fallback if fallback_has_sockets else None
        self._writers: set[SocketWriter] = set()
        self._tasks: list[asyncio.Future[None]] = []
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI server."""
        if scope["type"] == "lifespan":
            await live(self._fallback, scope, receive, send, self._shut_down)
            return
        self._start()
        path = _path(scope)
        if scope["type"] == "websocket":
            await self._websocket(path, scope, receive, send)
        elif self._console and self._console.takes(path):
            await self._console.asgi(scope, receive, send)
        elif path.startswith("/apps/") or self._fallback is None:
            await self._api(scope, receive, send)
        else:
            await self._fallback(scope, receive, send)

    async def close(
        self, code: int = CloseCode.RECONNECT, reason: str = "Server is going away"
    ) -> None:
        """Close all connections, by default so that clients come back at once.

        Waits a second for clients to answer, so that they learn the code.
        """
        hubs = self.hubs.values()
        if self._console:
            self._console.close()
        for hub in hubs:
            hub.close(code, reason)
        deadline = self.clock() + CLOSE_GRACE
        while any(hub.connections for hub in hubs) and self.clock() < deadline:
            await asyncio.sleep(0.005)

    async def _websocket(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._console and path == self._console.stream:
            await self._console.asgi(scope, receive, send)
            return
        is_ours = path.startswith("/app/")
        if not is_ours and self._socket_fallback is not None:
            await self._socket_fallback(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        if not is_ours:
            await sockets.refuse(send, Refused(CloseCode.PATH_NOT_FOUND, "Path not found"))
            return
        hub = self._by_key.get(path.removeprefix("/app/").rstrip("/"))
        if hub is None:
            refusal = Refused(CloseCode.APP_NOT_FOUND, "Application does not exist")
            await sockets.refuse(send, refusal)
            return
        text = scope["query_string"].decode("utf-8", "replace")
        query = dict(parse_qsl(text, keep_blank_values=True))
        await sockets.serve(hub, query, receive, send, self.clock, self._writers)

    async def _shut_down(self) -> None:
        await self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _start(self) -> None:
        # Not at the lifespan's start-up: some ASGI servers have none.
        if not self._tasks:
            work = [self._tick(), *(sender.run() for sender in self._senders)]
            self.loop = asyncio.get_running_loop()
            self._tasks = [asyncio.ensure_future(each) for each in work]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            log.throttle.flush()
            for writer in list(self._writers):
                writer.check()
            for hub in self.hubs.values():
                try:
                    hub.tick(self.clock())
                except Exception:  # noqa: BLE001 - it is logged below
                    # Without its clock the server would seem healthy, and never ping.
                    log.logger.exception("server_tick_failed app=%s", hub.app.id)


def _put_all(senders: Iterable[WebhookSender], event: WebhookEvent) -> None:
    for sender in senders:
        sender.put(event)


def _path(scope: Scope) -> str:
    """Return the path below the point where the application is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
