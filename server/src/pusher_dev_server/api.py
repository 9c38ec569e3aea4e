"""The HTTP API: signatures, bodies, status codes.

https://pusher.com/docs/channels/library_auth_reference/rest-api/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from pusher_dev_server import protocol, queries
from pusher_dev_server.hub import Hub
from pusher_dev_server.requests import RequestError, parse_batch, parse_event
from pusher_dev_server.signatures import InvalidSignature, check_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Hub, Request, bytes, float], dict[str, Any]]


def make_api(hubs: Mapping[str, Hub], clock: Callable[[], float]) -> ASGIApp:
    """Return the HTTP API of some hubs, by app id, as an ASGI application."""
    app, channel = "/apps/{app_id}", "/apps/{app_id}/channels/{channel}"
    handlers: list[tuple[str, str, Handler]] = [
        ("POST", f"{app}/events", _publish),
        ("POST", f"{app}/batch_events", _publish_batch),
        ("GET", f"{app}/channels", _list_channels),
        ("GET", channel, _show_channel),
        ("GET", f"{channel}/users", _list_users),
        # A user's id may have a slash in it, which arrives decoded.
        ("POST", f"{app}/users/{{user_id:path}}/terminate_connections", _terminate),
    ]
    return Router(
        routes=[
            Route(path, _Endpoint(hubs, clock, handler), methods=[method])
            for method, path, handler in handlers
        ]
    )


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request; raise RequestError if it is too large or incomplete."""
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > max_bytes:
                raise RequestError(f"The body is larger than {max_bytes} bytes", 413)
    except ClientDisconnect as error:
        raise RequestError("The body is not complete") from error
    return bytes(chunks)


class _Endpoint:
    """Answers the signed requests of one route. An ASGI class costs less than a function."""

    def __init__(
        self, hubs: Mapping[str, Hub], clock: Callable[[], float], handler: Handler
    ) -> None:
        self._hubs = hubs
        self._clock = clock
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            answer = await self._answer(request)
            response = Response(protocol.encode(answer), media_type="application/json")
        except (RequestError, InvalidSignature) as error:
            # A message may quote what was sent, and that may not be encodable.
            text = str(error).encode("utf-8", "backslashreplace")
            response = Response(text, error.status, media_type="text/plain")
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> dict[str, Any]:
        hub = self._hubs.get(request.path_params["app_id"])
        if hub is None:
            raise RequestError("Unknown app", 404)
        body = await read_body(request, hub.limits.body_bytes)
        _authenticate(hub, request, body)
        return self._handler(hub, request, body, self._clock())


def _authenticate(hub: Hub, request: Request, body: bytes) -> None:
    scope = request.scope
    # The path is signed as requested, where a channel's name may be percent-encoded.
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"].decode("utf-8", "replace")
    check_request(
        hub.app,
        method=request.method,
        path=raw_path.partition(b"?")[0].decode("latin-1"),
        query=parse_qsl(query, keep_blank_values=True),
        body=body,
        now=time.time(),
    )
    if not hub.app.enabled:
        raise RequestError("The app is disabled", 403)


def _publish(hub: Hub, request: Request, body: bytes, now: float) -> dict[str, Any]:
    event = parse_event(body, hub.limits)
    hub.publish(event, now)
    info = queries.published(hub, event)
    return {"channels": info} if info else {}


def _publish_batch(hub: Hub, request: Request, body: bytes, now: float) -> dict[str, Any]:
    answers: list[dict[str, Any]] = []
    # All are parsed first: if one is invalid, none is published.
    for event in parse_batch(body, hub.limits):
        hub.publish(event, now)
        answers.extend(queries.published(hub, event).values() or [{}])
    return {"batch": answers} if any(answers) else {}


def _list_channels(hub: Hub, request: Request, body: bytes, now: float) -> dict[str, Any]:
    query = request.query_params
    return queries.channels(hub, query.get("filter_by_prefix"), query.get("info"))


def _show_channel(hub: Hub, request: Request, body: bytes, now: float) -> dict[str, Any]:
    info = request.query_params.get("info")
    return queries.channel(hub, request.path_params["channel"], info, now)


def _list_users(hub: Hub, request: Request, body: bytes, now: float) -> dict[str, Any]:
    return queries.users(hub, request.path_params["channel"])


def _terminate(hub: Hub, request: Request, body: bytes, now: float) -> dict[str, Any]:
    hub.terminate(request.path_params["user_id"])
    return {}
