"""Caches to remember occupied channels in, and what Pusher answers about them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.cache import caches

from tests.availability import unavailable
from tests.pusher_api import Answer, Call, PusherApi

REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


def redis_problem() -> str | None:
    """Why there is no Redis to test with, or None."""
    try:
        import redis
    except ImportError:
        return "the package redis is not installed"
    client = redis.Redis.from_url(REDIS, socket_connect_timeout=1)
    try:
        client.ping()
    except redis.RedisError:
        return f"no Redis at {REDIS.rpartition('@')[2]}"
    finally:
        client.close()
    return None


def local_cache() -> dict[str, Any]:
    return {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": uuid.uuid4().hex,
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }


def redis_cache() -> dict[str, Any]:
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS,
        "KEY_PREFIX": f"drf-model-pusher-tests-{uuid.uuid4().hex}",
    }


def use_cache(settings: Any, kind: str) -> Iterator[None]:
    """Have the settings name a cache of its own, which is emptied in the end."""
    if kind == "locmem":
        settings.CACHES = {"default": local_cache()}
        yield
        return
    if problem := redis_problem():
        unavailable(problem)
    cache = redis_cache()
    settings.CACHES = {"default": cache}
    yield
    import redis

    caches.close_all()
    client = redis.Redis.from_url(REDIS)
    for key in client.scan_iter(f"{cache['KEY_PREFIX']}*", count=10_000):
        client.delete(key)
    client.close()


def answer(api: PusherApi, channels: Iterable[str], **how: Any) -> None:
    """Have the API name these channels as occupied from now on; how, as ``Answer`` has it."""
    body = json.dumps({"channels": {channel: {} for channel in channels}}).encode()
    api.default = Answer(body=body, **how)


def questions(api: PusherApi) -> list[Call]:
    """The calls that asked which channels are occupied."""
    return [call for call in api.calls if call.path.endswith("/channels")]
