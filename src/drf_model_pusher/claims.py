"""Channels that an event must not leave on, since nobody asked about it there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.rules import ChannelRules


def claimed_by_others(
    backend: ChannelRules, names: Sequence[str], others: Iterable[ChannelRules]
) -> list[str]:
    """Return those of a backend's channels that only rules of other backends can grant.

    Whoever subscribes is asked about by every backend that understands the name. A backend that
    takes names from ``get_channels()`` or from a view, and has neither a template nor a
    ``match_channel()`` for them, is not: its subscribers would be other backends'. So its events
    do not leave there. On a channel that no backend understands they may leave: this package
    lets nobody into it.

    Args:
        backend: The backend whose event it is.
        names: Full names of the channels that it is to leave on.
        others: All other backends.
    """
    rivals = list(others)
    return [
        name
        for name in names
        if ChannelKind.of(name) is not ChannelKind.PUBLIC
        and not _understands(backend, name, broken=False)
        and any(_understands(each, name, broken=True) for each in rivals)
    ]


def _understands(backend: ChannelRules, name: str, *, broken: bool) -> bool:
    try:
        return bool(backend.readings(name))
    except Exception:  # noqa: BLE001 - of code that breaks down nobody knows what it would say
        return broken
