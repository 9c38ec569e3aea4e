"""The request that serializers get where a change is rendered without one."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

from drf_model_pusher.conf import app_settings
from drf_model_pusher.rendering.encoding import api_renderer

# What has no host of its own is asked as a request on this machine would be.
_NOWHERE = "http://localhost/"


class _RequestOfNobody(WSGIRequest):
    """An anonymous GET, with what Django's own middleware adds to one."""

    def __init__(self, base_url: str) -> None:
        self._is_relative = not base_url
        parts = urlsplit(base_url or _NOWHERE)
        self._host = parts.netloc.rpartition("@")[2]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        super().__init__(
            {
                "REQUEST_METHOD": "GET",
                "SCRIPT_NAME": "",
                "PATH_INFO": unquote_to_bytes(parts.path or "/").decode("latin-1"),
                "QUERY_STRING": "",
                "SERVER_NAME": parts.hostname or "localhost",
                "SERVER_PORT": str(port),
                "SERVER_PROTOCOL": "HTTP/1.1",
                "REMOTE_ADDR": "127.0.0.1",
                "HTTP_HOST": self._host,
                "HTTP_ACCEPT": "application/json",
                "wsgi.url_scheme": parts.scheme,
                "wsgi.input": BytesIO(),
            }
        )
        self.LANGUAGE_CODE = settings.LANGUAGE_CODE

    def get_host(self) -> str:
        """Return the host, which is the project's own: no client has sent it."""
        return self._host

    def build_absolute_uri(self, location: str | None = None) -> str:
        """Return an absolute URL; without a host of one's own, the location as it is."""
        if self._is_relative:
            return str(location or self.path)
        return super().build_absolute_uri(location)

    @cached_property
    def session(self) -> Any:  # type: ignore[override]
        """An empty session; nothing in it is saved."""
        return import_module(settings.SESSION_ENGINE).SessionStore()

    @cached_property
    def user(self) -> Any:  # type: ignore[override]
        """Nobody, as DRF says it."""
        anonymous: Any = api_settings.UNAUTHENTICATED_USER
        return anonymous() if anonymous else None

    async def auser(self) -> Any:
        """Return nobody."""
        return self.user


def request_at(base_url: str) -> Request:
    """Return an anonymous GET to a host, for serializers that ask for a request.

    Args:
        base_url: Scheme and host, such as that of the request that made a change; where it is
            empty, ``DRF_MODEL_PUSHER_BASE_URL``; without that too, URLs are relative.
    """
    django_request = _RequestOfNobody(base_url or app_settings.DRF_MODEL_PUSHER_BASE_URL)
    request = Request(django_request, parser_context={"view": None, "args": (), "kwargs": {}})
    renderer = api_renderer() or JSONRenderer
    request.accepted_renderer = renderer()
    request.accepted_media_type = renderer.media_type
    scheme: Any = api_settings.DEFAULT_VERSIONING_CLASS
    request.version = api_settings.DEFAULT_VERSION if scheme else None
    request.versioning_scheme = scheme() if scheme else None
    return request
