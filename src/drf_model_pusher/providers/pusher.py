"""The provider for Pusher's service and every server that speaks its protocol."""

from __future__ import annotations

from typing import Any

from drf_model_pusher.conf import app_settings
from drf_model_pusher.providers.base import BaseProvider


class PusherProvider(BaseProvider):
    """Sends events over the HTTP API with the official client."""

    def configure(self) -> None:
        """Make the client from the ``PUSHER_…`` settings."""
        # The library loads cryptography and requests: processes that never push are spared that.
        from pusher import Pusher

        self.client = Pusher(
            app_id=app_settings.PUSHER_APP_ID,
            key=app_settings.PUSHER_KEY,
            secret=app_settings.PUSHER_SECRET,
            cluster=app_settings.PUSHER_CLUSTER,
            host=app_settings.PUSHER_HOST,
            port=app_settings.PUSHER_PORT,
            ssl=app_settings.PUSHER_SSL,
            timeout=app_settings.PUSHER_TIMEOUT,
        )

    def trigger(
        self, channels: list[str], event_name: str, data: Any, socket_id: str | None = None
    ) -> None:
        """Send one event."""
        self.client.trigger(channels, event_name, data, socket_id)
