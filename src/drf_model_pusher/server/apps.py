"""The optional Django app: the management command, and a check of the settings."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class PusherServerConfig(AppConfig):
    """The development server."""

    name = "drf_model_pusher.server"
    label = "drf_model_pusher_server"
    verbose_name = "Pusher development server"

    def ready(self) -> None:
        """Register the check."""
        from drf_model_pusher.server.checks import check_server

        register(check_server)
