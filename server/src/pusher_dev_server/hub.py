"""The state of one app: who is connected, and to what. Pure: no sockets, no tasks, no clock.

Time is passed in, as seconds of any clock that only goes forward. Frames go to the connections'
writers in the order in which they were caused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.activity import Activity, Kind, Observer
from pusher_dev_server.application import Application, Limits
from pusher_dev_server.cache import EventCache
from pusher_dev_server.channel import Channel
from pusher_dev_server.channels import is_cache_channel
from pusher_dev_server.connection import Connection, Writer
from pusher_dev_server.events import Event
from pusher_dev_server.presence import Member
from pusher_dev_server.protocol import CloseCode, Refused
from pusher_dev_server.users import User, Users
from pusher_dev_server.webhook_delay import WebhookDelay, WebhookEvent

#: Above this many subscribers their number is not announced at every change.
BUSY_CHANNEL = 100


class Hub:
    """One app at work.

    Attributes:
        connections: The open connections by socket id.
        channels: The occupied channels by name.
        users: Who is signed in.
        cache: The last events of cache channels.
        observers: Who is told what happens.
    """

    def __init__(
        self,
        app: Application,
        limits: Limits | None = None,
        on_webhook: Callable[[WebhookEvent], None] | None = None,
    ) -> None:
        self.app = app
        self.limits = limits = limits or Limits()
        self.connections: dict[str, Connection] = {}
        self.channels: dict[str, Channel] = {}
        self.users = Users()
        self.cache = EventCache(
            ttl=limits.cache_ttl,
            size=limits.cached_channels,
            miss_interval=limits.cache_miss_interval,
        )
        self.observers: list[Observer] = []
        self.webhooks = WebhookDelay(self._emit_webhook, limits.webhook_delay)
        self._on_webhook = on_webhook

    def connect(self, writer: Writer, now: float) -> Connection:
        """Take a client and greet it; raise Refused if the app takes no more, or none at all."""
        if not self.app.enabled:
            raise Refused(CloseCode.APP_DISABLED, "Application disabled")
        if len(self.connections) >= self.limits.connections:
            raise Refused(CloseCode.OVER_QUOTA, "Application is over connection quota")
        connection = Connection(writer, now, self.limits.client_events_per_second)
        self.connections[connection.socket_id] = connection
        connection.send(
            protocol.connection_established(connection.socket_id, self.limits.activity_timeout)
        )
        self.notify(Kind.CONNECTED, socket_id=connection.socket_id)
        return connection

    def disconnect(self, connection: Connection, now: float) -> None:
        """Forget a client that has gone, and tell those whom it concerns."""
        if self.connections.pop(connection.socket_id, None) is None:
            return
        for name in list(connection.channels):
            self.unsubscribe(connection, name, now)
        self.users.sign_out(connection)
        self.notify(Kind.DISCONNECTED, socket_id=connection.socket_id)

    def subscribe(
        self, connection: Connection, name: str, now: float, member: Member | None = None
    ) -> None:
        """Add an authorized connection to a channel, which comes into being for its first one."""
        channel = self.channels.get(name)
        if channel is None:
            channel = self.channels[name] = Channel(name)
            self.webhooks.occupied(name)
        connection.channels[name] = channel
        joined = channel.members is not None and member is not None and channel.members.join(member)
        if joined and member:
            channel.send(protocol.member_added(name, member.user_id, member.user_info))
            self.webhooks.member_added(name, member.user_id)
        channel.subscribers[connection] = member.user_id if member else None
        listing = {} if channel.members is None else channel.members.listing()
        connection.send(protocol.subscription_succeeded(name, listing))
        if channel.is_cache:
            self._replay(connection, name, now)
        self._announce_count(channel, now)
        self.notify(Kind.SUBSCRIBED, channel=name, socket_id=connection.socket_id)

    def unsubscribe(self, connection: Connection, name: str, now: float) -> None:
        """Take a connection out of a channel; it is no error if it is not in it."""
        channel = connection.channels.pop(name, None)
        if channel is None:
            return
        user_id = channel.subscribers.pop(connection)
        if channel.members is not None and user_id is not None and channel.members.leave(user_id):
            channel.send(protocol.member_removed(name, user_id))
            self.webhooks.member_removed(name, user_id, now)
        if not channel.subscribers:
            del self.channels[name]
            self.webhooks.vacated(name, now)
        self._announce_count(channel, now)
        self.notify(Kind.UNSUBSCRIBED, channel=name, socket_id=connection.socket_id)

    def sign_in(self, connection: Connection, user: User, user_data: str) -> None:
        """Make an authenticated connection a user's."""
        connection.send(protocol.signin_success(user_data))
        self.users.sign_in(connection, user)
        self.notify(Kind.SIGNED_IN, socket_id=connection.socket_id, user_id=user.id)

    def publish(self, event: Event, now: float) -> None:
        """Send an event, encoded once for each channel, to everybody but ``socket_id``."""
        skip = self.connections.get(event.socket_id) if event.socket_id else None
        head = protocol.event_head(event.name, event.data)
        for name in event.channels:
            channel, is_cache = self.channels.get(name), is_cache_channel(name)
            if channel or is_cache:
                frame = protocol.event_frame(head, name)
                if is_cache:
                    self.cache.put(name, frame, event.data, now)
                if channel:
                    channel.send(frame, skip)
            self.notify(
                Kind.PUBLISHED,
                channel=name,
                event=event.name,
                data=event.data,
                socket_id=event.socket_id,
            )

    def terminate(self, user_id: str) -> None:
        """End all connections that are signed in as a user."""
        for connection in self.users.connections(user_id):
            connection.close(CloseCode.UNAUTHORIZED, "Connection terminated by the app")

    def close(self, code: int, reason: str) -> None:
        """End all connections."""
        for connection in list(self.connections.values()):
            connection.close(code, reason)

    def tick(self, now: float) -> None:
        """Do what is due: pings, time-outs, counts, webhooks. Call it a few times a second."""
        for connection in list(self.connections.values()):
            self._check_life(connection, now)
        for channel in self.channels.values():
            if channel.pending_count:
                self._announce_count(channel, now)
        self.cache.expire(now)
        self.webhooks.release(now)

    def notify(self, kind: Kind, **details: Any) -> None:
        """Tell observers what happened."""
        if self.observers:
            activity = Activity(kind=kind, app_id=self.app.id, **details)
            for observer in list(self.observers):
                observer(activity)

    def _emit_webhook(self, event: WebhookEvent) -> None:
        self.notify(Kind.WEBHOOK, channel=event["channel"], event=event["name"])
        if self._on_webhook is not None:
            self._on_webhook(event)

    def _check_life(self, connection: Connection, now: float) -> None:
        limits = self.limits
        if connection.pinged_at is not None:
            if now - connection.pinged_at >= limits.pong_timeout:
                connection.close(CloseCode.NO_PONG, "Pong reply not received")
        elif now - connection.last_seen >= limits.activity_timeout:
            connection.pinged_at = now
            connection.send(protocol.PING)
        if (
            self.app.authorized_connections
            and not connection.is_authorized
            and now - connection.since >= limits.authorization_timeout
        ):
            connection.close(CloseCode.UNAUTHORIZED, "Connection not authorized within timeout")

    def _replay(self, connection: Connection, name: str, now: float) -> None:
        cached = self.cache.get(name, now)
        if cached is not None:
            connection.send(cached.frame)
            return
        connection.send(protocol.cache_miss(name))
        if self.cache.is_new_miss(name, now):
            self.webhooks.emit({"name": "cache_miss", "channel": name})

    def _announce_count(self, channel: Channel, now: float) -> None:
        if not self.app.subscription_count or channel.members is not None:
            return
        count = len(channel.subscribers)
        since = now - channel.counted_at
        channel.pending_count = (
            count > BUSY_CHANNEL and since < self.limits.subscription_count_interval
        )
        if channel.pending_count:
            return
        channel.counted_at = now
        channel.send(protocol.subscription_count(channel.name, count))
        self.webhooks.emit(
            {"name": "subscription_count", "channel": channel.name, "subscription_count": count}
        )
