"""The HTTP side of the Pusher provider: a backend for the official client's ``backend=`` seam.

The client's own would share its sockets with forked children, trust a list of authorities frozen
in 2021, sign GETs in a way that Laravel Reverb refuses, and pass over errors that come with status
200, as soketi's do.
"""

from __future__ import annotations

import os
import threading
import urllib.request
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

# Threads of one process that may talk to Pusher at a time without opening a connection each time.
_POOL_SIZE = 32


class Transport:
    """Sends signed requests over connections that are kept alive and never shared with a fork."""

    def __init__(self, client: Any, *, ca_bundle: str | None = None) -> None:
        self._client = client
        self._ca_bundle = ca_bundle
        self._lock = threading.Lock()
        self._pool: urllib3.PoolManager | None = None
        self._pid = 0

    def send_request(self, request: Request) -> Any:
        """Send one request of the official client and return the decoded answer.

        Raises:
            ProviderError: For every way in which this can fail.
        """
        try:
            response = self._get_pool().urlopen(
                request.method,
                _signed_url(request),
                headers=request.headers,
                body=request.body,
                timeout=self._client.timeout,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            # Not its text: that holds the URL with the key and the signature.
            raise ProviderError(
                f"{type(error).__name__} at {self._client.host}:{self._client.port}",
                retryable=True,
            ) from error
        return _decode(response)

    def _get_pool(self) -> urllib3.PoolManager:
        if self._pool is None or self._pid != os.getpid():
            with self._lock:
                if self._pool is None or self._pid != os.getpid():
                    self._pool, self._pid = self._make_pool(), os.getpid()
        return self._pool

    def _make_pool(self) -> urllib3.PoolManager:
        options: dict[str, Any] = {"maxsize": _POOL_SIZE}
        if self._client.scheme == "https":
            options |= {"cert_reqs": "CERT_REQUIRED", **_authorities(self._ca_bundle)}
        proxy = urllib.request.getproxies().get(self._client.scheme)
        if not proxy or urllib.request.proxy_bypass(self._client.host):
            return urllib3.PoolManager(**options)
        credentials = unquote(urllib3.util.parse_url(proxy).auth or "") or None
        headers = urllib3.make_headers(proxy_basic_auth=credentials)
        return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)


def _authorities(ca_bundle: str | None) -> dict[str, str]:
    """Return whom to trust: the setting's file, else the environment's, else certifi's."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    path = ca_bundle or next(filter(None, map(os.environ.get, names)), certifi.where())
    return {"ca_cert_dir" if os.path.isdir(path) else "ca_certs": path}


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


def _decode(response: urllib3.BaseHTTPResponse) -> Any:
    status = response.status
    if status not in (200, 202):
        raise _refusal(status, response.data.decode(errors="replace"), response)
    try:
        answer = response.json()
    except ValueError as error:
        # Somebody between us and the service answered, a proxy with a page of its own say.
        raise ProviderError("the answer is not JSON", status=status, retryable=True) from error
    if isinstance(answer, dict) and answer.get("error"):
        code = answer.get("code")
        raise _refusal(code if isinstance(code, int) else 400, str(answer["error"]), response)
    return answer


def _refusal(status: int, text: str, response: urllib3.BaseHTTPResponse) -> ProviderError:
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
