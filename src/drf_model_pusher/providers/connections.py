"""Connections to the HTTP API: through the environment's proxy, bounded, and safe in a fork."""

from __future__ import annotations

import http.client
import io
import os
import queue
import socket
import time
import urllib.request
from contextlib import suppress
from typing import Any, TypeAlias
from urllib.parse import unquote

# Both come with the official client, which asks for requests: that would do as well, and take twice
# the processor time for each call.
import certifi
import urllib3

Pool: TypeAlias = urllib3.HTTPConnectionPool | urllib3.ProxyManager

# Threads of one process that may talk to Pusher at a time without opening a connection each time.
_POOL_SIZE = 32


def make_pool(client: Any, ca_bundle: str | None) -> Pool:
    """Return the connections of an official client: to its host, or to a proxy that goes there.

    Args:
        client: Says where to, by its scheme, host and port.
        ca_bundle: A file or folder of the authorities to trust; None for the environment's.
    """
    pools = {"http": _Connections, "https": _SecureConnections}
    options: dict[str, Any] = {"maxsize": _POOL_SIZE}
    if client.scheme == "https":
        options |= {"cert_reqs": "CERT_REQUIRED", **_authorities(ca_bundle)}
    proxy = _proxy(client)
    if proxy is None:
        pool: urllib3.HTTPConnectionPool = pools[client.scheme](client.host, client.port, **options)
        return pool
    credentials = unquote(urllib3.util.parse_url(proxy).auth or "") or None
    headers = urllib3.make_headers(proxy_basic_auth=credentials)
    manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
    manager.pool_classes_by_scheme = pools
    return manager


def _proxy(client: Any) -> str | None:
    """Return the environment's proxy for a client; as curl's, it may lack its scheme."""
    proxy = urllib.request.getproxies().get(client.scheme)
    if not proxy or urllib.request.proxy_bypass(f"{client.host}:{client.port}"):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _authorities(ca_bundle: str | None) -> dict[str, str]:
    """Return whom to trust: the setting's file, else the environment's, else certifi's."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    path = ca_bundle or next(filter(None, map(os.environ.get, names)), certifi.where())
    return {"ca_cert_dir" if os.path.isdir(path) else "ca_certs": path}


class _BoundedInput(io.RawIOBase):
    """What a connection reads of one answer: not for longer than its time-out.

    A time-out of the socket's own begins anew with each byte, so a server that drips would hold the
    thread for as long as it likes.
    """

    def __init__(self, unbounded: io.RawIOBase, sock: socket.socket) -> None:
        self._unbounded, self._sock = unbounded, sock
        self._time_out = sock.gettimeout() or 0.0
        self._end = time.monotonic() + self._time_out
        self._has_begun = False
        self._is_shortened = False  # each change of a time-out is a system call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._has_begun:  # the first wait has the socket's own time-out, and most need no other
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("The answer takes too long.")
            self._sock.settimeout(left)
            self._is_shortened = True
        self._has_begun = True
        count: int | None = self._unbounded.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            if self._is_shortened:
                with suppress(OSError):  # it is closed already, if its server wants that
                    self._sock.settimeout(self._time_out)
            self._unbounded.close()
        super().close()


class _BoundedResponse(http.client.HTTPResponse):
    """Reads what a server answers, up to the bounds."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedInput(self.fp.detach(), sock))


class _OneWrite(urllib3.connection.HTTPConnection):
    """Writes a request's head and body together.

    Apart they are two system calls, after each of which the thread must get the interpreter's lock
    back from those that answer requests, and two packets.
    """

    response_class = _BoundedResponse
    _held: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._held = []
        try:
            super().request(*args, **kwargs)
            written = b"".join(self._held)
        finally:
            self._held = None
        self.send(written)

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)


class _SecureOneWrite(_OneWrite, urllib3.connection.HTTPSConnection):
    """The same over TLS."""


class _Idle(queue.LifoQueue[Any]):
    """The connections that a pool keeps, without a lock.

    urllib3 empties a pool that is forgotten, in a forked child too: there it would wait forever
    for a lock that another thread of the parent held. A pool never waits for a connection, and a
    list gives and takes one atomically.
    """

    def qsize(self) -> int:
        return len(self.queue)

    def put(self, item: Any, block: bool = False, timeout: float | None = None) -> None:
        if len(self.queue) >= self.maxsize:
            raise queue.Full
        self.queue.append(item)

    def get(self, block: bool = False, timeout: float | None = None) -> Any:
        try:
            return self.queue.pop()
        except IndexError:
            raise queue.Empty from None


class _Connections(urllib3.HTTPConnectionPool):
    ConnectionCls, QueueCls = _OneWrite, _Idle


class _SecureConnections(urllib3.HTTPSConnectionPool):
    ConnectionCls, QueueCls = _SecureOneWrite, _Idle
