"""A process that posts orders for some seconds and prints how many were created, and the seconds.

Run as ``python -m benchmarks.load PORT VARIANT SECONDS CONNECTIONS``.
"""

from __future__ import annotations

import re
import selectors
import socket
import sys
import time
from contextlib import ExitStack

from benchmarks.api import order

REQUEST = (
    b"POST /%s/orders/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
)


def post_until(port: int, variant: str, end: float, connections: int) -> int:
    """Post one order after the other over each connection; return how many were created.

    One thread does so: the processor is there for the server.
    """
    body = order(1)
    request = REQUEST % (variant.encode(), len(body), body)
    count = 0
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(connections):
            made = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            made.sendall(request)
            selector.register(made, selectors.EVENT_READ, bytearray())
        while selector.get_map():
            for key, _ in selector.select(30):
                connection, answer = key.fileobj, key.data
                assert isinstance(connection, socket.socket)
                answer += _read(connection)
                if not _is_whole(answer):
                    continue
                if not answer.startswith(b"HTTP/1.1 201"):
                    raise RuntimeError(answer.decode())
                count += 1
                answer.clear()
                if time.monotonic() < end:
                    connection.sendall(request)
                else:
                    selector.unregister(connection)
    return count


def _is_whole(answer: bytearray) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and (length is None or len(body) >= int(length[1]))


def _read(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def main(port: int, variant: str, seconds: float, connections: int) -> None:
    started = time.monotonic()
    count = post_until(port, variant, started + seconds, connections)
    print(count, time.monotonic() - started)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
