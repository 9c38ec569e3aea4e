"""Connections that do not come to the point, and are not waited for.

uvicorn waits for ever for the rest of a request, and for an answer to be read; it leaves a
WebSocket open whose handshake it cannot read, and keeps however many pieces of a message. A few
thousand of these would use up all the sockets, or the memory, that the process may have.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from drf_model_pusher.server import extra

try:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    from websockets.frames import CloseCode
except ImportError as error:  # pragma: no cover - needs an installation without the extra
    raise ImportError(extra.MESSAGE) from error

if TYPE_CHECKING:
    from websockets.frames import Frame

#: Seconds in which a request must come, head and body; it may take twice that until this is seen.
REQUEST_TIMEOUT = 20.0

#: Bytes that are taken from a connection before others have their turn.
READ_BYTES = 16_384

#: Pieces of one WebSocket message.
PIECES = 1_000

#: What a handshake gets that no version of the library answers.
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]
    """uvicorn's own protocol, which closes what keeps it waiting for a request, or for a reader."""

    _look: asyncio.TimerHandle | None = None
    _seen: tuple[Any, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        # asyncio reads 256 KB at once: 40,000 empty frames, for which all others would wait.
        # Other loops have their own ways.
        with contextlib.suppress(AttributeError):
            transport.max_size = READ_BYTES  # type: ignore[attr-defined]
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_looking()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, *args: Any) -> None:
        """Wait no more: the connection is another protocol's now."""
        self._stop_looking()
        super().handle_websocket_upgrade(*args)

    def _look_later(self) -> None:
        self._look = self.loop.call_later(REQUEST_TIMEOUT, self._look_again)

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()

    def _look_again(self) -> None:
        cycle, unread = self.cycle, self.transport.get_write_buffer_size()
        is_waiting = unread or cycle is None or cycle.response_complete or cycle.more_body
        if is_waiting and self._seen == (cycle, unread):
            self.transport.close()
            return
        self._seen = cycle, unread
        self._look_later()


class StrictSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol, which refuses unreadable handshakes and messages in tiny pieces."""

    _pieces = 0

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent; end a connection that can become no WebSocket."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # Newer versions of websockets have the answer ready for some.
            self.transport.write(b"".join(self.conn.data_to_send()) or BAD_REQUEST)
            self.transport.close()

    def handle_cont(self, event: Frame) -> None:
        """Take a further piece of a message, unless there are too many: the empty have no size."""
        if self.close_sent:
            return
        self._pieces = 0 if event.fin else self._pieces + 1
        if self._pieces > PIECES:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"more than {PIECES} pieces")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)
