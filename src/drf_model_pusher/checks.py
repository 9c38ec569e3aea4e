"""System checks: what is wrong with the project's settings, and what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Warning
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string

from drf_model_pusher.conf import app_settings, setting_names
from drf_model_pusher.delivery import BaseDelivery
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.providers import BaseProvider, PusherProvider
from drf_model_pusher.webhooks import ChannelExistenceWebhook


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


def check_occupancy(**kwargs: Any) -> list[CheckMessage]:
    """Check what the optimisation for occupied channels relies on: its cache and its webhooks."""
    try:
        enabled = app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED
        if not enabled or app_settings.DRF_MODEL_PUSHER_DISABLED:
            return []
        return [*_unfit_cache(app_settings.DRF_MODEL_PUSHER_CACHE), *_missing_webhook()]
    except SettingError:
        return []  # E001 tells of it


def _unfit_cache(alias: str) -> Iterator[CheckMessage]:
    try:
        cache = caches[alias]
    except InvalidCacheBackendError as error:
        yield Error(
            f"The cache {alias!r}, which remembers occupied channels, cannot be used: {error}",
            hint="DRF_MODEL_PUSHER_CACHE is an alias of the setting CACHES.",
            id="drf_model_pusher.E005",
        )
        return
    if isinstance(cache, (LocMemCache, DummyCache)):
        yield Warning(
            f"The cache {alias!r}, which remembers occupied channels, is not shared by processes: "
            "a webhook reaches one of them, and the others miss subscribers.",
            hint="Let DRF_MODEL_PUSHER_CACHE name a cache in Redis or Memcached.",
            id="drf_model_pusher.W001",
        )
    elif isinstance(cache, (BaseDatabaseCache, FileBasedCache)) and cache._max_entries < 10_000:
        yield Warning(
            f"The cache {alias!r}, which remembers occupied channels, throws entries away beyond "
            f"{cache._max_entries:,}: their channels would be taken for vacant.",
            hint='Set OPTIONS["MAX_ENTRIES"] of this cache to at least 10,000, and above four '
            "times the number of channels that are ever occupied at a time.",
            id="drf_model_pusher.W004",
        )


def _missing_webhook() -> Iterator[CheckMessage]:
    if getattr(settings, "ROOT_URLCONF", None) and not _leads_to_webhook(get_resolver()):
        yield Warning(
            "The optimisation for occupied channels is enabled, and no route takes webhooks: who "
            "subscribes is heard of only when Pusher is asked again.",
            hint='Add path("pusher/", include("drf_model_pusher.urls")) to the URLs, and tell '
            "Pusher to send webhooks for channel existence to its webhook route.",
            id="drf_model_pusher.W002",
        )


def _leads_to_webhook(route: URLPattern | URLResolver) -> bool:
    if isinstance(route, URLResolver):
        return any(_leads_to_webhook(each) for each in route.url_patterns)
    view = getattr(route.callback, "view_class", None)
    return isinstance(view, type) and issubclass(view, ChannelExistenceWebhook)
