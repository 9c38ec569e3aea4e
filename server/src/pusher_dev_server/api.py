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
    from starlette.types import Receive, Scope, Send

Answer = Callable[[Hub, Request, bytes], dict[str, Any]]


class Api:
    """The HTTP API of some hubs.

    Args:
        hubs: The hubs by app id.
        clock: The clock that they are driven by.
    """

    def __init__(self, hubs: Mapping[str, Hub], clock: Callable[[], float]) -> None:
        self._hubs = hubs
        self._clock = clock
        app, channel = "/apps/{app_id}", "/apps/{app_id}/channels/{channel}"
        # A user's id may have a slash in it, which comes here decoded.
        user = "/apps/{app_id}/users/{user_id:path}"
        self.asgi = Router(
            routes=[
                self._route("POST", f"{app}/events", self.events),
                self._route("POST", f"{app}/batch_events", self.batch_events),
                self._route("GET", f"{app}/channels", self.channels),
                self._route("GET", channel, self.channel),
                self._route("GET", f"{channel}/users", self.users),
                self._route("POST", f"{user}/terminate_connections", self.terminate),
            ]
        )

    def events(self, hub: Hub, request: Request, body: bytes) -> dict[str, Any]:
        """Publish one event."""
        event = parse_event(body, hub.limits)
        hub.publish(event, self._clock())
        info = queries.published(hub, event)
        return {"channels": info} if info else {}

    def batch_events(self, hub: Hub, request: Request, body: bytes) -> dict[str, Any]:
        """Publish events in their order; if one of them is invalid, publish none."""
        answers: list[dict[str, Any]] = []
        for event in parse_batch(body, hub.limits):
            hub.publish(event, self._clock())
            answers.extend(queries.published(hub, event).values() or [{}])
        return {"batch": answers} if any(answers) else {}

    def channels(self, hub: Hub, request: Request, body: bytes) -> dict[str, Any]:
        """List the occupied channels."""
        query = request.query_params
        return queries.channels(hub, query.get("filter_by_prefix"), query.get("info"))

    def channel(self, hub: Hub, request: Request, body: bytes) -> dict[str, Any]:
        """Describe one channel, occupied or not."""
        name, info = request.path_params["channel"], request.query_params.get("info")
        return queries.channel(hub, name, info, self._clock())

    def users(self, hub: Hub, request: Request, body: bytes) -> dict[str, Any]:
        """List the members of a presence channel."""
        return queries.users(hub, request.path_params["channel"])

    def terminate(self, hub: Hub, request: Request, body: bytes) -> dict[str, Any]:
        """Close all connections of a signed-in user."""
        hub.terminate(request.path_params["user_id"])
        return {}

    def _route(self, method: str, path: str, answer: Answer) -> Route:
        return Route(path, _Endpoint(self._hubs, answer), methods=[method])


class _Endpoint:
    """Answers the requests of a route, as an ASGI application: a function costs Starlette more.

    Args:
        hubs: The hubs by app id.
        answer: What to answer an owner of the app.
    """

    def __init__(self, hubs: Mapping[str, Hub], answer: Answer) -> None:
        self._hubs = hubs
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = _json(await self._answered(request))
        except RequestError as error:
            response = _text(str(error), error.status)
        except InvalidSignature as error:
            response = _text(str(error), 401)
        await response(scope, receive, send)

    async def _answered(self, request: Request) -> dict[str, Any]:
        hub = self._hubs.get(request.path_params["app_id"])
        if hub is None:
            raise RequestError("Unknown app", 404)
        body = await read_body(request, hub.limits.body_bytes)
        _authenticate(hub, request, body)
        return self._answer(hub, request, body)


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request; raise RequestError if it is too large, or not all there."""
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > max_bytes:
                raise RequestError(f"The body is larger than {max_bytes} bytes", 413)
    except ClientDisconnect as error:
        raise RequestError("The body is not complete") from error
    return bytes(chunks)


def _authenticate(hub: Hub, request: Request, body: bytes) -> None:
    scope = request.scope
    # Signed is the path as requested, where a channel's name may be percent-encoded.
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


def _json(value: dict[str, Any]) -> Response:
    return Response(protocol.encode(value), media_type="application/json")


def _text(message: str, status: int) -> Response:
    # A message may quote what was sent, and that may not be encodable.
    return Response(message.encode("utf-8", "backslashreplace"), status, media_type="text/plain")
