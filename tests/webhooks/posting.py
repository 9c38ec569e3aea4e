"""Webhooks as Pusher sends them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

from django.http import HttpResponse
from django.test import RequestFactory

from drf_model_pusher.views import ChannelExistenceWebhook

# The credentials of the test project.
KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"


def now_ms(seconds: float = 0) -> int:
    """The time in milliseconds, some seconds from now."""
    return int((time.time() + seconds) * 1000)


def body_of(*events: Any, time_ms: Any = None) -> bytes:
    """The body of a webhook; of now, where no time is given."""
    return json.dumps({"time_ms": time_ms or now_ms(), "events": events}).encode()


def event(name: str, channel: str = "orders", **values: Any) -> dict[str, Any]:
    return {"name": name, "channel": channel, **values}


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(body: bytes, *, key: Any = KEY, signed: Any = None, **extra: Any) -> HttpResponse:
    """Post a body to the view, by default rightly signed; without a header that is False."""
    signed = signature(body) if signed is None else signed
    headers = {"HTTP_X_PUSHER_KEY": key, "HTTP_X_PUSHER_SIGNATURE": signed}
    headers = {name: value for name, value in headers.items() if value is not False} | extra
    request = RequestFactory().generic("POST", "/", body, "application/json", **headers)
    response = ChannelExistenceWebhook.as_view()(request)
    assert isinstance(response, HttpResponse)
    return response


def hear(*events: Any, time_ms: Any = None) -> None:
    """Have the view take a webhook."""
    assert post(body_of(*events, time_ms=time_ms)).status_code == 200
