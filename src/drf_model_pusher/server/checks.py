"""The system check of the development server's settings."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error

from drf_model_pusher.conf import app_settings, setting_names
from drf_model_pusher.exceptions import SettingError


def check_server(**kwargs: Any) -> list[CheckMessage]:
    """Check what the settings say of the server's apps and limits."""
    try:
        from drf_model_pusher.server.configuration import configured_limits, named_apps
    except ImportError:  # where the command is not used, the extra need not be installed
        return []
    found: list[CheckMessage] = []
    for read in (named_apps, configured_limits) if _are_of_the_right_types() else ():
        try:
            read()
        except SettingError as error:
            found.append(Error(error.message, hint=error.hint, id="drf_model_pusher.E001"))
    return found


def _are_of_the_right_types() -> bool:
    """Say whether the check of all settings reports no setting of the server."""
    try:
        for name in setting_names():
            if name.startswith("DRF_MODEL_PUSHER_SERVER_"):
                getattr(app_settings, name)
    except SettingError:
        return False
    return True
