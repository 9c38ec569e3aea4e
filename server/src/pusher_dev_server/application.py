"""What a server serves: its apps and their limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """One app of the server: credentials, and what its owner has switched on."""

    id: str
    """The id in the paths of the HTTP API."""

    key: str
    """The public key, which clients put into the address of their WebSocket."""

    secret: str
    """What requests, subscriptions and webhooks are signed with."""

    enabled: bool = True
    """False refuses sockets with 4003 and HTTP requests with 403."""

    client_events: bool = True
    """Whether clients may send ``client-`` events on private and presence channels."""

    subscription_count: bool = False
    """Whether subscribers are told how many they are, as the hosted service's option does."""

    authorized_connections: bool = False
    """Whether a connection must sign in, or join a channel that needs authorization, in time."""

    webhooks: tuple[str, ...] = ()
    """Addresses that webhooks are posted to."""

    def __repr__(self) -> str:
        """Leave the secret out: this ends up in logs and tracebacks."""
        return f"Application(id={self.id!r}, key={self.key!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Sizes, counts and timeouts. The defaults are the hosted service's own.

    Sizes are bytes of UTF-8, times are seconds.
    """

    event_data_bytes: int = 10_240
    """The data of one event, published or sent by a client."""

    channels_per_event: int = 100
    events_per_batch: int = 10

    connections: int = 10_000
    """Open sockets of one app; the next one is refused with 4004."""

    channels_per_connection: int = 1_000
    """Subscriptions of one socket: the hosted service has no such limit, a single process has."""

    presence_members: int = 100
    presence_member_bytes: int = 1_024
    user_id_length: int = 128
    """Characters of a presence member's or a signed-in user's id."""

    watchlist_users: int = 100

    client_events_per_second: int = 10
    """Client events of one connection; more are refused with 4301."""

    activity_timeout: float = 120
    """How long a connection may be silent before the server pings it."""

    pong_timeout: float = 30
    """How long a client may take to answer the ping before it is closed with 4201."""

    authorization_timeout: float = 30
    """How long an app with ``authorized_connections`` waits before it closes with 4009."""

    cache_ttl: float = 1_800
    """How long the last event of a cache channel is kept."""

    cached_channels: int = 10_000
    """Cache channels whose last event is kept; the oldest goes first."""

    cache_miss_interval: float = 10
    """A channel's cache misses cause at most one webhook in this time."""

    subscription_count_interval: float = 5
    """Counts above 100 are announced at most once in this time."""

    webhook_delay: float = 3
    """``channel_vacated`` and ``member_removed`` are sent after this time, unless the client
    comes back first."""

    outgoing_bytes: int = 1_048_576
    """A connection is cut off when more than this waits for it to read."""

    @property
    def frame_bytes(self) -> int:
        """The size of a frame: the largest event, its every character escaped, in an envelope."""
        return 6 * self.event_data_bytes + 4_096

    @property
    def body_bytes(self) -> int:
        """The size of an HTTP body: a full batch of the largest events, likewise escaped."""
        return 6 * self.event_data_bytes * self.events_per_batch + 65_536


#: The app that is served where nobody names one, on this machine only.
LOCAL_APP = Application(id="1", key="local-key", secret="local-secret")  # noqa: S106
