"""What may be asked of the HTTP API: bodies to events, and questions to answers. Pure.

https://pusher.com/docs/channels/library_auth_reference/rest-api/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.events import PusherEvent, check_event
from drf_model_pusher.exceptions import InvalidEventError
from drf_model_pusher.server import protocol
from drf_model_pusher.server.application import Limits

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """An event to publish, and what its publisher wants to know about its channels."""

    event: PusherEvent
    info: tuple[str, ...] = ()


def parse_event(body: bytes, limits: Limits) -> Publication:
    """Return what a body of ``/events`` asks for, or raise RequestError."""
    value = _object(body)
    names = value.get("channels")
    if names is None:
        names = [value.get("channel")]
    if not isinstance(names, list) or not names:
        raise RequestError("channels must be a list of at least one channel name")
    if len(names) > limits.channels_per_event:
        raise RequestError(f"More than {limits.channels_per_event} channels")
    return _publication(value, names, limits)


def parse_batch(body: bytes, limits: Limits) -> list[Publication]:
    """Return what a body of ``/batch_events`` asks for, or raise RequestError."""
    items = _object(body).get("batch")
    if not isinstance(items, list):
        raise RequestError("batch must be a list of events")
    if len(items) > limits.events_per_batch:
        raise RequestError(f"More than {limits.events_per_batch} events in a batch")
    publications = []
    for item in items:
        if not isinstance(item, dict):
            raise RequestError("An event in a batch must be an object")
        publications.append(_publication(item, [item.get("channel")], limits))
    return publications


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


def _publication(value: dict[str, Any], names: list[Any], limits: Limits) -> Publication:
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
    event = PusherEvent(channels=channels, name=name, data=data, socket_id=socket_id)
    try:
        check_event(event)
    except InvalidEventError as error:
        raise RequestError(str(error)) from error
    if len(channels) > 1 and ChannelKind.ENCRYPTED in map(ChannelKind.of, channels):
        raise RequestError("An event for an encrypted channel can have no other channel")
    if protocol.size(data) > limits.event_data_bytes:
        raise RequestError(f"The data is larger than {limits.event_data_bytes} bytes", 413)
    info = parse_info(value.get("info"), (USER_COUNT, SUBSCRIPTION_COUNT))
    return Publication(event=event, info=info)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = protocol.decode(body)
    except ValueError as error:
        raise RequestError("The body is not valid JSON") from error
    if not isinstance(value, dict):
        raise RequestError("The body is not a JSON object")
    return value
