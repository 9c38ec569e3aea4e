"""Channel names: their kinds, their prefixes, what Pusher allows in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from inspect import ismethod
from typing import Any

from drf_model_pusher.exceptions import DeclarationError, InvalidEventError

#: Characters in a channel name, prefix included.
#: https://pusher.com/docs/channels/using_channels/channels/#channel-naming-conventions
MAX_CHANNEL_NAME_LENGTH = 164

#: Matches a full name that Pusher allows for a channel that clients subscribe to by name.
is_valid_name: Callable[[str], object] = re.compile(
    rf"[-a-zA-Z0-9_=@,.;]{{1,{MAX_CHANNEL_NAME_LENGTH}}}"
).fullmatch


class ChannelKind(str, Enum):
    """What a name's prefix promises; the value is the prefix."""

    PUBLIC = ""
    PRIVATE = "private-"
    ENCRYPTED = "private-encrypted-"
    PRESENCE = "presence-"

    @classmethod
    def of(cls, name: str) -> ChannelKind:
        """Return the kind of a full channel name."""
        return _KINDS[_PREFIX.match(name)[0]]  # type: ignore[index] # at least the empty prefix


# The longer prefix first: an encrypted channel's name also begins with "private-".
_KINDS: dict[str, ChannelKind] = {
    kind.value: kind for kind in sorted(ChannelKind, key=lambda kind: -len(kind.value))
}
_PREFIX = re.compile("|".join(_KINDS))
_CACHE = re.compile(f"(?:{_PREFIX.pattern})cache-")


def is_cache_channel(name: str) -> bool:
    """Say whether late subscribers of this channel are given its last event."""
    return _CACHE.match(name) is not None


def check_name(name: object) -> None:
    """Raise InvalidEventError, with the rule that is broken, for a name that Pusher refuses."""
    if not isinstance(name, str):
        raise InvalidEventError(f"A channel name is a str, not {name!r}.")
    if len(name) > MAX_CHANNEL_NAME_LENGTH:
        raise InvalidEventError(
            f"The channel name {name[:40]!r}… has {len(name)} characters; "
            f"Pusher allows {MAX_CHANNEL_NAME_LENGTH}, prefix included."
        )
    if not is_valid_name(name):
        raise InvalidEventError(
            f"The channel name {name!r} is not allowed by Pusher: use at least one of the letters "
            "a-z and A-Z, the digits and -_=@,.; and nothing else."
        )


def full_name(name: str, prefix: str, *, cache: bool = False) -> str:
    """Return the name with its prefix and, if ``cache``, the infix of cache channels behind it."""
    rest = name.removeprefix(prefix)
    return prefix + ("cache-" if cache and not rest.startswith("cache-") else "") + rest


# What most give stands first: Python must ask about the last.
_COLLECTIONS = (list, tuple, Iterable)


def as_names(channels: str | Iterable[str], source: Callable[..., object]) -> list[str]:
    """Return channel names as a list without repetitions, in their order; a str is one name.

    Args:
        channels: What somebody has declared; at run time that may be anything.
        source: Who has, for the error.

    Raises:
        DeclarationError: They are no names.
    """
    if isinstance(channels, str):
        return [channels]
    given: Any = channels
    names = list(given) if isinstance(given, _COLLECTIONS) else [given]
    for name in names:
        if not isinstance(name, str):
            owner = f"{type(source.__self__).__qualname__}." if ismethod(source) else ""
            raise DeclarationError(
                f"{owner}{getattr(source, '__name__', source)}() gave {given!r:.200} for channels; "
                "a list of names is wanted, each a str."
            )
    return names if len(names) < 2 else list(dict.fromkeys(names))
