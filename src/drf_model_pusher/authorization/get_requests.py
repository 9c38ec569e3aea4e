"""What a view is shown instead of the request for authorization: a GET by the same client."""

from __future__ import annotations

import copy
from io import BytesIO
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict


def as_get(request: HttpRequest, topic: str) -> HttpRequest:
    """Return a GET of the same client, with the same headers and session, but nothing else.

    Query and body of the request are its sender's choice and no part of what is asked.
    """
    get = as_sent(request)
    get.__dict__.pop("headers", None)
    get.__dict__.pop("accepted_types", None)
    get.resolver_match = None
    get.method, get.GET = "GET", QueryDict()
    get._post, get._files = QueryDict(), MultiValueDict()
    get._body, get._stream, get._read_started = b"", BytesIO(), False
    get.content_type, get.content_params = "", {}
    # No two questions share an address, so that a cached answer to one is none to another.
    get.path = get.path_info = f"{request.path_info}/{topic}"
    get.META = {**request.META, "REQUEST_METHOD": "GET", "QUERY_STRING": "", "PATH_INFO": get.path}
    for header in ("CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_CONTENT_ENCODING"):
        get.META.pop(header, None)
    return get  # type: ignore[no-any-return]


def keep_session_user(request: Any) -> None:
    """Remember the user whom Django's middleware found.

    DRF writes whomever it authenticates into Django's request. A view that takes sessions only
    would find the user of a token there, and take it for that of a session.
    """
    request._drf_model_pusher_user = getattr(request, "user", None)


def as_sent(request: HttpRequest) -> Any:
    """Return a copy of a request with the user of its session, or with nobody."""
    sent: Any = copy.copy(request)
    sent.user = getattr(request, "_drf_model_pusher_user", None)
    return sent
