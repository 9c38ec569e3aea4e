"""System checks: what is wrong with the project's settings, and what to write instead.

None of them asks the database or raises.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string

from drf_model_pusher.checks.backends import is_subclass
from drf_model_pusher.conf import app_settings, setting_names
from drf_model_pusher.delivery import BackgroundDelivery, BaseDelivery
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.providers import BaseProvider, PusherProvider
from drf_model_pusher.routes import callbacks
from drf_model_pusher.webhooks import ChannelExistenceWebhook

#: What settings of 0.2.0 meant, where that was something else.
_MEANT = dict.fromkeys(
    ("DRF_MODEL_PUSHER_DISABLED", "DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED"),
    ' 0.2.0 took every value that counts as true, the text "False" too.',
)

#: Deliveries and providers that need an app, by the beginnings of their paths.
_APPS = ("drf_model_pusher.outbox", "drf_model_pusher.server")

#: Backends of Django Tasks without a worker, each with what it does to events.
_NO_QUEUES = {
    "ImmediateBackend": "requests wait for Pusher, and what does not leave is lost",
    "DummyBackend": "nothing is sent",
}

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
    ):
        path = getattr(app_settings, name)
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
    if not (isinstance(found, type) and issubclass(found, base)):
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


def check_threads(**kwargs: Any) -> list[CheckMessage]:
    """Warn where background delivery would have no thread to run in."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or "enable-threads" in uwsgi.opt or "threads" in uwsgi.opt:
        return []
    if not is_subclass(_delivery(), BackgroundDelivery):
        return []
    return [
        Warning(
            "uWSGI runs without threads, which background delivery needs.",
            hint="Start uWSGI with --enable-threads, or set DRF_MODEL_PUSHER_DELIVERY to "
            "drf_model_pusher.delivery.InlineDelivery.",
            id="drf_model_pusher.W003",
        )
    ]


def check_tasks(**kwargs: Any) -> list[CheckMessage]:
    """Warn where ``TaskDelivery`` has a backend that leaves nothing to a worker."""
    delivery = _delivery()
    tasks = sys.modules.get("drf_model_pusher.delivery.tasks")
    if tasks is None or not is_subclass(delivery, tasks.TaskDelivery):
        return []
    try:
        backend = tasks.task_backend()
    except Exception:  # noqa: BLE001 - the settings of Django Tasks, or its backend, are broken
        return []
    # By name: the package django-tasks has classes of its own.
    names = [base.__name__ for base in type(backend).__mro__]
    harm = next((_NO_QUEUES[name] for name in names if name in _NO_QUEUES), None)
    if harm is None or app_settings.DRF_MODEL_PUSHER_DISABLED:
        return []
    return [
        Warning(
            f"TaskDelivery has the backend {type(backend).__name__}: {harm}.",
            hint="Let DRF_MODEL_PUSHER_TASK_BACKEND name a backend in TASKS that has a worker, "
            "such as django_tasks_db.DatabaseBackend.",
            id="drf_model_pusher.W005",
        )
    ]


def _delivery() -> Any:
    """Return the class of the delivery, or None where the setting leads nowhere."""
    try:
        return import_string(app_settings.DRF_MODEL_PUSHER_DELIVERY)
    except Exception:  # noqa: BLE001 - an error of its own
        return None


def check_occupancy(**kwargs: Any) -> list[CheckMessage]:
    """Check what the optimisation for occupied channels relies on: its cache and its webhooks."""
    try:
        enabled = app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED
        if app_settings.DRF_MODEL_PUSHER_DISABLED:
            return []
        cache = app_settings.DRF_MODEL_PUSHER_CACHE
        if enabled:
            return [*_unfit_cache(cache), *_missing_webhook()]
        # Which of two keys a client was given last is remembered there, too.
        older_key = app_settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64
        return [*_unfit_cache(cache, "the keys that clients were given")] if older_key else []
    except SettingError:
        return []  # E001 tells of it


def _unfit_cache(alias: str, remembered: str = "occupied channels") -> Iterator[CheckMessage]:
    try:
        cache = caches[alias]
    except Exception as error:  # noqa: BLE001 - each has exceptions of its own
        yield Error(
            f"The cache {alias!r}, which remembers {remembered}, cannot be used: {error}",
            hint="DRF_MODEL_PUSHER_CACHE is an alias of the setting CACHES.",
            id="drf_model_pusher.E005",
        )
        return
    if isinstance(cache, (LocMemCache, DummyCache)):
        yield Warning(
            f"The cache {alias!r}, which remembers {remembered}, is not shared by processes: "
            "what one of them hears or says, the others do not know.",
            hint="Let DRF_MODEL_PUSHER_CACHE name a cache in Redis or Memcached.",
            id="drf_model_pusher.W001",
        )
    elif isinstance(cache, (BaseDatabaseCache, FileBasedCache)) and cache._max_entries < 10_000:
        yield Warning(
            f"The cache {alias!r}, which remembers {remembered}, throws entries away beyond "
            f"{cache._max_entries:,}: they would be taken for unknown.",
            hint='Set OPTIONS["MAX_ENTRIES"] of this cache to at least 10,000, and above four '
            "times the number of channels that are ever occupied at a time.",
            id="drf_model_pusher.W004",
        )


def _missing_webhook() -> Iterator[CheckMessage]:
    found = callbacks()
    if found is not None and not any(_takes_webhooks(callback) for callback in found):
        yield Warning(
            "The optimisation for occupied channels is enabled, and no route takes webhooks: who "
            "subscribes is heard of only when Pusher is asked again.",
            hint='Add path("pusher/", include("drf_model_pusher.urls")) to the URLs, and tell '
            "Pusher to send webhooks for channel existence to its webhook route.",
            id="drf_model_pusher.W002",
        )


def _takes_webhooks(callback: Any) -> bool:
    return is_subclass(getattr(callback, "view_class", None), ChannelExistenceWebhook)
