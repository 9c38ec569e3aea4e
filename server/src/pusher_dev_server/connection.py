"""One client, as the hub sees it. Pure."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Protocol

from pusher_dev_server.channels import ChannelKind

if TYPE_CHECKING:
    from pusher_dev_server.channel import Channel
    from pusher_dev_server.users import User


class Writer(Protocol):
    """What carries frames to a client: a socket, or a list in a test.

    Neither method waits, and neither calls back into the hub.
    """

    def send(self, text: str, /) -> None:
        """Take a frame, to be sent in the order taken."""

    def close(self, code: int, reason: str, /) -> None:
        """Send what was taken, then end the connection."""


class RateLimit:
    """Allows at most so many in any one second."""

    __slots__ = ("_limit", "_times")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: list[float] = []

    def allows(self, now: float) -> bool:
        """Say whether one more may happen now, and count it if so."""
        self._times = [time for time in self._times if now - time < 1]
        if len(self._times) >= self._limit:
            return False
        self._times.append(now)
        return True


class Connection:
    """A client that has been given a socket id."""

    __slots__ = (
        "channels",
        "client_events",
        "close",
        "last_seen",
        "pinged_at",
        "send",
        "since",
        "socket_id",
        "user",
    )

    def __init__(self, writer: Writer, now: float, client_events_per_second: int) -> None:
        # A socket id is signed to admit this one connection: it must not be guessable.
        self.socket_id = f"{secrets.randbits(64)}.{secrets.randbits(64)}"
        # The bound methods, not the writer: one look-up less for each subscriber of each event.
        self.send = writer.send
        self.close = writer.close
        self.channels: dict[str, Channel] = {}
        self.user: User | None = None
        self.client_events = RateLimit(client_events_per_second)
        self.since = now
        self.last_seen = now
        #: When it was sent a ping that it has not answered yet.
        self.pinged_at: float | None = None

    @property
    def is_authorized(self) -> bool:
        """Whether the app has vouched for it: by a sign-in, or for a channel that needs it."""
        return self.user is not None or any(
            channel.kind is not ChannelKind.PUBLIC for channel in self.channels.values()
        )

    def seen(self, now: float) -> None:
        """Note a frame of the client: any is a sign of life."""
        self.last_seen = now
        self.pinged_at = None
