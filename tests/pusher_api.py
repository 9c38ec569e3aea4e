"""A stand-in for Pusher's HTTP API: takes real bytes, checks signatures, misbehaves on order."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# Seconds to wait for what must come, from a process that starts first as well: only a failure
# takes them.
PATIENCE = 60


@dataclass
class Call:
    """One request as it came over the wire."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    client: tuple[str, int]
    headers: Any
    signed: bool
    ok: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events in it, each with a list of channels and decoded data."""
        items = self.json["batch"] if self.path.endswith("/batch_events") else [self.json]
        return [
            {
                "channels": item.get("channels") or [item["channel"]],
                "name": item["name"],
                "data": json.loads(item["data"]),
                "socket_id": item.get("socket_id"),
            }
            for item in items
        ]


@dataclass
class Answer:
    """What the server does with one request."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    held: threading.Event | None = None
    """What it waits for besides."""
    reset: bool = False
    for_batches: bool = False
    """Whether calls with one event are answered as usual."""
    taken: bool = False
    """Whether a call that is reset has arrived all the same."""


class PusherApi:
    """The server, with what it received; unscripted requests with a good signature get a 200."""

    def __init__(self, *, key: str, secret: str) -> None:
        self.key, self.secret = key, secret
        self.calls: list[Call] = []
        self.connections = 0
        self.script: deque[Answer] = deque()
        self.default = Answer()
        self._arrived = threading.Condition()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                api.connections += 1

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                api._answer(self)

            do_POST = do_GET

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Clients may go away as they like."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self) -> PusherApi:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events of calls that were accepted, in the order of their arrival."""
        return [event for call in self.accepted for event in call.events]

    @property
    def accepted(self) -> list[Call]:
        return [call for call in self.calls if call.signed and call.ok]

    def wait_for_events(self, count: int, *, timeout: float = PATIENCE) -> list[dict[str, Any]]:
        """Return the accepted events as soon as there are so many of them."""
        self._wait(lambda: len(self.events) >= count, timeout, f"{count} events")
        return self.events

    def wait_for_calls(self, count: int, *, timeout: float = PATIENCE) -> list[Call]:
        """Return the calls, accepted or not, as soon as there are so many of them."""
        self._wait(lambda: len(self.calls) >= count, timeout, f"{count} calls")
        return self.calls

    def _wait(self, reached: Any, timeout: float, what: str) -> None:
        with self._arrived:
            if not self._arrived.wait_for(reached, timeout):
                raise AssertionError(f"waited {timeout} s for {what}, got {len(self.calls)} calls")

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        parts = urlsplit(handler.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(
            method=handler.command,
            path=parts.path,
            query=query,
            body=body,
            client=handler.client_address,
            headers=handler.headers,
            signed=self._is_signed(handler.command, parts.path, query, body),
        )
        answer = self.script.popleft() if self.script else self.default
        if answer.for_batches and not call.path.endswith("/batch_events"):
            answer = Answer()
        if not call.signed:
            answer = Answer(status=401, body=b"bad signature")
        with self._arrived:
            arrived = answer.taken or not answer.reset
            call.ok = answer.status == 200 and arrived and b'"error"' not in answer.body
            self.calls.append(call)
            self._arrived.notify_all()
        time.sleep(answer.delay)
        if answer.held:
            answer.held.wait(PATIENCE)
        if answer.reset:
            # No linger: the client sees a reset and not an orderly end.
            handler.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
            handler.close_connection = True
            handler.connection.close()
            return
        handler.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)

    def _is_signed(self, method: str, path: str, query: dict[str, str], body: bytes) -> bool:
        """Check the signature as the protocol's documentation describes it."""
        if query.get("auth_key") != self.key:
            return False
        if body and query.get("body_md5") != hashlib.md5(body).hexdigest():
            return False
        signed = sorted((k, v) for k, v in query.items() if k != "auth_signature")
        text = f"{method}\n{path}\n" + "&".join(f"{k}={v}" for k, v in signed)
        expected = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, query.get("auth_signature", ""))
