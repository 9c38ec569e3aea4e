"""Reading several entries of Django's cache, most often without asking for them.

Redis tells a connection when the one entry changes that is written with each of the others, so what
was read need not be asked for again by the pushes that follow within a second.
https://redis.io/docs/latest/develop/reference/client-side-caching/
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

from django.core.cache import BaseCache, caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

# Seconds for which what was read counts: the connection may have died without a word, and of an
# entry that expires nobody tells.
_LASTS = 1.0


def read_many(alias: str, keys: Sequence[str], *, stamp: str) -> dict[str, Any]:
    """Return what ``get_many()`` of a cache would, or would have within the last second.

    Args:
        alias: The cache's.
        keys: Of entries; they need no validation.
        stamp: The key of an entry that is written with each change of any of them, or after it, as
            who is told reads at once. With Redis a change is seen as soon as the server has told.
    """
    settings = caches.settings.get(alias)
    known = _readers.get(alias)
    if known is None or known[0] is not settings:
        known = _readers[alias] = settings, _reader(caches[alias])
    reader = known[1]
    return caches[alias].get_many(keys) if reader is None else reader.get_many(keys, stamp)


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
        self._lost = Lost
        # As many as threads have read at a time.
        self._idle: list[_Line] = []

    def get_many(self, keys: Sequence[str], stamp: str) -> dict[str, Any]:
        """Return those entries that there are."""
        watched, *made = [self._make_key(key).encode() for key in (stamp, *keys)]
        found = zip(keys, self._read(made, watched), strict=True)
        return {key: self._loads(value) for key, value in found if value is not None}

    def _read(self, keys: Sequence[bytes], stamp: bytes) -> Sequence[bytes | None]:
        if (line := self._take()) is not None:
            try:
                return self._read_over(line, keys, stamp)
            except self._lost:  # the server has closed it since, or has been restarted
                while (other := self._take()) is not None:
                    other.connection.disconnect()
        return self._read_over(_Line(self._make(), stamp), keys, stamp)

    def _take(self) -> _Line | None:
        try:
            # What a forked child finds here is its parent's.
            while (line := self._idle.pop()).connection.pid != os.getpid():
                pass
        except IndexError:
            return None
        return line

    def _read_over(
        self, line: _Line, keys: Sequence[bytes], stamp: bytes
    ) -> Sequence[bytes | None]:
        try:
            values = line.read(keys, stamp)
        except BaseException:
            line.connection.disconnect()  # the rest of an answer is nobody's
            raise
        self._idle.append(line)
        return values


class _Line:
    """A connection, and what was read over it since Redis last told of a change."""

    def __init__(self, connection: Any, stamp: bytes) -> None:
        self.connection = connection
        self._known: dict[bytes, bytes | None] = {}
        self._known_since = 0.0
        # Only appended to while redis-py reads, as it passes over what a handler raises.
        self._news: list[Any] = []
        connection.connect()
        self._watched = {stamp} if _listen(connection, stamp, self._news) else None

    def read(self, keys: Sequence[bytes], stamp: bytes) -> Sequence[bytes | None]:
        """Return the bytes of entries, None for each that there is not."""
        if self._watched is None:
            return self._ask(keys)
        self._hear()
        now = time.monotonic()
        if self._known_since < now - _LASTS:
            self._known.clear()
        with suppress(KeyError):
            return [self._known[key] for key in keys]
        if not self._known:
            self._known_since = now
        # Watched first: what changes between the two is told, and heard before the next answer.
        values = self._ask(keys, () if stamp in self._watched else _watching(stamp))
        self._watched.add(stamp)
        self._known.update(zip(keys, values, strict=True))
        return values

    def _ask(
        self, keys: Sequence[bytes], before: Sequence[Sequence[Any]] = ()
    ) -> Sequence[bytes | None]:
        commands = [*before, ("MGET", *keys)]
        # A check of the connection's health might replace it by one that is told of nothing.
        packed = self.connection.pack_commands(commands)
        self.connection.send_packed_command(packed, check_health=False)
        *_, values = [self.connection.read_response() for _ in commands]
        if len(values) != len(keys) or not all(isinstance(v, bytes | None) for v in values):
            raise _disorder()
        found: Sequence[bytes | None] = values
        return found

    def _hear(self) -> None:
        """Take note of what Redis has told, if anything."""
        while self.connection.can_read():
            heard = len(self._news)
            self.connection.read_response(push_request=True)
            if len(self._news) == heard:
                raise _disorder()
        if self._news and self._watched is not None:
            self._news.clear()
            self._watched.clear()
            self._known.clear()


def _watching(stamp: bytes) -> Sequence[Sequence[Any]]:
    """Return the commands after which Redis tells of the next change of an entry."""
    return ("CLIENT", "CACHING", "YES"), ("GET", stamp)


def _listen(connection: Any, stamp: bytes, news: list[Any]) -> bool:
    """Have a connection watch an entry and put what it is told into a list; say whether it does.

    It does not in the older protocol, on an old server, or where its account may not.
    """
    from redis.exceptions import ResponseError

    register = getattr(connection._parser, "set_invalidation_push_handler", None)
    if register is None or int(connection.get_protocol()) < 3:
        return False
    register(news.append)
    try:
        for command in (("CLIENT", "TRACKING", "ON", "OPTIN"), *_watching(stamp)):
            connection.send_command(*command, check_health=False)
            connection.read_response()
    except ResponseError:
        return False
    return True


def _disorder() -> Exception:
    return RuntimeError("Redis has answered what nobody asked.")


# By alias, with the settings that they were made from; None where Django reads itself.
_readers: dict[str, tuple[object, _Reader | None]] = {}


def _reader(cache: BaseCache) -> _Reader | None:
    """Return what reads from the server of a cache, where that is known."""
    if type(cache) is not RedisCache:
        return None
    backend = getattr(cache, "_cache", None)
    return _Reader(cache) if type(backend) is RedisCacheClient and _is_plain(backend) else None


def _is_plain(backend: Any) -> bool:
    """Say whether a backend reads bytes from one server, over connections that anybody may make.

    Of several servers it chooses one for each read; a pool of another class than redis-py's own may
    choose as well, or count the connections. None of this is public: where Django has changed it,
    all is left to Django.
    """
    try:
        if (
            len(backend._servers) != 1
            or backend._pool_class is not backend._lib.ConnectionPool
            or not callable(backend._serializer.loads)
        ):
            return False
        options = backend.get_client().connection_pool.connection_kwargs
    except AttributeError:
        return False
    encoding = str(options.get("encoding", "utf-8")).lower()
    return encoding in ("utf-8", "utf8") and not options.get("decode_responses")
