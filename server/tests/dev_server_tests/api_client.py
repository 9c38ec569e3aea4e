"""Signed requests to a local server, made by hand so that each part of one can be wrong."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from typing import Any
from urllib.parse import quote

from pusher_dev_server.signatures import sign
from pusher_dev_server.testing import LocalServer


class Response:
    """A status, and a body that is JSON or text."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text

    def json(self) -> Any:
        return json.loads(self.text)


def request(
    server: LocalServer,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    app_id: str | None = None,
    secret: str | None = None,
    sent: bytes | None = None,
    timestamp: float | None = None,
    **parameters: str,
) -> Response:
    """Make one request below the app's path; ``sent`` is a body other than the signed one."""
    path = f"/apps/{app_id or server.app_id}{path}"
    parameters |= {
        "auth_key": server.key,
        "auth_timestamp": str(int(timestamp or time.time())),
        "auth_version": "1.0",
    }
    if body:
        parameters["body_md5"] = hashlib.md5(body).hexdigest()
    signed = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    signature = sign(secret or server.secret, f"{method}\n{path}\n{signed}")
    query = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request(
            method,
            f"{path}?{query}&auth_signature={signature}",
            body if sent is None else sent,
            {"Content-Type": "application/json"},
        )
        response = connection.getresponse()
        return Response(response.status, response.read().decode())
    finally:
        connection.close()


def post(server: LocalServer, path: str, value: Any, **options: Any) -> Response:
    return request(server, "POST", path, json.dumps(value).encode(), **options)


def get(server: LocalServer, path: str, **options: Any) -> Response:
    return request(server, "GET", path, **options)
