"""``manage.py pusher_channels``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import ModelPusherException, ProviderError
from drf_model_pusher.occupancy.state import STATE, occupancy_cache
from drf_model_pusher.occupancy.synchronizing import synchronize
from drf_model_pusher.providers import BaseProvider, get_provider

_USERS, _SUBSCRIPTIONS = "user_count", "subscription_count"
_HEADINGS = {
    "channel": "CHANNEL",
    _USERS: "USERS",
    _SUBSCRIPTIONS: "SUBSCRIPTIONS",
    "cache": "CACHE",
}
_CANNOT_TELL = "The provider cannot tell which channels are occupied."


class Command(BaseCommand):
    """Asks Pusher; and compares with what the cache remembers, where that is used."""

    help = "Show which channels are occupied, and by how many."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--prefix", default="", help="only channels whose names begin so")
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        parser.add_argument(
            "--sync",
            action="store_true",
            help="let the cache know first, as the optimisation for occupied channels does",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, and print."""
        try:
            if options["sync"] and _synchronize() is None:
                raise CommandError(_CANNOT_TELL)
            channels = _ask(get_provider(), options["prefix"])
            if app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED:
                _add_remembered(channels)
        except ModelPusherException as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(channels, indent=2))
        else:
            self._table(channels)

    def _table(self, channels: Mapping[str, Mapping[str, Any]]) -> None:
        if not channels:
            self.stdout.write("No channel is occupied.")
            return
        known = {key for info in channels.values() for key in info}
        columns = [key for key in _HEADINGS if key == "channel" or key in known]
        rows = [[_HEADINGS[key] for key in columns]]
        for name, info in channels.items():
            rows.append([name, *(str(info.get(key, "-")) for key in columns[1:])])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
            self.stdout.write("  ".join(cells).rstrip())


def _ask(provider: BaseProvider, prefix: str) -> dict[str, dict[str, Any]]:
    """Return the occupied channels by name, with what is known about each."""
    try:
        names = provider.occupied_channels(prefix, [_SUBSCRIPTIONS])
    except ProviderError as error:
        # An option of the app: without it the service refuses the question.
        if error.status != 400:
            raise
        names = provider.occupied_channels(prefix)
    if names is None:
        raise CommandError(_CANNOT_TELL)
    found = {name: _counts(names[name]) for name in sorted(names)}
    presence = ChannelKind.PRESENCE.value
    # Users are counted on presence channels, and only if none but those are asked for.
    users_of = prefix if prefix.startswith(presence) else presence
    if any(name.startswith(users_of) for name in found):
        for name, info in (provider.occupied_channels(users_of, [_USERS]) or {}).items():
            found.setdefault(name, {}).update(_counts(info))
    return found


@contextmanager
def _cache_needed() -> Iterator[None]:
    try:
        yield
    except ModelPusherException:
        raise
    except Exception as error:  # each cache has exceptions of its own
        alias = app_settings.DRF_MODEL_PUSHER_CACHE
        raise CommandError(f"The cache {alias!r} cannot be used: {error}") from error


@_cache_needed()
def _synchronize() -> int | None:
    return synchronize()


@_cache_needed()
def _add_remembered(found: dict[str, dict[str, Any]]) -> None:
    """Add what the cache has about channels that are occupied."""
    states = occupancy_cache().get_many([STATE + name for name in found])
    words = {True: "occupied", False: "vacant", None: "unknown"}
    for name, info in found.items():
        info["cache"] = words[states.get(STATE + name)]


def _counts(info: Mapping[str, Any]) -> dict[str, Any]:
    return {key: info[key] for key in (_USERS, _SUBSCRIPTIONS) if key in info}
