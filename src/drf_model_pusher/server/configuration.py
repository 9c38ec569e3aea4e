"""The server's apps and limits, as a project's settings say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.extras import install_line

try:
    from pusher_dev_server.application import Application, Limits
    from pusher_dev_server.asgi import PusherServer as PusherServer
    from pusher_dev_server.configuration import ConfigurationError, parse_apps, parse_limits
except ImportError as error:  # pragma: no cover - needs an installation without the extra
    raise ImportError(f"The server is not installed: {install_line('server')}") from error


def configured_apps() -> list[Application]:
    """Return the apps of the settings; without any, the project's own ``PUSHER_*`` credentials.

    Raises:
        SettingError: A credential is missing, or what ``named_apps()`` raises.
    """
    return named_apps() or [_project_app()]


def named_apps() -> list[Application]:
    """Return the apps in ``DRF_MODEL_PUSHER_SERVER_APPS``.

    Raises:
        SettingError: A name is unknown, a value is of the wrong type, two apps share an id or a
            key, or webhooks are set for no app.
    """
    name = "DRF_MODEL_PUSHER_SERVER_APPS"
    with _setting(name):
        apps = parse_apps(app_settings.DRF_MODEL_PUSHER_SERVER_APPS)
    with _setting("DRF_MODEL_PUSHER_SERVER_WEBHOOKS"):
        if apps and app_settings.DRF_MODEL_PUSHER_SERVER_WEBHOOKS:
            raise ConfigurationError(
                f"it is for the project's own app, and {name} names others",
                f'write nothing; give an app in {name} its "webhooks"',
            )
    return apps


def configured_limits() -> Limits:
    """Return the hosted service's limits, with the changes that the settings make.

    Raises:
        SettingError: A name is unknown, or a value is no number above 0.
    """
    with _setting("DRF_MODEL_PUSHER_SERVER_LIMITS"):
        return parse_limits(app_settings.DRF_MODEL_PUSHER_SERVER_LIMITS)


def _project_app() -> Application:
    credentials = {
        "PUSHER_APP_ID": app_settings.PUSHER_APP_ID,
        "PUSHER_KEY": app_settings.PUSHER_KEY,
        "PUSHER_SECRET": app_settings.PUSHER_SECRET,
    }
    for name, value in credentials.items():
        if not value:
            raise SettingError(
                f"The development server needs the setting {name}.",
                hint=f"Set {name}; any value will do, if clients and publishers use the same.",
            )
    app_id, key, secret = credentials.values()
    webhooks = tuple(app_settings.DRF_MODEL_PUSHER_SERVER_WEBHOOKS)
    return Application(id=app_id, key=key, secret=secret, webhooks=webhooks)


@contextmanager
def _setting(name: str) -> Iterator[None]:
    """Name the setting in which a mistake is."""
    try:
        yield
    except ConfigurationError as error:
        raise SettingError(
            f"The setting {name} is wrong: {error.message}.", hint=f"In {name}, {error.hint}."
        ) from error
