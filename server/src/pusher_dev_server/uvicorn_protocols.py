"""uvicorn's protocols, with timeouts and limits for clients that stall.

uvicorn waits forever for the rest of a request, and for an answer to be read; it leaves a
WebSocket open whose handshake it cannot read, and keeps any number of fragments of a message. A few
thousand of these would use up the process's sockets or memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from pusher_dev_server.log import logger

if TYPE_CHECKING:
    from websockets.frames import Frame

#: Seconds without progress after which a request is closed; noticed within twice that.
REQUEST_TIMEOUT = 20.0

#: Bytes that are read from a connection at once.
READ_BYTES = 16_384

#: Fragments of one WebSocket message.
MAX_FRAGMENTS = 1_000

#: What a handshake gets that no version of the library answers.
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class TimeoutHTTPProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """Closes connections whose request does not arrive, or whose answer is not read, in time."""

    _timer: asyncio.TimerHandle | None = None
    _progress: tuple[Any, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer."""
        super().connection_made(transport)
        self.logger = logger
        # asyncio reads 256 KB at once: 40,000 empty frames, during which all others would wait.
        # The attribute is asyncio's own; other event loops ignore it or have none.
        with contextlib.suppress(AttributeError):
            transport.max_size = READ_BYTES  # type: ignore[attr-defined]
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, *args: Any) -> None:
        """Stop the timer: the connection is another protocol's now."""
        self._stop_timer()
        super().handle_websocket_upgrade(*args)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(REQUEST_TIMEOUT, self._check_progress)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _check_progress(self) -> None:
        cycle, unread = self.cycle, self.transport.get_write_buffer_size()
        is_waiting = unread or cycle is None or cycle.response_complete or cycle.more_body
        if is_waiting and self._progress == (cycle, unread):
            self.transport.close()
            return
        self._progress = cycle, unread
        self._start_timer()


class StrictWebSocketProtocol(WebSocketsSansIOProtocol):
    """Refuses handshakes that cannot be read, and messages in too many fragments."""

    _fragments = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Log where clients cannot flood the log."""
        super().connection_made(transport)
        self.logger = self.conn.logger = logger

    def data_received(self, data: bytes) -> None:
        """Read what the client sent; close a connection that can become no WebSocket."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # Newer versions of websockets have an answer ready for some of these.
            self.transport.write(b"".join(self.conn.data_to_send()) or BAD_REQUEST)
            self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        """Read one more fragment. Empty ones have no size, so their number is limited."""
        if self.close_sent:
            return
        self._fragments = 0 if event.fin else self._fragments + 1
        if self._fragments > MAX_FRAGMENTS:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"more than {MAX_FRAGMENTS} fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)
