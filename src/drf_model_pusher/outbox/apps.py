"""The optional Django app with the table of events that are committed but not yet delivered."""

from __future__ import annotations

from django.apps import AppConfig


class PusherOutboxConfig(AppConfig):
    """The outbox."""

    name = "drf_model_pusher.outbox"
    label = "drf_model_pusher_outbox"
    verbose_name = "Pusher outbox"
    default_auto_field = "django.db.models.BigAutoField"
