"""System checks: what is wrong with the project's settings, and what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string

from drf_model_pusher.conf import app_settings, setting_names
from drf_model_pusher.delivery import BaseDelivery
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.providers import BaseProvider, PusherProvider


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Check each setting by itself, then the classes and credentials that settings name."""
    wrong = list(_wrong_values())
    # What builds on wrong values would only repeat them.
    return wrong or [*_wrong_classes(), *_missing_credentials()]


def _wrong_values() -> Iterator[CheckMessage]:
    for name in setting_names():
        try:
            getattr(app_settings, name)
        except SettingError as error:
            yield Error(error.message, hint=error.hint, id="drf_model_pusher.E001")


def _wrong_classes() -> Iterator[CheckMessage]:
    for name, base in (
        ("DRF_MODEL_PUSHER_PROVIDER", BaseProvider),
        ("DRF_MODEL_PUSHER_DELIVERY", BaseDelivery),
    ):
        path = getattr(app_settings, name)
        try:
            found = import_string(path)
        except ImportError as error:
            yield Error(
                f"The setting {name} names {path!r}, which cannot be imported: {error}",
                hint=f"{name} is the dotted path of a subclass of {base.__name__}.",
                id="drf_model_pusher.E002",
            )
        else:
            if not (isinstance(found, type) and issubclass(found, base)):
                yield Error(
                    f"The setting {name} names {path!r}, which is no {base.__name__}.",
                    hint=f"{name} is the dotted path of a subclass of {base.__name__}.",
                    id="drf_model_pusher.E002",
                )


def _missing_credentials() -> Iterator[CheckMessage]:
    if app_settings.DRF_MODEL_PUSHER_DISABLED:
        return
    try:
        provider = import_string(app_settings.DRF_MODEL_PUSHER_PROVIDER)
    except ImportError:
        return
    if not (isinstance(provider, type) and issubclass(provider, PusherProvider)):
        return
    names = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET")
    if missing := [name for name in names if not getattr(app_settings, name)]:
        yield Error(
            f"The Pusher provider needs {', '.join(missing)}.",
            hint="Set them, or use drf_model_pusher.providers.ConsoleProvider as "
            "DRF_MODEL_PUSHER_PROVIDER, or set DRF_MODEL_PUSHER_DISABLED = True.",
            id="drf_model_pusher.E003",
        )
    if not app_settings.PUSHER_APP_ID.isdigit() and app_settings.PUSHER_APP_ID:
        yield Error(
            f"PUSHER_APP_ID is {app_settings.PUSHER_APP_ID!r}; the official client takes digits.",
            hint='Write the number of the app, such as "1234567"; on servers of your own, name '
            "the app by digits.",
            id="drf_model_pusher.E004",
        )


def check_threads(**kwargs: Any) -> list[CheckMessage]:
    """Warn where background delivery would have no thread to run in."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or "enable-threads" in uwsgi.opt or "threads" in uwsgi.opt:
        return []
    return [
        Warning(
            "uWSGI runs without threads, which background delivery needs.",
            hint="Start uWSGI with --enable-threads, or set DRF_MODEL_PUSHER_DELIVERY to "
            "drf_model_pusher.delivery.InlineDelivery.",
            id="drf_model_pusher.W003",
        )
    ]
