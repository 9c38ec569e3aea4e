"""Asking the endpoint, and declaring whom it is to let in."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import clear_url_caches, path
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSetMixin

from drf_model_pusher.authorization.signing import sign_channel
from drf_model_pusher.backends import PrivatePusherBackend, PusherBackend
from drf_model_pusher.routes import routes
from tests.boards.serializers import BoardSerializer

# The credentials of the test project.
KEY, SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"


def ask(client: Client, channel: str, socket_id: str = "1.2", **more: Any) -> HttpResponse:
    """Ask for one channel, as pusher-js does."""
    data = {"socket_id": socket_id, "channel_name": channel}
    return client.post("/pusher/auth", data, **more)


def ask_all(client: Client, *channels: str) -> dict[str, int]:
    """Ask for several channels at once; return the status of each."""
    body = json.dumps({"socket_id": "1.2", "channel_name": channels})
    answer = client.post("/pusher/auth", body, content_type="application/json").json()
    return {name: each["status"] for name, each in answer.items()}


def auth_of(channel: str, socket_id: str = "1.2", channel_data: str | None = None) -> str:
    """Return the signature that is wanted."""
    return sign_channel(
        KEY, SECRET, socket_id=socket_id, channel=channel, channel_data=channel_data
    )


def declare(
    view: Any = None,
    template: str = "boards.{pk}",
    base: type[PusherBackend] = PrivatePusherBackend,
    **attributes: Any,
) -> type[PusherBackend]:
    """Declare a backend of boards on one channel, with a view as its rule, or with others."""
    if view is not None:
        add_route(view)
    own = {"serializer_class": BoardSerializer, "channels": [template], "view_class": view}
    return type("Boards", (base,), own | attributes)


def add_route(view: Any) -> None:
    """Give a view of a test a URL, unless there is one."""
    module = import_module(settings.ROOT_URLCONF) if isinstance(
        settings.ROOT_URLCONF, str) else settings.ROOT_URLCONF  # fmt: skip
    if module.__name__ != "urls_of_boards_and_more" or any(
        route.view_class is view for route in routes()
    ):
        return
    place = f"more{len(module.urlpatterns)}"
    if issubclass(view, ViewSetMixin):
        if isinstance(view.http_method_names, property):
            module.urlpatterns += [path(f"{place}/<pk>/", view.as_view({"get": "retrieve"}))]
        else:
            router = SimpleRouter()
            router.register(place, view, place)
            module.urlpatterns += router.urls
    else:
        lookup = view.lookup_url_kwarg or view.lookup_field
        module.urlpatterns += [
            path(f"{place}/<{lookup}>/" if hasattr(view, "retrieve") or not hasattr(view, "list")
                 else f"{place}/", view.as_view())
        ]  # fmt: skip
    clear_url_caches()
