"""What the HTTP API tells about channels. Pure."""

from __future__ import annotations

from typing import Any

from drf_model_pusher.channels import ChannelKind, is_cache_channel, is_valid_name
from drf_model_pusher.server.hub import Hub
from drf_model_pusher.server.requests import (
    CACHE,
    SUBSCRIPTION_COUNT,
    USER_COUNT,
    Publication,
    RequestError,
    parse_info,
)
from drf_model_pusher.server.users import USER_CHANNEL_PREFIX


def published(hub: Hub, publication: Publication) -> dict[str, dict[str, Any]]:
    """Return, by channel, the attributes that a publisher asked for and that its kind has."""
    if not publication.info:
        return {}
    return {name: _attributes(hub, name, publication.info) for name in publication.event.channels}


def channels(hub: Hub, prefix: str | None, info: str | None) -> dict[str, Any]:
    """Return the occupied channels whose names begin with a prefix."""
    allowed = [SUBSCRIPTION_COUNT]
    if prefix and prefix.startswith(ChannelKind.PRESENCE.value):
        allowed.append(USER_COUNT)
    wanted = parse_info(info, allowed)
    return {
        "channels": {
            name: _attributes(hub, name, wanted)
            for name in hub.channels
            if name.startswith(prefix or "")
        }
    }


def channel(hub: Hub, name: str, info: str | None, now: float) -> dict[str, Any]:
    """Return whether a channel is occupied, and what else is asked about it."""
    _check_name(name)
    allowed = [SUBSCRIPTION_COUNT]
    if ChannelKind.of(name) is ChannelKind.PRESENCE:
        allowed.append(USER_COUNT)
    if is_cache_channel(name):
        allowed.append(CACHE)
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


def _attributes(hub: Hub, name: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    found = hub.channels.get(name)
    attributes: dict[str, Any] = {}
    if USER_COUNT in wanted and ChannelKind.of(name) is ChannelKind.PRESENCE:
        attributes[USER_COUNT] = len(found.members) if found and found.members else 0
    if SUBSCRIPTION_COUNT in wanted:
        attributes[SUBSCRIPTION_COUNT] = len(found.subscribers) if found else 0
    return attributes


def _check_name(name: str) -> None:
    # One user's own channel has a character that no other may have.
    if not is_valid_name(name.removeprefix(USER_CHANNEL_PREFIX)):
        raise RequestError(f"Invalid channel name {name[:200]!r}")
