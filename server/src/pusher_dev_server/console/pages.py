"""The console on the network: its page, a stream of what happens, a place to post test events.

The stream is a WebSocket, because an HTTP answer that lasts would keep uvicorn from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pusher_dev_server import protocol
from pusher_dev_server.api import read_body
from pusher_dev_server.channels import ChannelKind
from pusher_dev_server.console.access import (
    Caller,
    Denied,
    check_page,
    check_place,
    check_token,
)
from pusher_dev_server.console.feed import Feed
from pusher_dev_server.hub import Hub
from pusher_dev_server.requests import RequestError, parse_event

#: Consoles that may be open at once, and seconds that one has to say who it is.
CONSOLES, HELLO_TIMEOUT = 20, 10.0

#: Codes that a stream is closed with.
GOING_AWAY, TRY_LATER, WRONG_TOKEN, UNKNOWN_APP = 1001, 1013, 4401, 4404

HEADERS = {
    # Payloads are written by strangers: nothing but our own files is loaded, run or sent to, and
    # no text becomes HTML.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

Answer = Callable[[Request], Awaitable[Response]]


class Console:
    """The pages of some hubs.

    Args:
        hubs: The hubs by app id.
        clock: The clock that they are driven by.
        path: Where the page stands; its path ends with a slash.
        token: What must be brought to see anything; without one, this machine alone sees it.

    Attributes:
        stream: The path of the console's WebSocket.
    """

    def __init__(
        self,
        hubs: Mapping[str, Hub],
        clock: Callable[[], float],
        path: str = "/",
        token: str | None = None,
    ) -> None:
        if not (path.startswith("/") and path.endswith("/")):
            raise ValueError(f"The console's path is {path!r}: begin and end it with a slash.")
        self._hubs = hubs
        self._clock = clock
        self._token = token
        self._feeds: set[Feed] = set()
        self._path, self._below = path, f"{path}console/"
        self.stream = f"{self._below}stream"
        files = sorted((Path(__file__).parent / "static").iterdir())
        pages = {self._below + file.name: file for file in files if file.suffix != ".html"}
        pages[path] = Path(__file__).parent / "static" / "console.html"
        self.asgi = Router(
            routes=[
                *(Route(at, self._guarded(_page(file))) for at, file in pages.items()),
                Route(f"{self._below}events", self._guarded(self._send), methods=["POST"]),
                WebSocketRoute(self.stream, self._stream),
            ]
        )

    def takes(self, path: str) -> bool:
        """Say whether a request to a path is the console's."""
        return path in (self._path, self._path.rstrip("/")) or path.startswith(self._below)

    def close(self) -> None:
        """End the streams, which would last for ever."""
        for feed in self._feeds:
            feed.end()

    def _guarded(self, answer: Answer) -> Answer:
        async def respond(request: Request) -> Response:
            try:
                check_place(_caller(request), self._token)
                response = await answer(request)
            except (Denied, RequestError) as error:
                text = str(error).encode("utf-8", "backslashreplace")
                response = PlainTextResponse(text, error.status)
            response.headers.update(HEADERS)
            return response

        return respond

    async def _stream(self, socket: WebSocket) -> None:
        """Tell one console what happens, once it has said which app, and with which token."""
        try:
            check_place(_caller(socket), self._token)
            check_page(_caller(socket))
        except Denied:
            await socket.close()  # before it is accepted: the answer is 403
            return
        await socket.accept()
        # What a client sends, or its going, is no fault of ours.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, asyncio.TimeoutError):
            hello = await asyncio.wait_for(socket.receive_text(), HELLO_TIMEOUT)
            app, token = _parse_hello(hello)
            try:
                check_token(token, self._token)
                hub = self._hub(app)
            except Denied:
                await socket.close(WRONG_TOKEN)
            except RequestError:
                await socket.close(UNKNOWN_APP)
            else:
                await self._follow(socket, hub)

    async def _follow(self, socket: WebSocket, hub: Hub) -> None:
        if len(self._feeds) >= CONSOLES:
            await socket.close(TRY_LATER, f"{CONSOLES} consoles are open, which is the limit")
            return
        apps = [{"id": each.app.id, "key": each.app.key} for each in self._hubs.values()]
        feed = Feed(hub, {"type": "hello", "app": hub.app.id, "apps": apps}, self._clock)
        self._feeds.add(feed)
        listening = asyncio.ensure_future(_listen(socket, feed))
        try:
            async with contextlib.aclosing(feed.lines()) as lines:
                async for line in lines:
                    await socket.send_text(line)
            await socket.close(GOING_AWAY)
        finally:
            self._feeds.discard(feed)
            listening.cancel()

    async def _send(self, request: Request) -> Response:
        check_page(_caller(request))
        check_token(request.headers.get("authorization", "").removeprefix("Bearer "), self._token)
        # A form of another site can send no JSON; older browsers do not say where it comes from.
        if request.headers.get("content-type") != "application/json":
            raise RequestError("The body must be application/json", 415)
        hub = self._hub(request.query_params.get("app"))
        event = parse_event(await read_body(request, hub.limits.body_bytes), hub.limits)
        if ChannelKind.of(event.channels[0]) is ChannelKind.ENCRYPTED:
            raise RequestError("Events for encrypted channels are made where the master key is")
        hub.publish(event, self._clock())
        return Response(b"{}", media_type="application/json")

    def _hub(self, app_id: str | None) -> Hub:
        hub = next(iter(self._hubs.values()), None) if not app_id else self._hubs.get(app_id)
        if hub is None:
            raise RequestError("Unknown app", 404)
        return hub


def _page(file: Path) -> Answer:
    content, kind = file.read_bytes(), KINDS[file.suffix]

    async def answer(request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


def _caller(request: HTTPConnection) -> Caller:
    server, client = request.scope.get("server"), request.scope.get("client")
    return Caller(
        server=server[0] if server else None,
        client=client[0] if client else None,
        host=request.headers.get("host", ""),
        origin=request.headers.get("origin"),
        site=request.headers.get("sec-fetch-site"),
        is_forwarded=any(name in request.headers for name in FORWARDED),
    )


def _parse_hello(text: str) -> tuple[str | None, str]:
    """Return what a console says first: the app that it shows, and its token."""
    try:
        value = protocol.decode_object(text, "The hello")
    except protocol.ProtocolError:
        value = {}
    app, token = value.get("app"), value.get("token")
    return app if isinstance(app, str) else None, token if isinstance(token, str) else ""


async def _listen(socket: WebSocket, feed: Feed) -> None:
    """End the feed when the client has gone; what it says is of no interest."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, KeyError):
        while True:
            await socket.receive_text()
    feed.end()
