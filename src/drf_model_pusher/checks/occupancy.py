"""System check of what is kept in the cache, and of the webhooks that fill it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.core.checks import CheckMessage, Error, Warning

from drf_model_pusher.checks.classes import is_subclass
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.routes import known_routes
from drf_model_pusher.webhooks.views import ChannelExistenceWebhook


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
        if isinstance(cache, RedisCache):
            cache._cache  # noqa: B018 - only now it imports redis-py, and what OPTIONS name
    except Exception as error:  # noqa: BLE001 - each has exceptions of its own
        yield Error(
            f"The cache {alias!r}, which remembers {remembered}, cannot be used: {error}",
            hint="Let DRF_MODEL_PUSHER_CACHE name an alias of the setting CACHES, and install what "
            "its backend needs.",
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
    found = known_routes()
    if found is not None and not any(
        is_subclass(route.view_class, ChannelExistenceWebhook) for route in found
    ):
        yield Warning(
            "The optimisation for occupied channels is enabled, and no route takes webhooks: who "
            "subscribes is heard of only when Pusher is asked again.",
            hint='Add path("pusher/", include("drf_model_pusher.urls")) to the URLs, and tell '
            "Pusher to send webhooks for channel existence to its webhook route.",
            id="drf_model_pusher.W002",
        )
