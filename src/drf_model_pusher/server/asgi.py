"""The server as an ASGI application: alone, or on one port with a Django project."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from drf_model_pusher.lifespans import Application as AnyApplication
from drf_model_pusher.lifespans import live
from drf_model_pusher.server import sockets
from drf_model_pusher.server.api import Api
from drf_model_pusher.server.application import Application, Limits
from drf_model_pusher.server.console.pages import Console
from drf_model_pusher.server.holdback import WebhookEvent
from drf_model_pusher.server.hub import Hub
from drf_model_pusher.server.peers import Socket
from drf_model_pusher.server.protocol import CloseCode, Refused
from drf_model_pusher.server.webhooks import WebhookSender

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger("drf_model_pusher")

#: Seconds between two looks at what is due.
TICK = 0.25

#: Seconds that clients have to answer when all are sent away.
FAREWELL = 1.0


class PusherServer:
    """The ASGI application.

    Args:
        apps: Whom it serves.
        limits: How much it takes.
        fallback: Who answers what is not the server's.
        console: Where the console stands; None for nowhere.
        console_token: What opens the console; without one it is for this machine only.

    Attributes:
        hubs: The state of each app, by app id.
    """

    clock = staticmethod(time.monotonic)

    def __init__(
        self,
        apps: Iterable[Application],
        limits: Limits | None = None,
        fallback: ASGIApp | None = None,
        *,
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
        self._api = Api(self.hubs, self.clock).asgi
        self._console: Console | None = None
        if console is not None:
            self._console = Console(self.hubs, self.clock, console, console_token)
        self._fallback = fallback
        self._sockets: set[Socket] = set()
        self._tasks: list[asyncio.Future[None]] = []
        #: The loop that it runs in, from the first connection on.
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
        """End all connections, by default so that clients come back at once.

        Clients are given a second to answer, so that they learn the code.
        """
        hubs = self.hubs.values()
        if self._console:
            self._console.close()
        for hub in hubs:
            hub.close(code, reason)
        deadline = self.clock() + FAREWELL
        while any(hub.connections for hub in hubs) and self.clock() < deadline:
            await asyncio.sleep(0.005)

    async def _websocket(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._console and path == self._console.stream:
            await self._console.asgi(scope, receive, send)
            return
        is_ours = path.startswith("/app/")
        if not is_ours and self._fallback is not None and not _is_django(self._fallback):
            await self._fallback(scope, receive, send)
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
        await sockets.serve(hub, query, receive, send, self.clock, self._sockets)

    async def _shut_down(self) -> None:
        await self.close()
        await self._stop()

    def _start(self) -> None:
        # Not at the lifespan's start-up: some ASGI servers have none.
        if not self._tasks:
            work = [self._tick(), *(sender.run() for sender in self._senders)]
            self.loop = asyncio.get_running_loop()
            self._tasks = [asyncio.ensure_future(each) for each in work]

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for socket in list(self._sockets):
                socket.check()
            for hub in self.hubs.values():
                try:
                    hub.tick(self.clock())
                except Exception:
                    # Without its clock the server would look well, and forget to ping.
                    logger.exception("server_tick_failed app=%s", hub.app.id)


def create_app(
    apps: Iterable[Application], limits: Limits | None = None, *, console_token: str | None = None
) -> PusherServer:
    """Return a server of these apps, with its console at ``/``, and of nothing else."""
    return PusherServer(apps, limits, console_token=console_token)


def with_pusher_server(application: AnyApplication, *, console: str | None = None) -> PusherServer:
    """Return an ASGI application that serves Pusher's protocol and a project on one port.

    Sockets at ``/app/KEY`` and requests to ``/apps/ID/…`` are the server's, all else is the
    project's. Apps and limits come from the settings. State is kept in the process: run one.

    Args:
        application: The project's own, such as ``get_asgi_application()`` returns.
        console: Where the console stands, such as ``"/pusher-console/"``; by default nowhere.

    Raises:
        SettingError: A setting of the server is missing or wrong.
        ValueError: The console's path does not begin and end with a slash.
    """
    # Only here is Django needed.
    from drf_model_pusher.conf import app_settings
    from drf_model_pusher.server.configuration import configured_apps, configured_limits

    return PusherServer(
        configured_apps(),
        configured_limits(),
        application,
        console=console,
        console_token=app_settings.DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN,
    )


def _put_all(senders: Iterable[WebhookSender], event: WebhookEvent) -> None:
    for sender in senders:
        sender.put(event)


def _path(scope: Scope) -> str:
    """Return the path below the point where the application is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _is_django(application: AnyApplication) -> bool:
    """Say whether this is Django's own handler, which raises for a WebSocket."""
    from django.core.handlers.asgi import ASGIHandler

    return isinstance(application, ASGIHandler)
