"""The optional Django app: it only brings the management command."""

from __future__ import annotations

from django.apps import AppConfig


class PusherServerConfig(AppConfig):
    """The embedded server."""

    name = "drf_model_pusher.server"
    label = "drf_model_pusher_server"
    verbose_name = "Embedded Pusher server"
