"""What is known of channels: told by webhooks, synchronized with Pusher, kept in Django's cache.

A channel's entry is ``True`` or ``False`` under ``drf-model-pusher:occupied:<channel>``. A channel
without one is vacant as long as the last synchronization counts, and unknown after it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from django.core.cache import BaseCache, caches

from drf_model_pusher.channels import is_cache_channel, is_valid_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import ModelPusherException
from drf_model_pusher.providers.base import get_provider
from drf_model_pusher.registry import registry

logger = logging.getLogger("drf_model_pusher")

#: Before a channel's name: whether it is occupied.
STATE = "drf-model-pusher:occupied:"
#: Before a channel's name: when that was so, in milliseconds of Pusher's clock.
TIME = "drf-model-pusher:occupied-at:"
#: The prefix of the channels that the last synchronization was about, as long as it counts.
SYNCHRONIZED = "drf-model-pusher:synchronized"

_SYNCHRONIZING = "drf-model-pusher:synchronizing"
_RECORDING = "drf-model-pusher:recording"

# Seconds: between two synchronizations when one fails; for which one that has just begun may run.
_PAUSE = 30
# Seconds: how long recording may take, and how long another process waits for its turn.
_RECORDING_LASTS, _TURN = 10, 2.0
# Channels that are recorded in one turn.
_CHUNK = 1_000


class OccupancyError(ModelPusherException, RuntimeError):
    """What is known about channels could not be written."""


def record(states: Mapping[str, bool], time_ms: int) -> None:
    """Remember which channels are occupied or vacant, unless something newer is known already.

    Args:
        states: Whether each channel is occupied.
        time_ms: When Pusher saw it, in milliseconds since 1970. Of two states of one millisecond
            "occupied" is believed.

    Raises:
        OccupancyError: Other processes did not let this one write, or the cache lost an entry.
    """
    _write(states, time_ms)


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
    started = time.time()
    found = get_provider().occupied_channels(prefix)
    if found is None:
        return None
    names = [channel for channel in found if is_tracked(channel)]
    for position in range(0, len(names), _CHUNK):
        chunk = names[position : position + _CHUNK]
        _write(dict.fromkeys(chunk, True), int(started * 1000), confirmed=True)
    # The entries first: with this one, channels that have none are vacant.
    age = app_settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE - (time.time() - started)
    if age > 0:
        # Whole seconds: what Redis and Memcached count in.
        occupancy_cache().set(SYNCHRONIZED, prefix, timeout=math.ceil(age))
    return len(names)


def synchronize_once(channels: Iterable[str]) -> None:
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


def is_tracked(channel: str) -> bool:
    """Say whether an event is useless where nobody listens; cache channels keep the last one."""
    # A user's own channel, with a "#" in its name, is not valid here: no webhook tells of it.
    return bool(is_valid_name(channel)) and not is_cache_channel(channel)


def covers(prefix: str | None, channel: str) -> bool:
    """Say whether a synchronization about names with this prefix, or none at all, was about it."""
    return prefix is not None and channel.startswith(prefix)


def occupancy_cache() -> BaseCache:
    """Return the cache of the settings."""
    return caches[app_settings.DRF_MODEL_PUSHER_CACHE]


def _common_prefix(channels: Iterable[str]) -> str:
    """Return what the names of all channels that may be asked about begin with.

    Pusher may have many more channels than a project pushes to, and filters by prefix only.
    """
    prefixes = {backend.channel_prefix for backend in registry}
    if len(prefixes) == 1 and all(channel.startswith(tuple(prefixes)) for channel in channels):
        return prefixes.pop()
    return ""


def _write(states: Mapping[str, bool], time_ms: int, *, confirmed: bool = False) -> None:
    """Write states that are newer than what is there; confirmed ones are always believed."""
    states = {channel: state for channel, state in states.items() if is_tracked(channel)}
    if not states:
        return
    cache = occupancy_cache()
    with _turn(cache):
        times = cache.get_many([TIME + channel for channel in states])
        news: dict[bool, dict[str, int]] = {True: {}, False: {}}
        for channel, occupied in states.items():
            known = times.get(TIME + channel, -1)
            # In doubt it is occupied.
            if confirmed or time_ms > known or (time_ms == known and occupied):
                news[occupied][channel] = max(known, time_ms)
        for occupied, channels in news.items():
            _put(cache, occupied, channels)


def _put(cache: BaseCache, occupied: bool, times: Mapping[str, int]) -> None:
    age = app_settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE
    # An occupied channel must be remembered beyond the synchronization that may not know of it
    # yet, and through the next one: that may see it in the moment in which its page reloads.
    lasts = 2 * age + 60 if occupied else age
    # Times outlive every webhook that may still come late.
    memory = max(lasts, 2 * app_settings.DRF_MODEL_PUSHER_WEBHOOK_MAX_AGE)
    lost = [
        *cache.set_many({TIME + channel: at for channel, at in times.items()}, memory),
        *cache.set_many({STATE + channel: occupied for channel in times}, lasts),
    ]
    if lost:
        raise OccupancyError(f"The cache did not take {len(lost)} entries.")


@contextmanager
def _turn(cache: BaseCache) -> Iterator[None]:
    """Let one process at a time compare and write: the cache has no operation that does both."""
    deadline = time.monotonic() + _TURN
    while not cache.add(_RECORDING, True, timeout=_RECORDING_LASTS):
        if time.monotonic() > deadline:
            raise OccupancyError("Another process has been writing for too long.")
        time.sleep(0.002)
    try:
        yield
    finally:
        cache.delete(_RECORDING)
