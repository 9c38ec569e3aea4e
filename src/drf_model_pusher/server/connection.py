"""One client, as the hub sees it. Pure."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Protocol

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.server.rate import Rate

if TYPE_CHECKING:
    from drf_model_pusher.server.channel import Channel
    from drf_model_pusher.server.users import User


class Peer(Protocol):
    """What carries frames to a client: a socket, or a list in a test.

    Neither method waits, and neither calls back into the hub.
    """

    def send(self, text: str, /) -> None:
        """Take a frame, to be sent in the order taken."""

    def close(self, code: int, reason: str, /) -> None:
        """Send what was taken, then end the connection."""


class Connection:
    """A client that has been given a socket id."""

    __slots__ = (
        "asked",
        "channels",
        "close",
        "rate",
        "seen",
        "send",
        "since",
        "socket_id",
        "user",
    )

    def __init__(self, peer: Peer, now: float, client_events_per_second: int) -> None:
        # A socket id is signed to admit this one connection: it must not be guessable.
        self.socket_id = f"{secrets.randbits(64)}.{secrets.randbits(64)}"
        # The bound methods, not the peer: one look-up less for each subscriber of each event.
        self.send = peer.send
        self.close = peer.close
        self.channels: dict[str, Channel] = {}
        self.user: User | None = None
        self.rate = Rate(client_events_per_second)
        self.since = now
        self.seen = now
        #: When it was asked for a sign of life that has not come yet.
        self.asked: float | None = None

    @property
    def is_authorized(self) -> bool:
        """Whether the app has vouched for it: by a sign-in, or for a channel that needs it."""
        return self.user is not None or any(
            channel.kind is not ChannelKind.PUBLIC for channel in self.channels.values()
        )

    def heard(self, now: float) -> None:
        """Note a sign of life: any frame is one."""
        self.seen = now
        self.asked = None
