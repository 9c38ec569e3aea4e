"""Webhooks: what the server tells the app, signed, in batches, again where it was not taken.

https://pusher.com/docs/channels/server_api/webhooks/
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import random
import time
from collections import deque
from collections.abc import Iterable
from urllib.parse import urlsplit

from drf_model_pusher.server import protocol
from drf_model_pusher.server.application import Application
from drf_model_pusher.server.holdback import WebhookEvent
from drf_model_pusher.server.signatures import sign

logger = logging.getLogger("drf_model_pusher")

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
        self._url = url
        self._events: deque[WebhookEvent] = deque(maxlen=BACKLOG)
        self._arrived = asyncio.Event()

    def put(self, event: WebhookEvent) -> None:
        """Take an event; it is sent within moments."""
        if len(self._events) == BACKLOG:
            logger.warning("webhook_dropped url=%s backlog=%d", self._url, BACKLOG)
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
            outcome = await asyncio.to_thread(self._post, body)
            if outcome == "":
                return
            # Jitter, so that a recovering app is not met by all its servers at once.
            pause = wait * random.uniform(0.5, 1.0)  # noqa: S311 - nothing to guess
            if time.monotonic() + pause > deadline:
                logger.error("webhook_failed url=%s reason=%s", self._url, outcome)
                return
            logger.warning("webhook_retry url=%s in=%.1f reason=%s", self._url, pause, outcome)
            await asyncio.sleep(pause)
            wait *= 2

    def _post(self, body: bytes) -> str:
        """Post a body; return why it was not taken, or nothing."""
        # http.client and not urllib: a redirect would lose the body, and is not what was set up.
        url = urlsplit(self._url)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=TIMEOUT)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            connection.request("POST", path, body, headers(self._app, body))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()
        return "" if 200 <= status < 300 else f"status {status}"
