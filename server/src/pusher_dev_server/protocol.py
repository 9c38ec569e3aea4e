"""The frames of the Pusher Channels protocol: what is said, and how it is encoded. Pure.

https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

#: From 5 on clients answer pings; from 6 on they read the close code.
VERSIONS = frozenset({"5", "6", "7"})

_LIBRARY_VERSION = re.compile(r"\A[0-9]+(\.[0-9]+)*([-+.][-+.0-9A-Za-z]*)?\Z")


class CloseCode(IntEnum):
    """Why a connection ends; the hundreds tell a client whether and when to come back."""

    APP_NOT_FOUND = 4001
    APP_DISABLED = 4003
    OVER_QUOTA = 4004
    PATH_NOT_FOUND = 4005
    INVALID_VERSION = 4006
    UNSUPPORTED_PROTOCOL = 4007
    NO_PROTOCOL = 4008
    UNAUTHORIZED = 4009
    RECONNECT = 4200
    NO_PONG = 4201


#: Codes that are sent in ``pusher:error`` on a connection that stays open.
CLIENT_EVENT_REJECTED = 4301
WATCHLIST_TOO_LONG = 4302


class ProtocolError(Exception):
    """A client's frame that cannot be followed: it is told so, and stays connected.

    Attributes:
        code: The protocol's number, or None where the protocol has none.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """A connection that is not taken, with the code to close it with."""

    def __init__(self, code: CloseCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One message of a client."""

    event: str
    data: Any
    channel: str | None


def check_versions(parameters: Mapping[str, str]) -> None:
    """Raise Refused unless the query of the socket's address names versions that are spoken here.

    A missing library version is let through: only the protocol's version changes what is said.
    """
    protocol = parameters.get("protocol")
    if protocol is None:
        raise Refused(CloseCode.NO_PROTOCOL, "No protocol version supplied")
    if protocol not in VERSIONS:
        raise Refused(CloseCode.UNSUPPORTED_PROTOCOL, "Unsupported protocol version")
    if not _LIBRARY_VERSION.match(parameters.get("version", "0")):
        raise Refused(CloseCode.INVALID_VERSION, "Invalid version string format")


def decode(text: str | bytes) -> Any:
    """Return the value of a JSON text, more strictly than ``json.loads``.

    Raises:
        ValueError: It is not JSON in UTF-8, is nested too deeply, or has a number that JSON cannot
            carry on.
    """
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def decode_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in a text; raise ProtocolError, which names the text, if none."""
    try:
        value = decode(text)
    except ValueError as error:
        raise ProtocolError(f"{what} is not valid JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError(f"{what} is not a JSON object")
    return value


def encode(value: Any) -> str:
    """Return compact JSON that can always be sent as UTF-8."""
    text = _ENCODER.encode(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            # A lone surrogate: legal in JSON as an escape, impossible in UTF-8.
            return json.dumps(value, separators=(",", ":"))
    return text


def size(text: str) -> int:
    """Return the bytes of UTF-8 in a text, where a lone surrogate counts as three."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def parse_frame(text: str, max_bytes: int) -> Frame:
    """Return the frame in a text message; raise ProtocolError if there is none."""
    if len(text) > max_bytes or size(text) > max_bytes:
        raise ProtocolError(f"Message is larger than {max_bytes} bytes")
    value = decode_object(text, "Message")
    event, channel = value.get("event"), value.get("channel")
    if not isinstance(event, str):
        raise ProtocolError("Message has no event name")
    if channel is not None and not isinstance(channel, str):
        raise ProtocolError("Channel name is not a string")
    return Frame(event=event, data=value.get("data"), channel=channel)


def connection_established(socket_id: str, activity_timeout: float) -> str:
    """Return the first frame; the time-out is whole seconds, and never 0: pusher-js refuses it."""
    data = {"socket_id": socket_id, "activity_timeout": max(1, round(activity_timeout))}
    return _frame("pusher:connection_established", encode(data))


def event_head(name: str, data: str) -> str:
    """Return the part of an event's frames that is the same for all its channels.

    The data stays exactly the text that was published.
    """
    return encode({"event": name, "data": data})[:-1]


def event_frame(head: str, channel: str) -> str:
    """Return an event as the subscribers of one channel get it."""
    return f'{head},"channel":{encode(channel)}}}'


def client_event(channel: str, frame: Frame, user_id: str | None) -> str:
    """Return a client's event as the other subscribers get it."""
    message: dict[str, Any] = {"event": frame.event, "channel": channel}
    if frame.data is not None:
        message["data"] = as_text(frame.data)
    if user_id is not None:
        message["user_id"] = user_id
    return encode(message)


def as_text(data: Any) -> str:
    """Return data as it travels inside a frame: text as it is, all else as JSON text."""
    return data if isinstance(data, str) else encode(data)


def subscription_succeeded(channel: str, data: Any) -> str:
    """Return the answer to a subscription; data is the presence list, or empty."""
    return _frame("pusher_internal:subscription_succeeded", encode(data), channel)


def member_added(channel: str, user_id: str, user_info: Any) -> str:
    """Return the news that a user's first connection has joined."""
    data = {"user_id": user_id}
    if user_info is not None:
        data["user_info"] = user_info
    return _frame("pusher_internal:member_added", encode(data), channel)


def member_removed(channel: str, user_id: str) -> str:
    """Return the news that a user's last connection has gone."""
    return _frame("pusher_internal:member_removed", encode({"user_id": user_id}), channel)


def subscription_count(channel: str, count: int) -> str:
    """Return the number of a channel's subscribers."""
    data = encode({"subscription_count": count})
    return _frame("pusher_internal:subscription_count", data, channel)


def cache_miss(channel: str) -> str:
    """Return the news that a cache channel has no last event."""
    return encode({"event": "pusher:cache_miss", "channel": channel})


def signin_success(user_data: str) -> str:
    """Return the answer to a sign-in."""
    return _frame("pusher:signin_success", {"user_data": user_data})


def watchlist_events(online: list[str], offline: list[str]) -> str:
    """Return who of a watchlist is there, and who is not; an empty list is left out."""
    events = [
        {"name": name, "user_ids": ids}
        for name, ids in (("online", online), ("offline", offline))
        if ids
    ]
    return _frame("pusher_internal:watchlist_events", encode({"events": events}))


def error(message: str, code: int | None = None) -> str:
    """Return an error; unlike other data from the server it is an object, not a text."""
    return _frame("pusher:error", {"code": code, "message": message})


PING = '{"event":"pusher:ping","data":{}}'
PONG = '{"event":"pusher:pong","data":{}}'


def _frame(name: str, data: Any, channel: str | None = None) -> str:
    message = {"event": name, "data": data}
    if channel is not None:
        message["channel"] = channel
    return encode(message)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


# Made once: for each call, json.dumps() makes an encoder, which takes longer than most encodings.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
