"""Webhooks: signed, in batches, and sent again when the app does not take them.

https://pusher.com/docs/channels/server_api/webhooks/
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from pusher_dev_server import protocol
from pusher_dev_server.application import Application
from pusher_dev_server.log import logger
from pusher_dev_server.signatures import sign
from pusher_dev_server.webhook_delay import WebhookEvent

#: Seconds in which events gather to be sent as one request.
GATHER = 0.05

#: Events in one request, and events that wait; beyond these the oldest are dropped.
BATCH, BACKLOG = 100, 10_000

#: Seconds for which one request is tried again, and the first wait between two tries.
RETRY_FOR, FIRST_WAIT = 300.0, 1.0

#: Seconds that the app has to answer.
TIMEOUT = 5.0


def encode_body(events: Iterable[WebhookEvent], time_ms: int) -> bytes:
    """Return the body of a request: the bytes that are signed, and sent as they are."""
    return protocol.encode({"time_ms": time_ms, "events": list(events)}).encode()


def headers(app: Application, body: bytes) -> dict[str, str]:
    """Return the headers by which the app knows that a body is its server's."""
    return {
        "Content-Type": "application/json",
        "X-Pusher-Key": app.key,
        "X-Pusher-Signature": sign(app.secret, body),
    }


class WebhookSender:
    """Posts one app's webhooks to one address, in their order."""

    def __init__(self, app: Application, url: str) -> None:
        self._app = app
        self._target = target = urlsplit(url)
        # For the log, without what may be a secret.
        netloc = target.netloc.rpartition("@")[2]
        self._shown = target._replace(netloc=netloc, query="", fragment="").geturl()
        self._events: deque[WebhookEvent] = deque(maxlen=BACKLOG)
        self._arrived = asyncio.Event()

    def put(self, event: WebhookEvent) -> None:
        """Take an event; it is sent within moments."""
        if len(self._events) == BACKLOG:
            logger.warning("webhook_dropped url=%s backlog=%d", self._shown, BACKLOG)
        self._events.append(event)
        self._arrived.set()

    async def run(self) -> None:
        """Send what is put, for ever."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(GATHER)
            batch = [self._events.popleft() for _ in range(min(BATCH, len(self._events)))]
            if not self._events:
                self._arrived.clear()
            await self._deliver(encode_body(batch, int(time.time() * 1000)))

    async def _deliver(self, body: bytes) -> None:
        """Post one body until it is taken, or has been tried for long enough."""
        deadline = time.monotonic() + RETRY_FOR
        wait = FIRST_WAIT
        while True:
            outcome = await self._attempt(body)
            if outcome == "":
                return
            # Jitter, so that a recovering app is not met by all its servers at once.
            pause = wait * random.uniform(0.5, 1.0)  # noqa: S311 - nothing to guess
            if time.monotonic() + pause > deadline:
                logger.error("webhook_failed url=%s reason=%s", self._shown, outcome)
                return
            logger.warning("webhook_retry url=%s in=%.1f reason=%s", self._shown, pause, outcome)
            await asyncio.sleep(pause)
            wait *= 2

    async def _attempt(self, body: bytes) -> str:
        """Post a body once; return why it was not taken, or nothing."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        connection = _connection(self._target)

        def set_outcome(outcome: str) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def post() -> None:
            outcome = self._post(connection, body)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(set_outcome, outcome)

        # Not the loop's own threads: the end of the server would wait for an app that drips.
        threading.Thread(target=post, name="pusher-webhook", daemon=True).start()
        try:
            return await asyncio.wait_for(answer, TIMEOUT)
        except asyncio.TimeoutError as error:
            return type(error).__name__
        finally:
            _hang_up(connection)

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> str:
        path, query = self._target.path or "/", self._target.query
        try:
            connection.request(
                "POST", f"{path}?{query}" if query else path, body, headers(self._app, body)
            )
            status = connection.getresponse().status
        # ValueError: of TLS, where it is hung up.
        except (OSError, ValueError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()
        return "" if 200 <= status < 300 else f"status {status}"


def _connection(target: SplitResult) -> http.client.HTTPConnection:
    # http.client and not urllib: a redirect would lose the body, and is not what was set up.
    is_tls = target.scheme == "https"
    kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
    return kind(target.hostname or "", target.port, timeout=TIMEOUT)


def _hang_up(connection: http.client.HTTPConnection) -> None:
    """End a handlers that another thread may be in, so that the thread ends too."""
    line: socket.socket | None = connection.sock
    if line is not None:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
