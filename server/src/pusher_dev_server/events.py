"""An event to publish, and what the protocol asks of one. Pure.

https://pusher.com/docs/channels/library_auth_reference/rest-api/#post-event-trigger-an-event
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pusher_dev_server.channels import MAX_NAME_LENGTH, USER_CHANNEL_PREFIX, is_valid_name

MAX_EVENT_NAME_LENGTH = 200

# [0-9] and not \d, which also matches the digits of other scripts.
_SOCKET_ID = re.compile(r"[0-9]{1,32}\.[0-9]{1,32}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What a publisher sends, and what it wants to know about the channels."""

    channels: tuple[str, ...]
    """Full names, without repetitions."""

    name: str

    data: str
    """A text, nearly always JSON, that subscribers get unchanged."""

    socket_id: str | None = None
    """The connection that is left out."""

    info: tuple[str, ...] = ()
    """Attributes of the channels that the answer shall have."""


def check_event(event: Event) -> None:
    """Raise ValueError if the protocol refuses the event, whatever its size."""
    for channel in event.channels:
        check_channel_name(channel)
    if not 0 < len(event.name) <= MAX_EVENT_NAME_LENGTH:
        raise ValueError(
            f"The event name has {len(event.name)} characters; 1 to {MAX_EVENT_NAME_LENGTH} are "
            "allowed"
        )
    if event.name.startswith(("pusher:", "pusher_internal:")):
        raise ValueError(f"The event name {event.name!r} is reserved for the service")
    if event.socket_id is not None and not _SOCKET_ID.fullmatch(event.socket_id):
        raise ValueError(f"{event.socket_id[:100]!r} is not the id of a connection")


def check_channel_name(name: str) -> None:
    """Raise ValueError for a name that cannot be published to."""
    # A user's own channel has a character that no other may have.
    if not is_valid_name(name.removeprefix(USER_CHANNEL_PREFIX)):
        raise ValueError(
            f"The channel name {name[:200]!r} is not allowed: use 1 to {MAX_NAME_LENGTH} of the "
            "letters a-z and A-Z, the digits and -_=@,.;"
        )
