"""What the console shows of an app's state. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.activity import Activity
from pusher_dev_server.channel import Channel
from pusher_dev_server.connection import Connection
from pusher_dev_server.hub import Hub

#: Rows of each list that are shown, of however many there are.
ROWS = 200

#: Characters of a payload that are shown.
SHOWN = 20_000


def state(hub: Hub, now: float) -> dict[str, Any]:
    """Return who is connected, and which channels are occupied by whom."""
    return {
        "type": "state",
        "connections": {
            "count": len(hub.connections),
            "rows": [_connection(each, now) for each in _first(hub.connections.values())],
        },
        "channels": {
            "count": len(hub.channels),
            "rows": [_channel(each) for each in _first(hub.channels.values())],
        },
    }


def activity(what: Activity, time: float) -> dict[str, Any]:
    """Return what has happened, at a time in seconds since the epoch."""
    data = what.data
    row: dict[str, Any] = {
        "type": "activity",
        "time": time,
        "kind": what.kind.value,
        "channel": what.channel,
        "event": what.event,
        "data": data if data is None else data[:SHOWN],
        "socket_id": what.socket_id,
        "user_id": what.user_id,
    }
    if data is not None and len(data) > SHOWN:
        row["cut"] = len(data) - SHOWN
    return row


def _first(items: Iterable[Any]) -> Iterable[Any]:
    return islice(items, ROWS)


def _connection(connection: Connection, now: float) -> dict[str, Any]:
    return {
        "id": connection.socket_id,
        "seconds": round(now - connection.since),
        "user": connection.user.id if connection.user else None,
        "channels": list(_first(connection.channels)),
        "channel_count": len(connection.channels),
    }


def _channel(channel: Channel) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": channel.name,
        "kind": channel.kind.name.lower(),
        "cache": channel.is_cache,
        "subscribers": len(channel.subscribers),
    }
    if channel.members is not None:
        row["member_count"] = len(channel.members)
        # As text: a browser's numbers end at 2^53.
        row["members"] = [
            {"id": user_id, "info": None if info is None else protocol.encode(info)}
            for user_id, info in _first(channel.members.items())
        ]
    return row
