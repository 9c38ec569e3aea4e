"""Signed-in users: their connections, and who watches whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.application import Limits
from pusher_dev_server.connection import Connection
from pusher_dev_server.protocol import ProtocolError


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """Whom one connection has signed in as."""

    id: str
    info: Any = None
    watchlist: tuple[str, ...] = ()
    watchlist_cut: bool = False
    """Whether the watchlist was longer than is allowed, and only its beginning is used."""


def parse_user(user_data: str, limits: Limits) -> User:
    """Return the user that signed ``user_data`` describes; raise ProtocolError if none."""
    value = protocol.decode_object(user_data, "user_data")
    user_id = value.get("id")
    if not isinstance(user_id, str) or not 0 < len(user_id) <= limits.user_id_length:
        raise ProtocolError(f"user_data needs an id of 1 to {limits.user_id_length} characters")
    watchlist = value.get("watchlist")
    if watchlist is None:
        watchlist = []
    if not isinstance(watchlist, list) or not all(isinstance(item, str) for item in watchlist):
        raise ProtocolError("The watchlist in user_data is not a list of user ids")
    return User(
        id=user_id,
        info=value.get("user_info"),
        watchlist=tuple(dict.fromkeys(watchlist[: limits.watchlist_users])),
        watchlist_cut=len(watchlist) > limits.watchlist_users,
    )


class Users:
    """Everybody who is signed in."""

    def __init__(self) -> None:
        self._connections: dict[str, dict[Connection, None]] = {}
        self._watchers: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def connections(self, user_id: str) -> list[Connection]:
        """Return the connections that are signed in as this user."""
        return list(self._connections.get(user_id, ()))

    def sign_in(self, connection: Connection, user: User) -> None:
        """Make a connection this user's; tell it about its watchlist, and watchers about it."""
        connection.user = user
        is_first = user.id not in self._connections
        self._connections.setdefault(user.id, {})[connection] = None
        for watched in user.watchlist:
            self._watchers.setdefault(watched, {})[connection] = None
        if user.watchlist:
            online = [watched for watched in user.watchlist if watched in self._connections]
            offline = [watched for watched in user.watchlist if watched not in self._connections]
            connection.send(protocol.watchlist_events(online, offline))
        if is_first:
            self._tell_watchers(user.id, protocol.watchlist_events([user.id], []), connection)

    def sign_out(self, connection: Connection) -> None:
        """Forget a connection that has gone; tell watchers if it was its user's last."""
        user = connection.user
        if user is None:
            return
        connection.user = None
        for watched in user.watchlist:
            _discard(self._watchers, watched, connection)
        if _discard(self._connections, user.id, connection):
            self._tell_watchers(user.id, protocol.watchlist_events([], [user.id]))

    def _tell_watchers(self, user_id: str, text: str, skip: Connection | None = None) -> None:
        for watcher in self._watchers.get(user_id, ()):
            if watcher is not skip:
                watcher.send(text)


def _discard(
    table: dict[str, dict[Connection, None]], user_id: str, connection: Connection
) -> bool:
    """Take a connection out of a row; say whether the row is empty, and gone, now."""
    row = table[user_id]
    row.pop(connection, None)
    if row:
        return False
    del table[user_id]
    return True
