"""The development server on one port with a Django project."""

from __future__ import annotations

from django.core.handlers.asgi import ASGIHandler

from drf_model_pusher.conf import app_settings
from drf_model_pusher.lifespans import Application
from drf_model_pusher.server.configuration import PusherServer, configured_apps, configured_limits


def with_pusher_server(application: Application, *, console: str | None = None) -> PusherServer:
    """Return an ASGI application that serves Pusher's protocol and a project on one port.

    Sockets at ``/app/KEY`` and requests to ``/apps/ID/…`` go to the server, all others to the
    project. Apps and limits come from the settings. State is kept in the process: run one.

    Args:
        application: The project's own, such as ``get_asgi_application()`` returns.
        console: The path of the console, such as ``"/pusher-console/"``; by default there is none.

    Raises:
        SettingError: A setting of the server is missing or wrong.
        ValueError: The console's path does not begin and end with a slash.
    """
    return PusherServer(
        configured_apps(),
        configured_limits(),
        application,
        # Django's own handler raises for a WebSocket.
        fallback_has_sockets=not isinstance(application, ASGIHandler),
        console=console,
        console_token=app_settings.DRF_MODEL_PUSHER_SERVER_CONSOLE_TOKEN,
    )
