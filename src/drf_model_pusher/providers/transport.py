"""The HTTP side of the Pusher provider: a backend for the official client's ``backend=`` seam.

The client's own would share its sockets with forked children, trust a list of authorities frozen
in 2021, and pass over errors that come with status 200, as soketi's do. This one also writes and
signs requests anew:

- The client escapes what is not ASCII, which makes a body up to three times as long.
- It signs GETs in a way that Laravel Reverb refuses: an empty body has no MD5 in the protocol.
- It knows no path in front of ``/apps``. A server signs the path that it sees, prefix included.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3
from pusher.http import Request, make_query_string
from pusher.signature import sign

from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.forks import after_fork
from drf_model_pusher.providers.connections import Pool, make_pool

# To try again is for the delivery to decide.
_ONCE = urllib3.Retry(total=False, redirect=False)

# The most that is read of an answer, in bytes. To a POST it is some words; to a GET it may be a
# list of a hundred thousand channels.
_LONGEST_ANSWERS = {"POST": 262_144, "GET": 16_777_216}

# Nobody is asked to compress, and what is compressed nevertheless is not unpacked: a few kilobytes
# might become gigabytes.
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class Transport:
    """Sends signed requests over connections that are kept alive and never shared with a fork."""

    def __init__(self, client: Any, *, ca_bundle: str | None = None, prefix: str = "") -> None:
        self._client = client
        self._ca_bundle = ca_bundle
        self._prefix = prefix
        self._start_afresh()
        after_fork(self._start_afresh)

    @property
    def address(self) -> str:
        """Where the HTTP API is, such as ``https://api-eu.pusher.com:443``."""
        client = self._client
        return f"{client.scheme}://{client.host}:{client.port}{self._prefix}"

    @property
    def server(self) -> tuple[str, int]:
        """The host and the port of the HTTP API."""
        return self._client.host, self._client.port

    def send_request(self, request: Request) -> Any:
        """Send a request of the official client; see ``call()``."""
        return self._send(request.method, request.path, request.params)

    def call(self, method: str, path: str, params: dict[str, Any] | None = None) -> Any:
        """Call the HTTP API at ``/apps/<app id>/<path>`` and return the decoded answer.

        Raises:
            ProviderError: For every way in which this can fail.
        """
        return self._send(method, f"/apps/{self._client.app_id}/{path}", params or {})

    def get_unsigned(self) -> urllib3.BaseHTTPResponse:
        """Return the answer to a GET that nobody has signed; what it raises is urllib3's."""
        target = f"{self._prefix}/apps/{self._client.app_id}/channels"
        response, _ = self._exchange("GET", target, b"")
        return response

    def _send(self, method: str, path: str, params: dict[str, Any]) -> Any:
        body = _body(params) if method == "POST" else b""
        query = {} if method == "POST" else params
        try:
            response, answer = self._exchange(method, self._signed(method, path, query, body), body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # Not its text: that holds the URL with the key and the signature.
            raise ProviderError(
                f"{type(error).__name__} at {self._client.host}:{self._client.port}",
                retryable=True,
            ) from error
        return _decode(method, response, answer)

    def _signed(self, method: str, path: str, params: dict[str, Any], body: bytes) -> str:
        path = self._prefix + path
        query = {
            **params,
            "auth_key": self._client.key,
            "auth_timestamp": f"{time.time():.0f}",
            "auth_version": "1.0",
        }
        if body:
            query["body_md5"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
        text = make_query_string(query)
        signature = sign(self._client.secret, f"{method}\n{path}\n{text}")
        # What is signed is not escaped; only parameters of a call's own may need it.
        return f"{path}?{urlencode(query) if params else text}&auth_signature={signature}"

    def _exchange(
        self, method: str, target: str, body: bytes
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        """Return what answers a request, and as much of its body as is ever read."""
        pool = self._get_pool()
        if not isinstance(pool, urllib3.HTTPConnectionPool):  # a proxy must be told where to go
            target = f"{self._client.scheme}://{self._client.host}:{self._client.port}{target}"
        response = pool.urlopen(
            method,
            target,
            headers=_HEADERS,
            body=body or None,
            timeout=self._client.timeout,
            retries=_ONCE,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        with response:
            return response, response.read(_LONGEST_ANSWERS[method] + 1)

    def _start_afresh(self) -> None:
        """Own no connection; a forked child does this while it still has one thread."""
        # Another thread of the parent may have held the lock, and will never release it here.
        self._lock = threading.Lock()
        self._pool: Pool | None = None

    def _get_pool(self) -> Pool:
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = make_pool(self._client, self._ca_bundle)
        return self._pool


def _body(params: dict[str, Any]) -> bytes:
    try:
        return json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a character is no UTF-8; an escape in JSON can be sent
        return json.dumps(params, separators=(",", ":")).encode()


def _decode(method: str, response: urllib3.BaseHTTPResponse, body: bytes) -> Any:
    status, text = response.status, body[:1_000].decode(errors="replace")
    if status not in (200, 202):
        raise _refusal(status, text, response)
    # Somebody between us and the service may have answered, a proxy with a page of its own say.
    if len(body) > _LONGEST_ANSWERS[method]:
        raise ProviderError("the answer is too long", status=status, retryable=True)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
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
