"""What stands in for the request where a change was made without one."""

from __future__ import annotations

from urllib.parse import urljoin

from django.http import HttpRequest
from rest_framework.request import Request

from drf_model_pusher.conf import app_settings


class _NoRequest(HttpRequest):
    """A GET of nobody's, whose absolute URLs begin with the setting, or are relative."""

    method = "GET"

    def build_absolute_uri(self, location: str | None = None) -> str:
        return urljoin(app_settings.DRF_MODEL_PUSHER_BASE_URL, location or "/")


def no_request() -> Request:
    """Return a request for serializers that ask for one: anonymous, and of no version."""
    request = Request(_NoRequest())
    request.version = request.versioning_scheme = None
    return request


def request_at(base_url: str) -> Request:
    """Return a request of nobody to the host that a change was made at."""
    return no_request()
