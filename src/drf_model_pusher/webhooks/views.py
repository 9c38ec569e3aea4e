"""The view that Pusher's webhooks arrive at."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import View

from drf_model_pusher import signals
from drf_model_pusher.conf import app_settings
from drf_model_pusher.occupancy.state import record
from drf_model_pusher.webhooks.shapes import parse_webhook
from drf_model_pusher.webhooks.signatures import is_signed

logger = logging.getLogger("drf_model_pusher")

_STATES = {"channel_occupied": True, "channel_vacated": False}


class _Refusal(Exception):  # noqa: N818 - an answer, not an error
    """Why a webhook is not taken; nothing has been changed by then."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class ChannelExistenceWebhook(View):
    """Takes webhooks of all kinds: remembers which channels are occupied, and sends signals.

    It answers 200 when all is done, and 500 when the cache or a receiver of a signal failed: Pusher
    then sends it again, for five minutes. What is too large gets 413, what is not signed by a
    trusted key, or of another time, 401, and what has no sense 400; none of these changes anything.
    """

    # No view of DRF: the project's defaults for permissions, throttling, parsers and versioning
    # are made for its API, and each of them could refuse Pusher or touch the body.
    http_method_names = ("post",)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        """Return the view; the signature stands in for a login and a CSRF token."""
        view = super().as_view(**initkwargs)
        vars(view).update(csrf_exempt=True, login_required=False)
        return view

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Take one webhook."""
        try:
            webhook = self._read(request)
        except _Refusal as refusal:
            logger.warning("webhook refused status=%d reason=%s", refusal.status, refusal)
            return HttpResponse(str(refusal), status=refusal.status, content_type="text/plain")
        done = [
            self._remember(webhook),
            *(self._send(webhook, *each) for each in webhook["events"]),
        ]
        return HttpResponse(status=HTTPStatus.OK if all(done) else HTTPStatus.INTERNAL_SERVER_ERROR)

    def _read(self, request: HttpRequest) -> dict[str, Any]:
        body = _read_body(request, app_settings.DRF_MODEL_PUSHER_WEBHOOK_MAX_BYTES)
        # Before anything looks into the body: what is not signed may be made to do harm.
        if not is_signed(request.headers, body):
            raise _Refusal(HTTPStatus.UNAUTHORIZED, "signature")
        try:
            webhook = parse_webhook(body)
        except ValueError as error:
            raise _Refusal(HTTPStatus.BAD_REQUEST, "malformed") from error
        difference = abs(time.time() - webhook["time_ms"] / 1000)
        if difference > app_settings.DRF_MODEL_PUSHER_WEBHOOK_MAX_AGE:
            raise _Refusal(HTTPStatus.UNAUTHORIZED, "time")
        return webhook

    def _remember(self, webhook: dict[str, Any]) -> bool:
        """Remember what the events tell of channels; say whether it worked."""
        if not app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED:
            return True
        # Of several about one channel the last one counts.
        states = {
            values["channel"]: _STATES[name]
            for name, values in webhook["events"]
            if name in _STATES
        }
        try:
            record(states, webhook["time_ms"])
        except Exception as error:
            logger.exception("webhook not recorded error=%s", type(error).__name__)
            return False
        return True

    def _send(self, webhook: dict[str, Any], name: str, values: dict[str, Any]) -> bool:
        """Send the signal of one event; say whether all its receivers worked."""
        # Django logs what goes wrong in a receiver.
        answers = signals.WEBHOOKS[name].send_robust(
            type(self), time_ms=webhook["time_ms"], **values
        )
        return not any(isinstance(answer, Exception) for _, answer in answers)


def _read_body(request: HttpRequest, limit: int) -> bytes:
    """Return the raw body; of one that is larger than the limit no more than that is read."""
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    is_number = announced.isascii() and announced.isdigit()
    # By the number of digits first: Python refuses to read numbers of thousands of them.
    if not is_number or (len(announced) < 20 and int(announced) <= limit):
        # Not request.body: that has a limit of the project's, for forms, and would answer 400.
        try:
            body = request.read(limit + 1)
        except OSError as error:
            raise _Refusal(HTTPStatus.BAD_REQUEST, "cut off") from error
        if len(body) <= limit:
            return body
    raise _Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large")
