"""How tests call views: as HTTP requests through DRF's own client, without routes."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

_VERBS = {"list": "get", "retrieve": "get", "create": "post", "update": "put",
          "partial_update": "patch", "destroy": "delete"}  # fmt: skip


def call(view_class: Any, action: str, data: Any = None, *, pk: Any = None, headers: Any = None,
         **initkwargs: Any) -> Response:  # fmt: skip
    """Call one action of a viewset with a JSON body."""
    request = getattr(APIRequestFactory(), _VERBS[action])(
        "/", data, format="json", headers=headers or {}
    )
    view = view_class.as_view({_VERBS[action]: action}, **initkwargs)
    response: Response = view(request, **({"pk": pk} if pk is not None else {}))
    response.render()
    return response
