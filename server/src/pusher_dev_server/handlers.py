"""What the server does with each message of a client. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.activity import Kind
from pusher_dev_server.channel import Channel
from pusher_dev_server.channels import USER_CHANNEL_PREFIX, ChannelKind, is_valid_name
from pusher_dev_server.connection import Connection
from pusher_dev_server.events import MAX_EVENT_NAME_LENGTH
from pusher_dev_server.hub import Hub
from pusher_dev_server.presence import Member, check_member_size, parse_member
from pusher_dev_server.protocol import (
    CLIENT_EVENT_REJECTED,
    WATCHLIST_TOO_LONG,
    CloseCode,
    Frame,
    ProtocolError,
)
from pusher_dev_server.signatures import (
    InvalidSignature,
    check_channel_auth,
    check_user_auth,
)
from pusher_dev_server.users import User, parse_user


def receive(hub: Hub, connection: Connection, text: str, now: float) -> None:
    """Follow one text message of a client, whatever it is.

    What cannot be followed is answered with ``pusher:error``; the connection stays open.
    """
    connection.seen(now)
    try:
        frame = protocol.parse_frame(text, hub.limits.frame_bytes)
        is_client_event = frame.event.startswith("client-")
        handler = _client_event if is_client_event else _HANDLERS.get(frame.event, _unknown)
        handler(hub, connection, frame, now)
    except (ProtocolError, InvalidSignature) as error:
        connection.send(protocol.error(str(error), getattr(error, "code", None)))
        hub.notify(Kind.REFUSED, data=str(error), socket_id=connection.socket_id)


def refuse_binary(hub: Hub, connection: Connection, now: float) -> None:
    """Answer a binary message: the protocol knows text only."""
    connection.seen(now)
    connection.send(protocol.error("Binary messages are not supported"))


def _subscribe(hub: Hub, connection: Connection, frame: Frame, now: float) -> None:
    data = _object(frame)
    name = _text(data, "channel", "Subscription has no channel name")
    if name in connection.channels:
        raise ProtocolError(f"Existing subscription to channel {name}")
    if len(connection.channels) >= hub.limits.channels_per_connection:
        raise ProtocolError(f"More than {hub.limits.channels_per_connection} subscriptions")
    if name.startswith("#"):
        if connection.user is None or name != USER_CHANNEL_PREFIX + connection.user.id:
            raise ProtocolError(f"Not signed in as the user of {name[:200]}")
        hub.subscribe(connection, name, now)
        return
    if not is_valid_name(name):
        raise ProtocolError(f"Invalid channel name {name[:200]}")
    hub.subscribe(connection, name, now, _authorized_member(hub, connection, name, data))


def _authorized_member(
    hub: Hub, connection: Connection, name: str, data: dict[str, Any]
) -> Member | None:
    """Return whom the connection joins as, if the kind has members; raise if it may not join."""
    kind = ChannelKind.of(name)
    if kind is ChannelKind.PUBLIC:
        return None
    auth = _text(data, "auth", f"Auth info required to subscribe to {name}")
    channel_data = None
    if kind is ChannelKind.PRESENCE and data.get("channel_data") is not None:
        channel_data = _text(data, "channel_data", "channel_data is not a string")
    check_channel_auth(hub.app, auth, connection.socket_id, name, channel_data)
    if kind is not ChannelKind.PRESENCE:
        return None
    if channel_data is not None:
        member = parse_member(channel_data, hub.limits)
    elif connection.user is not None:
        member = Member(user_id=connection.user.id, user_info=connection.user.info)
        check_member_size(member, hub.limits)
    else:
        raise ProtocolError(f"channel_data or a sign-in required to subscribe to {name}")
    _check_room(hub, name, member)
    return member


def _check_room(hub: Hub, name: str, member: Member) -> None:
    channel = hub.channels.get(name)
    members = channel.members if channel else None
    if members and member.user_id not in members and len(members) >= hub.limits.presence_members:
        raise ProtocolError(f"{name} has {hub.limits.presence_members} members, which is the limit")


def _unsubscribe(hub: Hub, connection: Connection, frame: Frame, now: float) -> None:
    name = _text(_object(frame), "channel", "Unsubscription has no channel name")
    hub.unsubscribe(connection, name, now)


def _ping(hub: Hub, connection: Connection, frame: Frame, now: float) -> None:
    connection.send(protocol.PONG)


def _pong(hub: Hub, connection: Connection, frame: Frame, now: float) -> None:
    """Do nothing more: any frame is a sign of life."""


def _unknown(hub: Hub, connection: Connection, frame: Frame, now: float) -> None:
    raise ProtocolError(f"Unknown event {frame.event[:100]}")


def _sign_in(hub: Hub, connection: Connection, frame: Frame, now: float) -> None:
    try:
        user, user_data = _authenticated(hub, connection, frame)
    except (ProtocolError, InvalidSignature) as error:
        raise ProtocolError(str(error), CloseCode.UNAUTHORIZED) from error
    hub.sign_in(connection, user, user_data)
    if user.watchlist_cut:
        raise ProtocolError(
            f"The watchlist has more than {hub.limits.watchlist_users} users; the rest is ignored",
            WATCHLIST_TOO_LONG,
        )


def _authenticated(hub: Hub, connection: Connection, frame: Frame) -> tuple[User, str]:
    """Return the user that a sign-in is for, and the text that was signed; raise if it is none."""
    data = _object(frame)
    auth = _text(data, "auth", "Auth info required to sign in")
    user_data = _text(data, "user_data", "user_data required to sign in")
    check_user_auth(hub.app, auth, connection.socket_id, user_data)
    user = parse_user(user_data, hub.limits)
    if connection.user is not None:
        raise ProtocolError("Connection is already signed in")
    return user, user_data


def _client_event(hub: Hub, connection: Connection, frame: Frame, now: float) -> None:
    channel = _client_event_channel(hub, connection, frame)
    if not connection.client_events.allows(now):
        raise ProtocolError(
            f"Client event rejected: more than {hub.limits.client_events_per_second} in a second",
            CLIENT_EVENT_REJECTED,
        )
    user_id = channel.subscribers[connection]
    channel.send(protocol.client_event(channel.name, frame, user_id), connection)
    details = {"event": frame.event, "data": protocol.as_text(frame.data)}
    webhook = {
        "name": "client_event",
        "channel": channel.name,
        **details,
        "socket_id": connection.socket_id,
    }
    if user_id is not None:
        webhook["user_id"] = user_id
    hub.webhooks.emit(webhook)
    hub.notify(
        Kind.CLIENT_EVENT,
        channel=channel.name,
        socket_id=connection.socket_id,
        user_id=user_id,
        **details,
    )


def _client_event_channel(hub: Hub, connection: Connection, frame: Frame) -> Channel:
    """Return the channel that a client's event goes to; raise ProtocolError if it may not."""
    if not hub.app.client_events:
        raise ProtocolError("Client event rejected: client events are not enabled for this app")
    if len(frame.event) > MAX_EVENT_NAME_LENGTH:
        raise ProtocolError(
            f"Client event rejected: its name has more than {MAX_EVENT_NAME_LENGTH} characters"
        )
    channel = connection.channels.get(frame.channel or "")
    if channel is None:
        raise ProtocolError("Client event rejected: not subscribed to its channel")
    if channel.kind not in (ChannelKind.PRIVATE, ChannelKind.PRESENCE):
        raise ProtocolError(
            "Client event rejected: only supported on private and presence channels"
        )
    if protocol.size(protocol.as_text(frame.data)) > hub.limits.event_data_bytes:
        raise ProtocolError(
            f"Client event rejected: its data is larger than {hub.limits.event_data_bytes} bytes"
        )
    return channel


def _object(frame: Frame) -> dict[str, Any]:
    """Return the data of a frame, which some clients encode twice."""
    data = frame.data
    if isinstance(data, dict):
        return data
    text = data if isinstance(data, str) else protocol.encode(data)
    return protocol.decode_object(text, f"Data of {frame.event}")


def _text(data: dict[str, Any], name: str, otherwise: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise ProtocolError(otherwise)
    return value


_HANDLERS: dict[str, Callable[[Hub, Connection, Frame, float], None]] = {
    "pusher:subscribe": _subscribe,
    "pusher:unsubscribe": _unsubscribe,
    "pusher:ping": _ping,
    "pusher:pong": _pong,
    "pusher:signin": _sign_in,
}
