"""Requests to the project's views without a server: the WSGI handler, called directly."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

VARIANTS = ("plain", "hand-written", "floor", "package")


def order(position: int) -> bytes:
    """Return the body of a request that creates an order."""
    return json.dumps(
        {
            "reference": f"2026-{position:06}",
            "customer": "Ada Lovelace",
            "total": "149.90",
            "position": position,
            "note": "Please leave it at the door.",
        }
    ).encode()


class Api:
    """The project, in this process."""

    def __init__(self) -> None:
        from benchmarks.project.wsgi import application

        self._application: Callable[..., Any] = application
        self.position = 0  # what the stand-in reads the order from

    def create(self, variant: str) -> tuple[float, int]:
        """Create an order; return the seconds it took and the order's id."""
        self.position += 1
        seconds, answer = self._request("POST", f"/{variant}/orders/", order(self.position))
        return seconds, json.loads(answer)["id"]

    def update(self, variant: str, pk: int) -> float:
        self.position += 1
        body = b'{"position": %d}' % self.position
        return self._request("PATCH", f"/{variant}/orders/{pk}/", body)[0]

    def delete(self, variant: str, pk: int) -> float:
        return self._request("DELETE", f"/{variant}/orders/{pk}/")[0]

    def _request(self, method: str, path: str, body: bytes = b"") -> tuple[float, bytes]:
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_ACCEPT": "application/json",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
        }
        statuses: list[str] = []
        started = time.perf_counter()
        response = self._application(environ, lambda status, headers: statuses.append(status))
        answer = b"".join(response)
        response.close()
        seconds = time.perf_counter() - started
        if not statuses[0].startswith("2"):
            raise RuntimeError(f"{method} {path}: {statuses[0]} {answer[:200]!r}")
        return seconds, answer
