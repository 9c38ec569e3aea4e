"""Channel names and their kinds. Pure.

https://pusher.com/docs/channels/using_channels/channels/#channel-naming-conventions
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

#: One user's own channel; only a connection signed in as that user may subscribe to it.
USER_CHANNEL_PREFIX = "#server-to-user-"

#: Characters in a name, prefix included.
MAX_NAME_LENGTH = 164

#: Matches a full name that clients may subscribe to.
is_valid_name: Callable[[str], object] = re.compile(
    rf"[-a-zA-Z0-9_=@,.;]{{1,{MAX_NAME_LENGTH}}}"
).fullmatch


class ChannelKind(str, Enum):
    """What a name's prefix promises; the value is the prefix."""

    # The longest prefix comes first: an encrypted channel's name also begins with "private-".
    ENCRYPTED = "private-encrypted-"
    PRIVATE = "private-"
    PRESENCE = "presence-"
    PUBLIC = ""

    @classmethod
    def of(cls, name: str) -> ChannelKind:
        """Return the kind of a full channel name."""
        return next(kind for kind in cls if name.startswith(kind.value))


def is_cache_channel(name: str) -> bool:
    """Say whether late subscribers of this channel are given its last event."""
    return name.startswith("cache-", len(ChannelKind.of(name).value))
