"""The HTTP side of the Pusher provider: a backend for the official client's ``backend=`` seam.

The client's own would share its sockets with forked children, trust a list of authorities frozen
in 2021, sign GETs in a way that Laravel Reverb refuses, and pass over errors that come with status
200, as soketi's do.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode

import requests
from pusher.http import Request, make_query_string
from pusher.signature import sign
from requests.adapters import HTTPAdapter

from drf_model_pusher.exceptions import ProviderError

# Threads of one process that may talk to Pusher at a time without opening a connection each time.
_POOL_SIZE = 32


class Transport:
    """Sends signed requests over connections that are kept alive and never shared with a fork."""

    def __init__(self, client: Any, *, ca_bundle: str | None = None) -> None:
        self._client = client
        # True: the authorities of the environment's CA bundle variables, else certifi's.
        self._verify: str | bool = ca_bundle or True
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._pid = 0

    def send_request(self, request: Request) -> Any:
        """Send one request of the official client and return the decoded answer.

        Raises:
            ProviderError: For every way in which this can fail.
        """
        try:
            response = self._get_session().request(
                request.method,
                _signed_url(request),
                headers=request.headers,
                data=request.body,
                timeout=self._client.timeout,
                # Here and not on the session, whose value the environment's variables override.
                verify=self._verify,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # Not its text: that holds the URL with the key and the signature.
            raise ProviderError(
                f"{type(error).__name__} at {self._client.host}:{self._client.port}",
                retryable=True,
            ) from error
        return _decode(response)

    def _get_session(self) -> requests.Session:
        if self._session is None or self._pid != os.getpid():
            with self._lock:
                if self._session is None or self._pid != os.getpid():
                    self._session, self._pid = self._make_session(), os.getpid()
        return self._session

    def _make_session(self) -> requests.Session:
        session = requests.Session()
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_maxsize=_POOL_SIZE)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session


def _signed_url(request: Request) -> str:
    if request.method != "GET":
        url: str = request.url
        return url
    # An empty body has no MD5 in the protocol's documentation, and Reverb signs accordingly.
    query = {
        name: value
        for name, value in request.query_params.items()
        if name not in ("body_md5", "auth_signature")
    }
    text = f"GET\n{request.path}\n{make_query_string(query)}"
    query["auth_signature"] = sign(request.client.secret, text)
    return f"{request.base_url}{request.path}?{urlencode(query)}"


def _decode(response: requests.Response) -> Any:
    status = response.status_code
    if status not in (200, 202):
        raise _refusal(status, response.text, response)
    try:
        answer = response.json()
    except ValueError as error:
        # Somebody between us and the service answered, a proxy with a page of its own say.
        raise ProviderError("the answer is not JSON", status=status, retryable=True) from error
    if isinstance(answer, dict) and answer.get("error"):
        code = answer.get("code")
        raise _refusal(code if isinstance(code, int) else 400, str(answer["error"]), response)
    return answer


def _refusal(status: int, text: str, response: requests.Response) -> ProviderError:
    return ProviderError(
        f"{status} {text.strip()[:200]}",
        status=status,
        retryable=status == 429 or status >= 500,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Return the wait that a ``Retry-After`` header asks for: a number of seconds or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - datetime.now(timezone.utc)).total_seconds())
