"""The shapes of authorization requests, as pusher-js and its plugin pusher-js-auth send them."""

from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from drf_model_pusher.channels import is_valid_name
from drf_model_pusher.events import is_valid_socket_id

#: Channels in one request; a page that needs more sends another.
MAX_CHANNELS = 100

#: Bytes of a request's body: so many names in a form take half of it.
MAX_BODY = 128 * 1024

_MAX_SOCKET_ID_LENGTH = 100

#: "channel_name[0]", as the plugin numbers them, and "channel_name[]".
_BRACKETS = re.compile(r"\Achannel_name\[[0-9]{0,6}\]\Z")


class SocketIdField(serializers.Field[str, Any, str, Any]):
    """The id of a connection. It is signed: nothing but digits and one dot may pass."""

    def to_internal_value(self, data: Any) -> str:
        """Return the id as it is."""
        if not (
            isinstance(data, str)
            and len(data) <= _MAX_SOCKET_ID_LENGTH
            and is_valid_socket_id(data)
        ):
            raise serializers.ValidationError("This is not the id of a connection.")
        return data


class ChannelNamesField(serializers.Field["str | list[str]", Any, Any, Any]):
    """One channel's name as text, or several as a list."""

    def get_value(self, dictionary: Any) -> Any:
        """Return one name, or a list for repeated or bracketed keys of a form."""
        if not hasattr(dictionary, "getlist"):
            return dictionary.get("channel_name", serializers.empty)
        names = [
            name for key in dictionary if _BRACKETS.match(key) for name in dictionary.getlist(key)
        ]
        plain = dictionary.getlist("channel_name")
        if len(plain) == 1 and not names:
            return plain[0]
        return plain + names or serializers.empty

    def to_internal_value(self, data: Any) -> str | list[str]:
        """Return one name as it is, or of several those that can be names."""
        names: list[Any] = data if isinstance(data, list) else [data]
        if not names or not all(isinstance(name, str) for name in names):
            raise serializers.ValidationError("This is not the name of a channel, nor several.")
        if len(names) > MAX_CHANNELS:
            raise serializers.ValidationError(f"These are more than {MAX_CHANNELS} channels.")
        if isinstance(data, str):
            return data
        # What can be no channel's name stays out of the answer, which is read as a refusal.
        return [name for name in dict.fromkeys(names) if is_valid_name(name)]


class SignInSerializer(serializers.Serializer[Any]):
    """The body of a request to sign in."""

    socket_id = SocketIdField()


class AuthorizationSerializer(SignInSerializer):
    """The body of a request for channels."""

    channel_name = ChannelNamesField()
