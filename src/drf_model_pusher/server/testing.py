"""The development server for tests of a Django project."""

from __future__ import annotations

from typing import Any

from pusher_dev_server import testing


class LocalServer(testing.LocalServer):
    """``pusher_dev_server.testing.LocalServer``, with the Django settings that lead to it."""

    @property
    def settings(self) -> dict[str, Any]:
        """Django settings that lead to this server, for ``override_settings(**server.settings)``.

        ``DRF_MODEL_PUSHER_PROVIDER`` is among them, since another provider stands in for tests.
        """
        return {
            "DRF_MODEL_PUSHER_PROVIDER": "drf_model_pusher.providers.PusherProvider",
            "PUSHER_APP_ID": self.app_id,
            "PUSHER_KEY": self.key,
            "PUSHER_SECRET": self.secret,
            "PUSHER_HOST": self.host,
            "PUSHER_PORT": self.port,
            "PUSHER_SSL": False,
        }
