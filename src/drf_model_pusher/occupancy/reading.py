"""Reading several entries of Django's cache, most often without asking for them.

Redis tells a connection of a change to what was read over it. What a process has read holds until
then, so most pushes cost no round trip.
https://redis.io/docs/latest/develop/reference/client-side-caching/
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

from django.core.cache import BaseCache, caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

# Seconds: how long a connection is trusted that may be dead without a word; how long it is used, as
# an entry that has expired is one that has changed, but not before Redis happens to remove it.
_TRUST, _USE = 1.0, 60.0
# Entries that a connection is asked for before another one takes its place: Redis remembers them.
_MEMORY = 10_000

_written_at = float("-inf")


def read_many(alias: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return what ``get_many()`` of a cache would, of keys that need no validation.

    What other processes write is seen as soon as Redis has told of it, at most a second later.
    """
    settings = caches.settings.get(alias)
    known = _readers.get(alias)
    if known is None or known[0] is not settings:
        known = _readers[alias] = settings, _reader(caches[alias])
    reader = known[1]
    return caches[alias].get_many(keys) if reader is None else reader.get_many(keys)


def has_written() -> None:
    """Have what this process has just written be seen by all that is read from now on."""
    global _written_at
    _written_at = time.monotonic()


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
        pool = backend.get_client().connection_pool
        self._make = partial(pool.connection_class, **pool.connection_kwargs)
        self._encoding = pool.connection_kwargs.get("encoding", "utf-8")
        self._lost = Lost
        # As many as threads have read at a time.
        self._idle: list[_Line] = []

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return those entries that there are."""
        values = self._read([self._make_key(key).encode(self._encoding) for key in keys])
        found = zip(keys, values, strict=True)
        return {key: self._loads(value) for key, value in found if value is not None}

    def _read(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        if (line := self._take()) is not None:
            with suppress(self._lost):  # the server has closed it since, or has been restarted
                return self._read_over(line, keys)
        return self._read_over(_Line(self._make()), keys)

    def _take(self) -> _Line | None:
        try:
            # What a forked child finds here is its parent's.
            while (line := self._idle.pop()).connection.pid != os.getpid():
                pass
        except IndexError:
            return None
        return line

    def _read_over(self, line: _Line, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        try:
            values = line.read(keys)
        except BaseException:
            line.connection.disconnect()  # the rest of an answer is nobody's
            raise
        if line.is_used_up():
            line.connection.disconnect()
        else:
            self._idle.append(line)
        return values


class _Line:
    """A connection, and what was read over it and has not changed since."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._known: dict[bytes, bytes | None] = {}
        self._made_at = self._asked_at = time.monotonic()
        self._asked_for = 0
        connection.connect()
        self._is_told = _listen(connection, self._forget)

    def read(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """Return the bytes of entries, None for each that there is not."""
        if self._is_told and self._is_current():
            with suppress(KeyError):
                return [self._known[key] for key in keys]
        self._asked_at = time.monotonic()
        self._asked_for += len(keys)
        self.connection.send_command("MGET", *keys)
        # What Redis tells comes before an answer that knows of it, and is heard with it.
        values: Sequence[bytes | None] = self.connection.read_response()
        if self._is_told:
            self._known.update(zip(keys, values, strict=True))
        return values

    def is_used_up(self) -> bool:
        """Say whether another connection should take its place."""
        return self._asked_for > _MEMORY or self._made_at < time.monotonic() - _USE

    def _is_current(self) -> bool:
        if self._asked_at <= max(_written_at, time.monotonic() - _TRUST):
            return False
        while self.connection.can_read():
            self.connection.read_response(push_request=True)
        return True

    def _forget(self, message: Sequence[Any]) -> None:
        changed = message[1]
        if changed is None:
            self._known.clear()  # Redis has been emptied
        else:
            for key in changed:
                self._known.pop(key, None)


def _listen(connection: Any, hear: Callable[[Sequence[Any]], None]) -> bool:
    """Have a connection told of changes; say whether it will be.

    Not so in the older protocol, on an old server, or where its account may not.
    """
    from redis.exceptions import ResponseError

    register = getattr(connection._parser, "set_invalidation_push_handler", None)
    if register is None or int(connection.get_protocol()) < 3:
        return False
    connection.send_command("CLIENT", "TRACKING", "ON")
    try:
        connection.read_response()
    except ResponseError:
        return False
    register(hear)
    return True


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
