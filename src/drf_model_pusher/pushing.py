"""From data and a request to an event in the hands of the delivery."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.delivery.sending import report_dropped
from drf_model_pusher.events import PusherEvent, check_event, check_size, is_valid_socket_id
from drf_model_pusher.exceptions import InvalidEventError, SettingError
from drf_model_pusher.rendering.encoding import encode

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request

logger = logging.getLogger("drf_model_pusher")


def log_wrong_setting(error: SettingError) -> None:
    """Log that a setting keeps anything from being pushed, by its hint: messages show values."""
    logger.error("nothing pushed reason=setting hint=%s", error.hint)


def make_event(
    channels: Sequence[str],
    name: str,
    data: Any,
    *,
    socket_id: str | None = None,
    renderer_class: type[BaseRenderer] | None = None,
    **more: Any,
) -> PusherEvent:
    """Return an event that keeps Pusher's rules, whatever its size.

    Args:
        channels: Full names, without repetitions; at least one.
        name: Such as ``order.update``.
        data: Anything that a DRF response could carry.
        socket_id: The connection to leave out.
        renderer_class: What renders the data; by default as the settings say.
        **more: The other fields of the event.

    Raises:
        InvalidEventError: A name is one that Pusher refuses.
        TypeError, ValueError: The data cannot be encoded as JSON.
    """
    event = PusherEvent(
        channels=tuple(channels),
        name=name,
        data=encode(data, renderer_class),
        socket_id=socket_id,
        **more,
    )
    check_event(event)
    return event


def fits(event: PusherEvent) -> bool:
    """Return whether the service takes an event of this size."""
    limit = app_settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES
    request_limit = app_settings.DRF_MODEL_PUSHER_MAX_REQUEST_BYTES
    # Most are far below it, even at 4 bytes a character, encrypted and in base64.
    most = 6 * len(event.data)
    if most + 200 <= limit and (request_limit is None or most + 1_200 <= request_limit):
        return True
    try:
        check_size(event, limit, request_limit)
    except InvalidEventError:
        return False
    return True


def push_events(events: Sequence[PusherEvent]) -> None:
    """Hand events to the delivery, after the commit; those that are too large are dropped."""
    fitting = events if all(map(fits, events)) else [event for event in events if fits(event)]
    if fitting:
        get_delivery().send(fitting)
    if len(fitting) < len(events):
        report_dropped([each for each in events if not fits(each)], "the data is too large")


def writer_socket_id(request: HttpRequest | Request | None) -> str | None:
    """Return the id of the Pusher connection that made the request, if it sent a valid one.

    It comes in the header ``X-Pusher-Socket-Id``, or in ``X-Socket-ID`` from Laravel Echo.
    """
    if request is None:
        return None
    # Not request.headers: that is a copy of all of them, made for us alone. A request of DRF finds
    # what Django's has by failing first.
    meta = getattr(request, "_request", request).META
    for header in ("HTTP_X_PUSHER_SOCKET_ID", "HTTP_X_SOCKET_ID"):
        socket_id: str = meta.get(header) or ""
        if not socket_id:
            continue
        if is_valid_socket_id(socket_id):
            return socket_id
        # The value is the client's own and may be anything: only its length is fit for a log.
        logger.warning("socket id ignored reason=malformed length=%d", len(socket_id))
    return None
