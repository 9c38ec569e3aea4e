"""WebSockets without a library around them."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit


def end_of(url: str) -> tuple[list[dict], int]:
    """Connect, read until the server closes; return the frames and the code.

    The bytes are read here, because older client libraries forget what came just before a close.
    """
    address = urlsplit(url)
    frames = []
    with socket.create_connection((address.hostname, address.port), 5) as raw:
        raw.sendall(handshake(url))
        stream = raw.makefile("rb")
        assert b" 101 " in stream.readline()
        while stream.readline().strip():
            pass
        while True:
            opcode, length = stream.read(2)
            payload = stream.read(length)
            if opcode & 0x0F == 0x8:
                return frames, int.from_bytes(payload[:2], "big")
            frames.append(json.loads(payload))


def handshake(url: str) -> bytes:
    """Return what a WebSocket client begins with."""
    target = url.split("/", 3)[3]
    return (
        f"GET /{target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()


def frame(head: int, content: bytes) -> bytes:
    """Return a client's frame of at most 125 bytes."""
    return bytes([head, 0x80 | len(content), 0, 0, 0, 0]) + content
