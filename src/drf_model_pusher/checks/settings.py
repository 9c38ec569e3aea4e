"""System checks of the settings: each by itself, then what they name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string
from rest_framework.renderers import BaseRenderer

from drf_model_pusher.checks.classes import is_subclass
from drf_model_pusher.conf import app_settings, setting_names
from drf_model_pusher.delivery import BaseDelivery
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.providers import BaseProvider, PusherProvider

#: What settings of 0.2.0 meant, where that was something else.
_MEANT = dict.fromkeys(
    ("DRF_MODEL_PUSHER_DISABLED", "DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED"),
    ' 0.2.0 took every value that counts as true, the text "False" too.',
)

#: Deliveries and providers that need an app, by the beginnings of their paths.
_APPS = ("drf_model_pusher.outbox", "drf_model_pusher.server")

#: What cannot be right, each with what it should be.
_WELL_FORMED = {
    "PUSHER_APP_ID": (r"\S+", "the number of the app"),
    "PUSHER_KEY": (r"[^\s:/?&\"']+", "the app's key, without blanks, quotes or colons"),
    "PUSHER_SECRET": (r"[^\s\"']+", "the app's secret, without blanks or quotes"),
    "PUSHER_CLUSTER": (r"[a-zA-Z0-9-]+", 'the short name of a cluster, such as "eu"'),
    "PUSHER_HOST": (r"\S*", "a host name alone"),
}


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Check each setting by itself, then the classes and credentials that settings name."""
    wrong = [*_wrong_values(), *_unknown_settings()]
    # What builds on wrong values would only repeat them.
    if any(message.id == "drf_model_pusher.E001" for message in wrong):
        return wrong
    return [*wrong, *_wrong_classes(), *_missing_credentials()]


def _wrong_values() -> Iterator[CheckMessage]:
    for name in setting_names():
        try:
            getattr(app_settings, name)
        except SettingError as error:
            hint = error.hint + _MEANT.get(name, "")
            yield Error(error.message, hint=hint, id="drf_model_pusher.E001")


def _unknown_settings() -> Iterator[CheckMessage]:
    known = setting_names()
    for name in dir(settings):
        if name.startswith("DRF_MODEL_PUSHER_") and name not in known:
            close = get_close_matches(name, known, 1)
            yield Warning(
                f"There is no setting {name}, so that it changes nothing.",
                hint=f"Write {close[0]}." if close else "Remove it: see the settings in the docs.",
                id="drf_model_pusher.W020",
            )


def _wrong_classes() -> Iterator[CheckMessage]:
    for name, base in (
        ("DRF_MODEL_PUSHER_PROVIDER", BaseProvider),
        ("DRF_MODEL_PUSHER_DELIVERY", BaseDelivery),
        ("DRF_MODEL_PUSHER_RENDERER", BaseRenderer),
    ):
        if not (path := getattr(app_settings, name)):
            continue
        app = next((app for app in _APPS if path.startswith(f"{app}.")), None)
        if app is not None and not apps.is_installed(app):
            yield Error(
                f"The setting {name} names {path!r}, whose app is not installed.",
                hint=f'INSTALLED_APPS += ["{app}"]',
                id="drf_model_pusher.E021",
            )
        elif problem := _problem_of_class(path, base):
            yield Error(
                f"The setting {name} names {path!r}, which {problem}",
                hint=f"{name} is the dotted path of a subclass of {base.__name__}.",
                id="drf_model_pusher.E002",
            )


def _problem_of_class(path: str, base: type[Any]) -> str | None:
    try:
        found = import_string(path)
    except Exception as error:  # noqa: BLE001 - the module may be the project's own
        return f"cannot be imported: {error}"
    if not is_subclass(found, base):
        return f"is no {base.__name__}."
    if inspect.isabstract(found):
        return f"lacks {', '.join(sorted(getattr(found, '__abstractmethods__', ())))}()."
    return None


def _missing_credentials() -> Iterator[CheckMessage]:
    if app_settings.DRF_MODEL_PUSHER_DISABLED:
        return
    try:
        provider = import_string(app_settings.DRF_MODEL_PUSHER_PROVIDER)
    except Exception:  # noqa: BLE001 - an error of its own
        return
    if not is_subclass(provider, PusherProvider):
        return
    names = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET")
    if missing := [name for name in names if not getattr(app_settings, name)]:
        yield Error(
            f"The Pusher provider needs {', '.join(missing)}.",
            hint="Set them, or use drf_model_pusher.providers.ConsoleProvider as "
            "DRF_MODEL_PUSHER_PROVIDER, or set DRF_MODEL_PUSHER_DISABLED = True.",
            id="drf_model_pusher.E003",
        )
    malformed = [*_malformed_credentials()]
    yield from malformed
    if not malformed and not app_settings.PUSHER_APP_ID.isdigit() and app_settings.PUSHER_APP_ID:
        yield Error(
            f"PUSHER_APP_ID is {app_settings.PUSHER_APP_ID!r}; the official client takes digits.",
            hint='Write the number of the app, such as "1234567"; on servers of your own, name '
            "the app by digits.",
            id="drf_model_pusher.E004",
        )


def _malformed_credentials() -> Iterator[CheckMessage]:
    for name, (pattern, wanted) in _WELL_FORMED.items():
        value = getattr(app_settings, name)
        if value and not re.fullmatch(pattern, value):
            yield Error(
                f"{name} has characters that cannot be part of it.",  # it may be a secret
                hint=f"{name} is {wanted}; look for what was copied along with it.",
                id="drf_model_pusher.E020",
            )
