"""Bodies of the HTTP API as events. Pure.

https://pusher.com/docs/channels/library_auth_reference/rest-api/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.application import Limits
from pusher_dev_server.channels import ChannelKind
from pusher_dev_server.events import Event, check_event

USER_COUNT = "user_count"
SUBSCRIPTION_COUNT = "subscription_count"
CACHE = "cache"


class RequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        status: The HTTP status that says so.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def parse_event(body: bytes, limits: Limits) -> Event:
    """Return the event in a body of ``/events``, or raise RequestError."""
    value = _object(body)
    names = value.get("channels")
    if names is None:
        names = [value.get("channel")]
    if not isinstance(names, list) or not names:
        raise RequestError("channels must be a list of at least one channel name")
    if len(names) > limits.channels_per_event:
        raise RequestError(f"More than {limits.channels_per_event} channels")
    return _event(value, names, limits)


def parse_batch(body: bytes, limits: Limits) -> list[Event]:
    """Return the events in a body of ``/batch_events``, or raise RequestError."""
    items = _object(body).get("batch")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise RequestError("batch must be a list of events, each an object")
    if len(items) > limits.events_per_batch:
        raise RequestError(f"More than {limits.events_per_batch} events in a batch")
    return [_event(item, [item.get("channel")], limits) for item in items]


def parse_info(text: object, allowed: Iterable[str]) -> tuple[str, ...]:
    """Return the attributes that are asked for; raise RequestError for one that is not there."""
    if text is None or text == "":
        return ()
    if not isinstance(text, str):
        raise RequestError("info must be a text: names of attributes, with commas between")
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in allowed:
            raise RequestError(f"The attribute {name[:100]!r} is not available here")
    return names


def _event(value: dict[str, Any], names: list[Any], limits: Limits) -> Event:
    name, data, socket_id = value.get("name"), value.get("data"), value.get("socket_id")
    if not isinstance(name, str):
        raise RequestError("name must be a text")
    if not isinstance(data, str):
        raise RequestError("data must be a text: encode it as JSON first")
    if socket_id is not None and not isinstance(socket_id, str):
        raise RequestError("socket_id must be a text")
    if not all(isinstance(channel, str) for channel in names):
        raise RequestError("A channel name must be a text")
    channels = tuple(dict.fromkeys(names))
    info = parse_info(value.get("info"), (USER_COUNT, SUBSCRIPTION_COUNT))
    event = Event(channels=channels, name=name, data=data, socket_id=socket_id, info=info)
    try:
        check_event(event)
    except ValueError as error:
        raise RequestError(str(error)) from error
    if len(channels) > 1 and ChannelKind.ENCRYPTED in map(ChannelKind.of, channels):
        raise RequestError("An event for an encrypted channel can have no other channel")
    if protocol.size(data) > limits.event_data_bytes:
        raise RequestError(f"The data is larger than {limits.event_data_bytes} bytes", 413)
    return event


def _object(body: bytes) -> dict[str, Any]:
    try:
        return protocol.decode_object(body, "The body")
    except protocol.ProtocolError as error:
        raise RequestError(str(error)) from error
