"""The HTTP side of the Pusher provider: a backend for the official client's ``backend=`` seam.

The client's own would share its sockets with forked children, trust a list of authorities frozen
in 2021, sign GETs in a way that Laravel Reverb refuses, and pass over errors that come with status
200, as soketi's do.
"""

from __future__ import annotations

import http.client
import io
import os
import queue
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlencode

# Both come with the official client, which asks for requests: that would do as well, and take twice
# the processor time for each call.
import certifi
import urllib3
from pusher.http import Request, make_query_string
from pusher.signature import sign

from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.forks import after_fork

# Threads of one process that may talk to Pusher at a time without opening a connection each time.
_POOL_SIZE = 32

# No answer of the API comes near it, not even one that lists a hundred thousand channels.
_LARGEST_ANSWER = 32 * 1024 * 1024


class Transport:
    """Sends signed requests over connections that are kept alive and never shared with a fork."""

    def __init__(self, client: Any, *, ca_bundle: str | None = None) -> None:
        self._client = client
        self._ca_bundle = ca_bundle
        self._start_afresh()
        after_fork(self._start_afresh)

    def send_request(self, request: Request) -> Any:
        """Send one request of the official client and return the decoded answer.

        Raises:
            ProviderError: For every way in which this can fail.
        """
        try:
            response = self._get_pool().urlopen(
                request.method,
                self._address(_signed_target(request)),
                headers=request.headers,
                body=request.body,
                timeout=self._client.timeout,
                retries=False,
                redirect=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Not its text: that holds the URL with the key and the signature.
            raise ProviderError(
                f"{type(error).__name__} at {self._client.host}:{self._client.port}",
                retryable=True,
            ) from error
        return _decode(response)

    def get_unsigned(self, path: str) -> urllib3.BaseHTTPResponse:
        """Return whatever answers a GET that nobody has signed; what it raises is urllib3's."""
        return self._get_pool().urlopen(
            "GET", self._address(path), timeout=self._client.timeout, retries=False, redirect=False
        )

    def _start_afresh(self) -> None:
        """Own no connection; a forked child does this while it still has one thread."""
        # Another thread of the parent may have held the lock, and will never release it here.
        self._lock = threading.Lock()
        self._pool: urllib3.HTTPConnectionPool | urllib3.ProxyManager | None = None

    def _address(self, target: str) -> str:
        """Return what the pool is asked for: a proxy must be told where else to go."""
        if isinstance(self._pool, urllib3.HTTPConnectionPool):
            return target
        return f"{self._client.scheme}://{self._client.host}:{self._client.port}{target}"

    def _get_pool(self) -> urllib3.HTTPConnectionPool | urllib3.ProxyManager:
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = self._make_pool()
        return self._pool

    def _make_pool(self) -> urllib3.HTTPConnectionPool | urllib3.ProxyManager:
        client, pools = self._client, {"http": _Pool, "https": _SecurePool}
        options: dict[str, Any] = {"maxsize": _POOL_SIZE}
        if client.scheme == "https":
            options |= {"cert_reqs": "CERT_REQUIRED", **_authorities(self._ca_bundle)}
        proxy = _proxy(client)
        if proxy is None:
            pool: urllib3.HTTPConnectionPool = pools[client.scheme](
                client.host, client.port, **options
            )
            return pool
        credentials = unquote(urllib3.util.parse_url(proxy).auth or "") or None
        headers = urllib3.make_headers(proxy_basic_auth=credentials)
        manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
        manager.pool_classes_by_scheme = pools
        return manager


class _BoundedInput(io.RawIOBase):
    """What a connection reads of one answer: not for longer than its time-out, nor without end.

    A time-out of the socket's own begins anew with each byte, so a server that drips would hold the
    thread for as long as it likes.
    """

    def __init__(self, unbounded: io.RawIOBase, sock: socket.socket) -> None:
        self._unbounded, self._sock = unbounded, sock
        self._time_out = sock.gettimeout() or 0.0
        self._end = time.monotonic() + self._time_out
        self._read = 0
        self._is_shortened = False  # each change of a time-out is a system call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._read:  # the first wait has the socket's own time-out, and most need no other
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("The answer takes too long.")
            self._sock.settimeout(left)
            self._is_shortened = True
        count: int | None = self._unbounded.readinto(buffer)
        self._read += count or 0
        if self._read > _LARGEST_ANSWER:
            raise OSError("The answer is too long.")
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

    urllib3 empties a pool that is forgotten, in a forked child too: there it would wait for ever
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


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls, QueueCls = _OneWrite, _Idle


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls, QueueCls = _SecureOneWrite, _Idle


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


def _signed_target(request: Request) -> str:
    if request.method != "GET":
        signed: str = request.signed_path
        return signed
    # An empty body has no MD5 in the protocol's documentation, and Reverb signs accordingly.
    query = {
        name: value
        for name, value in request.query_params.items()
        if name not in ("body_md5", "auth_signature")
    }
    text = f"GET\n{request.path}\n{make_query_string(query)}"
    query["auth_signature"] = sign(request.client.secret, text)
    return f"{request.path}?{urlencode(query)}"


def _decode(response: urllib3.BaseHTTPResponse) -> Any:
    status, text = response.status, response.data.decode(errors="replace")
    if status not in (200, 202):
        raise _refusal(status, text, response)
    try:
        answer = response.json()
    except (ValueError, RecursionError) as error:
        # Somebody between us and the service answered, a proxy with a page of its own say.
        raise ProviderError(
            "the answer is not JSON", detail=text.strip(), status=status, retryable=True
        ) from error
    if isinstance(answer, dict) and answer.get("error") is not None:
        raise _refusal(_status(answer.get("code")), str(answer["error"]), response)
    return answer


def _status(code: object) -> int:
    """Return the status that an error in a 200 has: its code, a number or text, or 400."""
    text = str(code)
    known = len(text) == 3 and text.isascii() and text.isdecimal() and "400" <= text < "600"
    return int(text) if known else 400


def _refusal(status: int, text: str, response: urllib3.BaseHTTPResponse) -> ProviderError:
    return ProviderError(
        f"the service answered {status}",
        detail=text.strip(),
        status=status,
        retryable=status in (408, 429) or status >= 500,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return the wait that a ``Retry-After`` header asks for: a number of seconds or a date."""
    if not retry_after:
        return None
    text = retry_after.strip()
    # Superscripts and the like are digits too, but no numbers.
    if text.isascii() and text.isdecimal():
        return min(float(text), threading.TIMEOUT_MAX)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
