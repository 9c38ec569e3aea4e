"""Reading several entries of Django's cache for little more than the round trip costs.

Django's own Redis backend makes a client of redis-py for each operation, and its pool looks at a
connection before it lends it: each takes longer than Redis does to answer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

from django.core.cache import BaseCache, caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient


def read_many(alias: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return what ``get_many()`` of a cache would, of keys that need no validation."""
    settings = caches.settings.get(alias)
    known = _readers.get(alias)
    if known is None or known[0] is not settings:
        known = _readers[alias] = settings, _reader(caches[alias])
    reader = known[1]
    return caches[alias].get_many(keys) if reader is None else reader.get_many(keys)


class _Reader:
    """Asks a Redis server over connections of its own, made as its pool makes them.

    It serves all threads of a process, and outlives the caches that Django makes for each of them,
    or for each request of an ASGI application.
    """

    def __init__(self, cache: RedisCache) -> None:
        # It reaches the server as all of redis-py does; what is imported here is not ours to need.
        from redis.exceptions import ConnectionError as Lost

        backend: Any = cache._cache
        # Values are a few, over and over, and Django unpickles what is no integer by failing first.
        self._loads = lru_cache(maxsize=100)(backend._serializer.loads)
        self._make_key = cache.make_key
        self._argument = lru_cache(maxsize=1_000)(self._make_argument)
        self._lost = Lost
        pool = backend.get_client().connection_pool
        self._make = partial(pool.connection_class, **pool.connection_kwargs)
        self._encoding = pool.connection_kwargs.get("encoding", "utf-8")
        # As many as threads have read at a time.
        self._idle: list[Any] = []

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return those entries that there are."""
        # https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server
        arguments = b"".join([self._argument(self._make_key(key)) for key in keys])
        values = self._ask(b"*%d\r\n$4\r\nMGET\r\n%b" % (1 + len(keys), arguments))
        found = zip(keys, values, strict=True)
        return {key: self._loads(value) for key, value in found if value is not None}

    def _make_argument(self, key: str) -> bytes:
        """Return a key, as the cache spells it, as an argument of a command."""
        argument = key.encode(self._encoding)
        return b"$%d\r\n%b\r\n" % (len(argument), argument)

    def _ask(self, command: bytes) -> Sequence[Any]:
        """Return the bytes of entries, None for each that there is not."""
        if (connection := self._take()) is not None:
            with suppress(self._lost):  # the server has closed it since, or has been restarted
                return self._exchange(connection, command)
        return self._exchange(self._make(), command)

    def _take(self) -> Any:
        try:
            # What a forked child finds here is its parent's.
            while (connection := self._idle.pop()).pid != os.getpid():
                pass
        except IndexError:
            return None
        return connection

    def _exchange(self, connection: Any, command: bytes) -> Sequence[Any]:
        try:
            connection.send_packed_command([command], check_health=False)
            found: Sequence[Any] = connection.read_response()
        except BaseException:
            connection.disconnect()  # the rest of an answer is nobody's
            raise
        self._idle.append(connection)
        return found


# By alias, with the settings that they were made from; None where Django reads itself.
_readers: dict[str, tuple[object, _Reader | None]] = {}


def _reader(cache: BaseCache) -> _Reader | None:
    """Return what reads from the server of a cache, where that is known."""
    if type(cache) is not RedisCache:
        return None
    backend = getattr(cache, "_cache", None)
    return _Reader(cache) if type(backend) is RedisCacheClient and _is_plain(backend) else None


def _is_plain(backend: Any) -> bool:
    """Say whether a backend reads from one server, over connections that anybody may make.

    Of several servers it chooses one for each read; a pool of another class than redis-py's own may
    choose as well, or count the connections. None of this is public: where Django has changed it,
    all is left to Django.
    """
    try:
        return (
            len(backend._servers) == 1
            and backend._pool_class is backend._lib.ConnectionPool
            and callable(backend._serializer.loads)
        )
    except AttributeError:
        return False
