"""What the HTTP API says about channels. Pure."""

from __future__ import annotations

from typing import Any

from pusher_dev_server.channels import ChannelKind, is_cache_channel
from pusher_dev_server.events import Event, check_channel_name
from pusher_dev_server.hub import Hub
from pusher_dev_server.requests import (
    CACHE,
    SUBSCRIPTION_COUNT,
    USER_COUNT,
    RequestError,
    parse_info,
)


def published(hub: Hub, event: Event) -> dict[str, dict[str, Any]]:
    """Return, by channel, the attributes that a publisher asked for and that its kind has."""
    if not event.info:
        return {}
    return {name: _attributes(hub, name, event.info) for name in event.channels}


def channels(hub: Hub, prefix: str | None, info: str | None) -> dict[str, Any]:
    """Return the occupied channels whose names begin with a prefix."""
    prefix = prefix or ""
    wanted = parse_info(info, _available(ChannelKind.of(prefix)))
    found = [name for name in hub.channels if name.startswith(prefix)]
    return {"channels": {name: _attributes(hub, name, wanted) for name in found}}


def channel(hub: Hub, name: str, info: str | None, now: float) -> dict[str, Any]:
    """Return whether a channel is occupied, and what else is asked about it."""
    _check_name(name)
    allowed = [*_available(ChannelKind.of(name)), *([CACHE] if is_cache_channel(name) else [])]
    wanted = parse_info(info, allowed)
    answer = {"occupied": name in hub.channels, **_attributes(hub, name, wanted)}
    cached = hub.cache.get(name, now) if CACHE in wanted else None
    if cached is not None:
        answer["cache"] = {"data": cached.data, "ttl": max(1, round(cached.expires - now))}
    return answer


def users(hub: Hub, name: str) -> dict[str, Any]:
    """Return the members of a presence channel."""
    _check_name(name)
    if ChannelKind.of(name) is not ChannelKind.PRESENCE:
        raise RequestError("Users can be retrieved for presence channels only")
    found = hub.channels.get(name)
    ids = found.members.ids if found and found.members else []
    return {"users": [{"id": user_id} for user_id in ids]}


def _available(kind: ChannelKind) -> list[str]:
    counts_users = kind is ChannelKind.PRESENCE
    return [SUBSCRIPTION_COUNT, USER_COUNT] if counts_users else [SUBSCRIPTION_COUNT]


def _attributes(hub: Hub, name: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    found = hub.channels.get(name)
    attributes: dict[str, Any] = {}
    if USER_COUNT in wanted and ChannelKind.of(name) is ChannelKind.PRESENCE:
        attributes[USER_COUNT] = len(found.members) if found and found.members else 0
    if SUBSCRIPTION_COUNT in wanted:
        attributes[SUBSCRIPTION_COUNT] = len(found.subscribers) if found else 0
    return attributes


def _check_name(name: str) -> None:
    try:
        check_channel_name(name)
    except ValueError as error:
        raise RequestError(str(error)) from error
