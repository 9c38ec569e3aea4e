"""The server's apps and limits, as a project's settings say."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.server.application import Application, Limits


def configured_apps() -> list[Application]:
    """Return the apps of the settings; without any, the project's own ``PUSHER_*`` credentials."""
    apps = [_application(app) for app in app_settings.DRF_MODEL_PUSHER_SERVER_APPS]
    if apps:
        return apps
    credentials = {
        "PUSHER_APP_ID": app_settings.PUSHER_APP_ID,
        "PUSHER_KEY": app_settings.PUSHER_KEY,
        "PUSHER_SECRET": app_settings.PUSHER_SECRET,
    }
    for name, value in credentials.items():
        if not value:
            raise SettingError(
                f"The embedded server needs the setting {name}.",
                hint=f"Set {name}; any value will do, if clients and publishers use the same.",
            )
    app_id, key, secret = credentials.values()
    webhooks = tuple(app_settings.DRF_MODEL_PUSHER_SERVER_WEBHOOKS)
    return [Application(id=app_id, key=key, secret=secret, webhooks=webhooks)]


def configured_limits() -> Limits:
    """Return the hosted service's limits, with the changes that the settings make."""
    return replace(Limits(), **app_settings.DRF_MODEL_PUSHER_SERVER_LIMITS)


def _application(values: dict[str, Any]) -> Application:
    names = {field.name for field in fields(Application)}
    values = {name: value for name, value in values.items() if name in names}
    values["id"] = str(values["id"])
    values["webhooks"] = tuple(values.get("webhooks", ()))
    return Application(**values)
