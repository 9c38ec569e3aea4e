"""The HTTP side of the Pusher provider: a backend for the official client's ``backend=`` seam.

The client's own would share its sockets with forked children, trust a list of authorities frozen
in 2021, sign GETs in a way that Laravel Reverb refuses, and pass over errors that come with status
200, as soketi's do.
"""

from __future__ import annotations

import threading
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
                retries=_ONCE,
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
            "GET", self._address(path), timeout=self._client.timeout, retries=_ONCE, redirect=False
        )

    def _start_afresh(self) -> None:
        """Own no connection; a forked child does this while it still has one thread."""
        # Another thread of the parent may have held the lock, and will never release it here.
        self._lock = threading.Lock()
        self._pool: Pool | None = None

    def _address(self, target: str) -> str:
        """Return what the pool is asked for: a proxy must be told where else to go."""
        if isinstance(self._pool, urllib3.HTTPConnectionPool):
            return target
        return f"{self._client.scheme}://{self._client.host}:{self._client.port}{target}"

    def _get_pool(self) -> Pool:
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = make_pool(self._client, self._ca_bundle)
        return self._pool


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
