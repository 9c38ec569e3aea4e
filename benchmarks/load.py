"""A process that posts orders for some seconds and prints how many were created, and the seconds.

Run as ``python -m benchmarks.load PORT VARIANT SECONDS CONNECTIONS``.
"""

from __future__ import annotations

import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.api import order

REQUEST = (
    b"POST /%s/orders/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
)


def post_until(port: int, variant: str, end: float) -> int:
    """Post one order after the other over one connection; return how many were created."""
    body = order(1)
    request = REQUEST % (variant.encode(), len(body), body)
    count = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        while time.monotonic() < end:
            connection.sendall(request)
            head = _read_answer(connection)
            if not head.startswith(b"HTTP/1.1 201"):
                raise RuntimeError(head.decode())
            count += 1
    return count


def _read_answer(connection: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _read(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += _read(connection)
    return head


def _read(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def main(port: int, variant: str, seconds: float, connections: int) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        posts = [
            pool.submit(post_until, port, variant, started + seconds) for _ in range(connections)
        ]
    count = sum(post.result() for post in posts)
    print(count, time.monotonic() - started)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
