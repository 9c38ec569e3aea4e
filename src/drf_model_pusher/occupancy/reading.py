"""Reading several entries of Django's cache for little more than the round trip costs.

Django's own Redis backend makes a client of redis-py for each operation, and its pool looks at a
connection before it lends it: each takes longer than Redis does to answer.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any
from weakref import WeakKeyDictionary

from django.core.cache import BaseCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient


def read_many(cache: BaseCache, keys: Sequence[str]) -> dict[str, Any]:
    """Return what ``get_many()`` would, of keys that need no validation."""
    if type(cache) is not RedisCache or (reader := _reader(cache)) is None:
        return cache.get_many(keys)
    found = reader.mget([cache.make_key(key) for key in keys])
    loads = reader.loads
    return {key: loads(value) for key, value in zip(keys, found, strict=True) if value is not None}


class _Reader:
    """Asks a Redis server over connections of its own, made as its pool makes them."""

    def __init__(self, backend: Any) -> None:
        # It reaches the server as all of redis-py does; what is imported here is not ours to need.
        from redis.exceptions import ConnectionError as Lost

        # They are a few, over and over, and Django unpickles what is no integer by failing first.
        self.loads = lru_cache(maxsize=100)(backend._serializer.loads)
        self._lost = Lost
        pool = backend.get_client().connection_pool
        self._make = partial(pool.connection_class, **pool.connection_kwargs)
        self._encoding = pool.connection_kwargs.get("encoding", "utf-8")
        # As many as threads have read at a time; most caches belong to one thread.
        self._idle: list[Any] = []

    def mget(self, keys: Sequence[str]) -> Sequence[Any]:
        """Return the bytes of entries, None for each that there is not."""
        words = [b"MGET", *(key.encode(self._encoding) for key in keys)]
        # https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server
        command = b"*%d\r\n" % len(words)
        command += b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])
        if (connection := self._take()) is not None:
            with suppress(self._lost):  # the server has closed it since, or has been restarted
                return self._ask(connection, command)
        return self._ask(self._make(), command)

    def _take(self) -> Any:
        with suppress(IndexError):
            # What a forked child finds here is its parent's.
            while (connection := self._idle.pop()).pid != os.getpid():
                pass
            return connection
        return None

    def _ask(self, connection: Any, command: bytes) -> Sequence[Any]:
        try:
            connection.send_packed_command([command], check_health=False)
            found: Sequence[Any] = connection.read_response()
        except BaseException:
            connection.disconnect()  # the rest of an answer is nobody's
            raise
        self._idle.append(connection)
        return found


# By cache, of which each thread has its own.
_readers: MutableMapping[BaseCache, _Reader] = WeakKeyDictionary()


def _reader(cache: BaseCache) -> _Reader | None:
    """Return what reads from the server of a cache, where that is known."""
    if (reader := _readers.get(cache)) is None:
        backend = getattr(cache, "_cache", None)
        if type(backend) is not RedisCacheClient or not _is_plain(backend):
            return None
        reader = _readers[cache] = _Reader(backend)
    return reader


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
