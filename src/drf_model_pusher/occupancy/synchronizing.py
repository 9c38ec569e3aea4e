"""Asking Pusher which channels are occupied: once for all processes and all unknown channels."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection

from drf_model_pusher.conf import app_settings
from drf_model_pusher.occupancy.state import is_tracked, occupancy_cache, record
from drf_model_pusher.providers.base import get_provider
from drf_model_pusher.registry import registry

logger = logging.getLogger("drf_model_pusher")

#: The prefix of the channels that the last synchronization was about, as long as it counts.
SYNCHRONIZED = "drf-model-pusher:synchronized"

_SYNCHRONIZING = "drf-model-pusher:synchronizing"

# Seconds: between two synchronizations when one fails; for which one that has just begun may run.
_PAUSE = 30
# Channels that are recorded in one turn.
_CHUNK = 1_000


def synchronize(prefix: str = "") -> int | None:
    """Ask Pusher which channels are occupied; those that it does not name are vacant from now on.

    Args:
        prefix: Only channels whose names begin with it.

    Returns:
        How many are occupied; None from a provider that cannot tell.

    Raises:
        ProviderError: Pusher could not be asked.
        OccupancyError: The answer could not be written.
    """
    # What counts is the moment of the question: webhooks of anything later are newer.
    started_ms, started = int(time.time() * 1000), time.monotonic()
    found = get_provider().occupied_channels(prefix)
    if found is None:
        return None
    names = [channel for channel in found if is_tracked(channel)]
    for position in range(0, len(names), _CHUNK):
        chunk = names[position : position + _CHUNK]
        record(dict.fromkeys(chunk, True), started_ms, confirmed=True)
    # The entries first: with this one, channels that have none are vacant.
    age = app_settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE - (time.monotonic() - started)
    if age > 0:
        # Whole seconds: what Redis and Memcached count in.
        occupancy_cache().set(SYNCHRONIZED, prefix, math.ceil(age))
    return len(names)


def synchronize_once(channels: Collection[str]) -> None:
    """Synchronize, unless another process does or has just done so, or it failed a moment ago.

    It never raises.

    Args:
        channels: The full names that are to be known then.
    """
    prefix = _common_prefix(channels)
    try:
        cache = occupancy_cache()
        if not cache.add(_SYNCHRONIZING, True, timeout=_PAUSE):
            return
        # It may have been done between our look at the channels and now.
        if all(covers(cache.get(SYNCHRONIZED), channel) for channel in channels):
            cache.delete(_SYNCHRONIZING)
            return
        if synchronize(prefix) is not None:
            cache.delete(_SYNCHRONIZING)
        # Else the entry stays, so that nobody asks in vain for every event.
    except Exception as error:  # noqa: BLE001 - the cache's, the provider's: the event must leave
        logger.warning("synchronization failed error=%s", type(error).__name__)


def covers(prefix: str | None, channel: str) -> bool:
    """Say whether a synchronization about names with this prefix, or none at all, was about it."""
    return prefix is not None and channel.startswith(prefix)


def _common_prefix(channels: Collection[str]) -> str:
    """Return what the names of all channels that may be asked about begin with.

    Pusher may have many more channels than a project pushes to, and filters by prefix only.
    """
    prefixes: set[str] = {backend.channel_prefix for backend in registry}
    if len(prefixes) == 1 and all(channel.startswith(tuple(prefixes)) for channel in channels):
        return prefixes.pop()
    return ""
