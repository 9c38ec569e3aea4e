"""The server's apps and limits, as a project's settings say."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from drf_model_pusher.conf import app_settings, is_list_of_addresses
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.server.application import Application, Limits

_APPS, _LIMITS = "DRF_MODEL_PUSHER_SERVER_APPS", "DRF_MODEL_PUSHER_SERVER_LIMITS"


def configured_apps() -> list[Application]:
    """Return the apps of the settings; without any, the project's own ``PUSHER_*`` credentials.

    Raises:
        SettingError: A credential is missing, or what ``named_apps()`` raises.
    """
    return named_apps() or [_project_app()]


def named_apps() -> list[Application]:
    """Return the apps that the setting names.

    Raises:
        SettingError: A name is unknown, a value is of the wrong type, two apps share an id or a
            key, or webhooks are set that would be no app's.
    """
    apps = [_application(values) for values in app_settings.DRF_MODEL_PUSHER_SERVER_APPS]
    for name in ("id", "key"):
        if len({getattr(app, name) for app in apps}) < len(apps):
            raise _wrong(_APPS, f"two apps share one {name}", f"give each app its own {name}")
    if apps and app_settings.DRF_MODEL_PUSHER_SERVER_WEBHOOKS:
        raise _wrong(
            "DRF_MODEL_PUSHER_SERVER_WEBHOOKS",
            f"it is for the project's own app, and {_APPS} names others",
            f'write nothing; give an app in {_APPS} its "webhooks"',
        )
    return apps


def configured_limits() -> Limits:
    """Return the hosted service's limits, with the changes that the settings make.

    Raises:
        SettingError: A name is unknown, or a value is no number above 0.
    """
    changes = app_settings.DRF_MODEL_PUSHER_SERVER_LIMITS
    kinds = {field.name: field.type for field in fields(Limits)}
    for name, value in changes.items():
        if name not in kinds:
            raise _wrong(_LIMITS, f"{name!r} is no limit", f"use some of {', '.join(kinds)}")
        allowed = (int,) if kinds[name] == "int" else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed) or value <= 0:
            wanted = "a whole number" if kinds[name] == "int" else "a number of seconds"
            raise _wrong(_LIMITS, f"{name} is {value!r}", f"{name} is {wanted} above 0")
    return replace(Limits(), **changes)


def _project_app() -> Application:
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
    return Application(id=app_id, key=key, secret=secret, webhooks=webhooks)


def _application(values: dict[str, Any]) -> Application:
    kinds = {field.name: field.type for field in fields(Application)}
    for name in ("id", "key", "secret"):
        if not values.get(name):
            raise _wrong(_APPS, f"an app has no {name}", f"give each app its {name}")
    webhooks = values.get("webhooks", ())
    if not is_list_of_addresses(webhooks):
        raise _wrong(
            _APPS, "webhooks is no list of addresses", "list http:// or https:// addresses"
        )
    values = {**values, "id": str(values["id"]), "webhooks": tuple(webhooks)}
    for name, value in values.items():
        if name not in kinds:
            raise _wrong(_APPS, f"{name!r} is no part of an app", f"use {', '.join(kinds)}")
        if kinds[name] in ("str", "bool") and type(value).__name__ != kinds[name]:
            # The value may be a secret: it is not shown.
            raise _wrong(_APPS, f"{name} is a {type(value).__name__}", f"make it a {kinds[name]}")
    return Application(**values)


def _wrong(setting: str, what: str, instead: str) -> SettingError:
    return SettingError(
        f"The setting {setting} is wrong: {what}.", hint=f"In {setting}, {instead}."
    )
