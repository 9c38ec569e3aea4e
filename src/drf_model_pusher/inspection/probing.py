"""Asking the configured service one thing after the other, from whether it is there at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from importlib.util import find_spec

import urllib3
from django.utils.crypto import get_random_string

from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ModelPusherException, ProviderError
from drf_model_pusher.inspection.findings import Finding, fail, ok, warn
from drf_model_pusher.inspection.listening import MESSAGE, SUBSCRIBED, Listener
from drf_model_pusher.providers import PusherProvider

#: Where the test event goes; nobody else listens there.
CHANNEL, EVENT = "drf-model-pusher-doctor", "doctor.test"

# Seconds that the service allows between its clock and ours, and those that are worth a word.
# https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication
_ALLOWED, _NOTABLE = 600, 30

_ADDRESS = "Compare PUSHER_CLUSTER, or PUSHER_HOST, PUSHER_PORT and PUSHER_SSL, with the service."

_TODO = {
    401: "Compare PUSHER_KEY and PUSHER_SECRET with those of the app, and the clocks.",
    403: "See on the service whether the app is enabled and within its quota.",
    404: f"Compare PUSHER_APP_ID with the app's. {_ADDRESS}",
    413: "Something before the service refuses the size of an empty question; look there.",
    429: "The service asks to be left alone for a while.",
}


def probe(provider: PusherProvider) -> Iterator[Finding]:
    """Ask until an answer makes further questions useless."""
    started = time.time()
    try:
        response = _knock(provider)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = _reason(error)
        yield fail("service", f"{_address(provider)} cannot be reached: {reason}", _ADDRESS)
        return
    middle = (started + time.time()) / 2
    if 300 <= response.status < 400:
        target = str(response.headers.get("Location", "elsewhere"))[:100]
        yield fail("service", f"{_address(provider)} redirects to {target}", _ADDRESS)
        return
    yield ok("service", f"{_address(provider)} answers")
    try:
        provider.occupied_channels(CHANNEL)
    except ProviderError as error:
        yield _refusal(error)
        yield from _clock(response, middle, error)
        return
    yield ok("signature", f"accepted for app {app_settings.PUSHER_APP_ID}")
    yield from _clock(response, middle, None)
    yield from _event(provider)


def _knock(provider: PusherProvider) -> urllib3.BaseHTTPResponse:
    """Return the answer to a question that is not signed: what counts is that there is one."""
    return provider.transport.get_unsigned()


def _address(provider: PusherProvider) -> str:
    return provider.transport.address


def _reason(error: Exception) -> str:
    """Return what is wrong without the address of the request, which holds the key."""
    inner = getattr(error, "reason", None) or error
    for known, words in (
        (urllib3.exceptions.NameResolutionError, "no such host"),
        (urllib3.exceptions.NewConnectionError, "connection refused"),
        (urllib3.exceptions.ConnectTimeoutError, "no connection in time"),
        (urllib3.exceptions.ReadTimeoutError, "no answer in time"),
        (urllib3.exceptions.SSLError, "no TLS there that is trusted"),
        (urllib3.exceptions.ProtocolError, "what answers is no HTTP server"),
    ):
        if isinstance(inner, known):
            return words
    return type(inner).__name__


def _refusal(error: ProviderError) -> Finding:
    if error.status in (200, 202):
        found = f"the answer is no JSON but {error.detail[:60]!r}"
        return fail("signature", found, f"Something else answers there. {_ADDRESS}")
    detail = f": {error.detail[:160]}" if error.detail else ""
    todo = _TODO.get(error.status or 0, f"See what the service logs. {_ADDRESS}")
    return fail("signature", f"{error}{detail}", todo)


def _clock(
    response: urllib3.BaseHTTPResponse, now: float, refusal: ProviderError | None
) -> Iterator[Finding]:
    """Compare clocks by what the service says of its own, in a header or in its refusal."""
    todo = "Let NTP set the clock of this machine, or of the service's."
    skew = _skew(response, now)
    blamed = refusal and refusal.status == 401 and "timestamp" in refusal.detail.lower()
    if skew is not None and abs(skew) > _NOTABLE:
        where = "behind" if skew > 0 else "ahead of"
        found = f"this clock is {abs(skew):.0f} s {where} the service's"
        # At 600 the service refuses; webhooks are refused by us.
        yield (fail if blamed or abs(skew) >= _ALLOWED else warn)("clock", found, todo)
    elif blamed:
        yield fail("clock", "the service refuses the time of our request", todo)
    elif skew is not None:
        # Dates are told in whole seconds, and kept for another by some servers.
        yield ok("clock", f"within {max(5, round(abs(skew)))} s of the service's")
    else:
        yield ok("clock", "the service does not tell its own")


def _skew(response: urllib3.BaseHTTPResponse, now: float) -> float | None:
    """Return how many seconds the service's clock is before ours."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).timestamp() - now
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _event(provider: PusherProvider) -> Iterator[Finding]:
    """Send a test event, and see it arrive where a WebSocket client is installed."""
    mark = get_random_string(12)
    if find_spec("websockets") is None:
        yield _sent(provider, mark)
        yield ok("arrival", f"not looked at. {MESSAGE}")
        return
    sent: Finding | None = None
    found = "the test event did not come back over a WebSocket"
    try:
        for heard in Listener([CHANNEL], timeout=app_settings.PUSHER_TIMEOUT + 5):
            if heard.event == SUBSCRIBED and sent is None:
                yield (sent := _sent(provider, mark))
                if sent.level == "fail":
                    return
            elif heard.event == EVENT and heard.data == {"mark": mark}:
                yield ok("arrival", "the test event came back over a WebSocket")
                return
    except ModelPusherException as error:
        found = str(error)
    if sent is None:
        yield _sent(provider, mark)
    yield warn("arrival", found, "See whether browsers reach the service by the same settings.")


def _sent(provider: PusherProvider, mark: str) -> Finding:
    data = f'{{"mark":"{mark}"}}'
    try:
        provider.send([PusherEvent(channels=(CHANNEL,), name=EVENT, data=data)])
    except ProviderError as error:
        return replace(_refusal(error), topic="test event")
    return ok("test event", f"{EVENT} taken for the channel {CHANNEL}")
