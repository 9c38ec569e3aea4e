"""The shapes of webhooks.

https://pusher.com/docs/channels/server_api/webhooks/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rest_framework import serializers


class _Text(serializers.Field[str, Any, str, Any]):
    """A text as it is: not trimmed, and not made of something else."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not data:
            raise serializers.ValidationError("This is not a text, or is empty.")
        return data


class _Number(serializers.Field[int, Any, int, Any]):
    """A whole number from 0 that other systems can hold, as it is."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data < 2**63:
            raise serializers.ValidationError("This is not a whole number from 0 to 2**63.")
        return data


class _UserId(_Text):
    """The id of a user; some servers pass on the number that they were given."""

    def to_internal_value(self, data: Any) -> str:
        is_number = isinstance(data, int) and not isinstance(data, bool)
        return super().to_internal_value(str(data) if is_number else data)


class _Anything(serializers.Field[Any, Any, Any, Any]):
    """A text on Pusher's service; soketi passes on the client's own JSON."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class ChannelSerializer(serializers.Serializer[Any]):
    """``channel_occupied``, ``channel_vacated`` and ``cache_miss``."""

    channel = _Text()


class MemberSerializer(ChannelSerializer):
    """``member_added`` and ``member_removed``."""

    user_id = _UserId()


class SubscriptionCountSerializer(ChannelSerializer):
    """``subscription_count``."""

    subscription_count = _Number()


class ClientEventSerializer(ChannelSerializer):
    """``client_event``; a user is named on presence channels only."""

    event = _Text()
    # The metaclass takes it away from the property of this name.
    data = _Anything(required=False, allow_null=True, default=None)  # type: ignore[assignment]
    socket_id = _Text(required=False, allow_null=True, default=None)
    user_id = _UserId(required=False, allow_null=True, default=None)


EVENTS: dict[str, type[serializers.Serializer[Any]]] = {
    "channel_occupied": ChannelSerializer,
    "channel_vacated": ChannelSerializer,
    "member_added": MemberSerializer,
    "member_removed": MemberSerializer,
    "client_event": ClientEventSerializer,
    "cache_miss": ChannelSerializer,
    "subscription_count": SubscriptionCountSerializer,
}
"""The kinds of events; there may be others some day, which are passed over."""


class WebhookSerializer(serializers.Serializer[Any]):
    """The body of a webhook; an event of a known kind becomes its name and its other values."""

    time_ms = _Number()
    events = serializers.ListField(child=serializers.DictField(child=_Anything()))

    def validate_events(self, events: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
        """Check each event of a known kind."""
        return list(self._known(events))

    def _known(self, events: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        # One for each kind, and not for each event: of those there may be a thousand.
        shapes = {name: shape() for name, shape in EVENTS.items()}
        for event in events:
            name = event.get("name")
            if not isinstance(name, str):
                raise serializers.ValidationError("An event has no name.")
            if name in shapes:
                yield name, shapes[name].run_validation(event)


def parse_webhook(body: bytes) -> dict[str, Any]:
    """Return ``time_ms`` and ``events`` of a webhook.

    Raises:
        ValueError: It is not UTF-8, not JSON, or not of a webhook's shape.
    """
    try:
        # Not the json module's own guess, which would take UTF-16 as well.
        data = json.loads(body.decode())
    except RecursionError as error:
        raise ValueError("It is nested too deeply.") from error
    serializer = WebhookSerializer(data=data)
    if not serializer.is_valid():
        raise ValueError("It has not the shape of a webhook.")
    validated: dict[str, Any] = serializer.validated_data
    return validated
