"""The value that travels from a change to Pusher, and the limits it must keep. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from drf_model_pusher.channels import ChannelKind, check_name, is_valid_name
from drf_model_pusher.exceptions import InvalidEventError

# https://pusher.com/docs/channels/library_auth_reference/rest-api/#post-event-trigger-an-event
MAX_EVENT_NAME_LENGTH = 200
MAX_DATA_BYTES = 10_240
MAX_CHANNELS_PER_EVENT = 100
MAX_EVENTS_PER_BATCH = 10

# What begins the name of the channel of one signed-in user.
USER_CHANNEL_PREFIX = "#server-to-user-"

# The name of what travels as an event, in its order, and ends the connections of a user.
_TERMINATION = "pusher_internal:terminate_user"

# They would forge lines of a log.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# [0-9] and not \d, which also matches the digits of other scripts.
_SOCKET_ID = re.compile(r"\A[0-9]{1,32}\.[0-9]{1,32}\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class PusherEvent:
    """Something that happened, as its subscribers will see it."""

    channels: tuple[str, ...]
    """Full channel names, prefixes included; at least one, without repetitions."""

    name: str
    """What happened, such as ``order.update``."""

    data: str
    """JSON text, exactly as it goes over the wire."""

    socket_id: str | None = None
    """The connection that caused the change and is left out, or None to reach everybody."""

    subject: str | None = None
    """The object it is about, such as ``orders.order:42``; None for an event about no object."""

    change: Literal["create", "update", "delete"] | None = None
    """What happened to the object; None for a verb of one's own."""

    conflation_key: str | None = None
    """Waiting events with one key may become their net effect; None keeps each of them."""

    provider: str | None = None
    """The dotted path of the provider that carries it; None for the one of the settings."""

    occupancy_unknown: bool = False
    """Whether it is unknown if its channels have subscribers: it is asked again before sending."""

    @classmethod
    def termination(cls, user_id: str) -> PusherEvent:
        """Return what lets a delivery end the connections of a signed-in user."""
        return cls(channels=(USER_CHANNEL_PREFIX + user_id,), name=_TERMINATION, data="{}")

    @property
    def terminates(self) -> str | None:
        """The id of the user whose connections it ends; None for an event."""
        if self.name != _TERMINATION:
            return None
        return self.channels[0].removeprefix(USER_CHANNEL_PREFIX)

    def json(self) -> Any:
        """Return the data as Python values."""
        return json.loads(self.data)


def is_valid_socket_id(socket_id: str) -> bool:
    """Return whether this can be the id of a connection: a dot between two runs of digits."""
    return _SOCKET_ID.match(socket_id) is not None


def check_event(event: PusherEvent) -> None:
    """Raise InvalidEventError where Pusher refuses the event whatever its size."""
    if not event.channels:
        raise InvalidEventError(f"The event {event.name!r} names no channel.")
    for channel in event.channels:
        if not is_valid_name(channel):
            # One user's own channel: only a server may name it, and it has a character of its own.
            check_name(channel.removeprefix(USER_CHANNEL_PREFIX))
    if not 0 < len(event.name) <= MAX_EVENT_NAME_LENGTH:
        raise InvalidEventError(
            f"The event name {event.name[:40]!r} has {len(event.name)} characters; "
            f"Pusher allows 1 to {MAX_EVENT_NAME_LENGTH}."
        )
    if _CONTROL.search(event.name):
        raise InvalidEventError(f"The event name {event.name[:40]!r} has a control character.")
    if event.name.startswith(("pusher:", "pusher_internal:")) and event.terminates is None:
        raise InvalidEventError(f"The event name {event.name!r} is reserved for the service.")
    if event.socket_id is not None and not is_valid_socket_id(event.socket_id):
        raise InvalidEventError(f"{event.socket_id!r} is not the id of a connection.")


def wire_size(event: PusherEvent) -> int:
    """Return the bytes of the data as the service counts them: UTF-8, after encryption."""
    # A lone surrogate, which is no UTF-8, must not raise here.
    size = len(event.data.encode(errors="surrogatepass"))
    if any(ChannelKind.of(channel) is ChannelKind.ENCRYPTED for channel in event.channels):
        # {"nonce":"24 bytes as base64","ciphertext":"the data and 16 bytes more as base64"}
        size = len('{"nonce":"","ciphertext":""}') + 32 + 4 * -(-(size + 16) // 3)
    return size


def request_size(event: PusherEvent, channels: Sequence[str] | None = None) -> int:
    """Return the bytes of the body of a request with this event alone.

    Args:
        event: The event.
        channels: Those of its channels that the request is for; by default the one that makes the
            largest request, since channels can be served one by one.
    """
    encrypted = ChannelKind.ENCRYPTED.value
    if channels is None:
        channels = [max(event.channels, key=lambda name: (name.startswith(encrypted), len(name)))]
    values = {"channels": channels, "name": event.name, "data": event.data}
    if event.socket_id:
        values["socket_id"] = event.socket_id
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode(errors="surrogatepass"))
    if channels[0].startswith(encrypted):
        quoted = json.dumps(event.data, ensure_ascii=False).encode(errors="surrogatepass")
        size += wire_size(event) + 8 - (len(quoted) - 2)  # the eight quotes of the box are escaped
    return size


def check_size(
    event: PusherEvent, max_bytes: int = MAX_DATA_BYTES, max_request_bytes: int | None = None
) -> None:
    """Raise InvalidEventError if the service would refuse the event for its size.

    Args:
        event: The event.
        max_bytes: The limit for its data.
        max_request_bytes: The limit for the body of a request; None where there is none.
    """
    size = wire_size(event)
    if size > max_bytes:
        raise InvalidEventError(
            f"The data of {event.name!r} has {size:,} bytes; the limit is {max_bytes:,}."
        )
    if max_request_bytes and (size := request_size(event)) > max_request_bytes:
        raise InvalidEventError(
            f"A request with {event.name!r} has {size:,} bytes; the limit is {max_request_bytes:,}."
        )
