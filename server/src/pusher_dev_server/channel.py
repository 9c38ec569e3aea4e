"""A channel that somebody is subscribed to. Pure."""

from __future__ import annotations

from pusher_dev_server.channels import ChannelKind, is_cache_channel
from pusher_dev_server.connection import Connection
from pusher_dev_server.presence import Members


class Channel:
    """A name, its subscribers and, where the kind has them, its members."""

    __slots__ = (
        "counted_at",
        "is_cache",
        "kind",
        "members",
        "name",
        "pending_count",
        "subscribers",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind = ChannelKind.of(name)
        self.is_cache = is_cache_channel(name)
        #: Each subscriber, with the id that it is a member as, if it is one.
        self.subscribers: dict[Connection, str | None] = {}
        self.members = Members() if self.kind is ChannelKind.PRESENCE else None
        #: When the number of subscribers was last announced, and whether it has changed since.
        self.counted_at = float("-inf")
        self.pending_count = False

    def send(self, text: str, skip: Connection | None = None) -> None:
        """Hand one frame, encoded once, to every subscriber but one."""
        for connection in self.subscribers:
            if connection is not skip:
                connection.send(text)
