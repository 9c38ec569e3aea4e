"""Reading several entries of Django's cache for little more than the round trip costs."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.core.cache import BaseCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

# By cache, of which each thread has its own; Django keeps the pool, which knows of forks.
_pools: MutableMapping[BaseCache, tuple[Any, Callable[[bytes], Any]]] = WeakKeyDictionary()


def read_many(cache: BaseCache, keys: Sequence[str]) -> dict[str, Any]:
    """Return what ``get_many()`` would, of keys that need no validation.

    Django's own Redis backend makes a client of redis-py for each operation, which takes longer
    than Redis does to answer. Here its connections are asked without one.
    """
    if type(cache) is not RedisCache or (direct := _direct(cache)) is None:
        return cache.get_many(keys)
    pool, loads = direct
    found = _mget(pool, [cache.make_key(key) for key in keys])
    return {key: loads(value) for key, value in zip(keys, found, strict=True) if value is not None}


def _direct(cache: BaseCache) -> tuple[Any, Callable[[bytes], Any]] | None:
    """Return the connections of a cache and what reads its values, where both are known."""
    if (pool := _pools.get(cache)) is None:
        backend = getattr(cache, "_cache", None)
        # Of several servers, or of a class of the project's, the backend itself chooses for each
        # read. None of this is public: where Django has changed it, all is left to Django.
        if type(backend) is not RedisCacheClient or len(getattr(backend, "_servers", ())) != 1:
            return None
        loads = getattr(getattr(backend, "_serializer", None), "loads", None)
        if loads is None:
            return None
        pool = _pools[cache] = backend.get_client().connection_pool, loads
    return pool


def _mget(pool: Any, keys: list[str]) -> Any:
    connection = pool.get_connection()
    try:
        connection.send_command("MGET", *keys)
        return connection.read_response()
    except BaseException:
        connection.disconnect()  # the rest of an answer is nobody's
        raise
    finally:
        pool.release(connection)
