"""What is known of channels, kept in Django's cache.

A channel's entry is ``True`` or ``False`` under ``drf-model-pusher:occupied:<channel>``. A channel
without one is vacant as long as the last synchronization counts, and unknown after it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.core.cache import BaseCache, caches

from drf_model_pusher.channels import is_cache_channel, is_valid_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import ModelPusherException

logger = logging.getLogger("drf_model_pusher")

#: Before a channel's name: whether it is occupied.
STATE = "drf-model-pusher:occupied:"
#: Before a channel's name: when that was so, in milliseconds of Pusher's clock.
TIME = "drf-model-pusher:occupied-at:"
#: Before a channel's name: somebody has just been authorized to subscribe. It is no state, which a
#: webhook of somebody who leaves could override, and which it could cut short itself.
EXPECTED = "drf-model-pusher:expected:"

_RECORDING = "drf-model-pusher:recording"

# Seconds: how long recording may take, and how long another process waits for its turn.
_RECORDING_LASTS, _TURN = 10, 2.0
# Seconds from an authorization until the subscription's webhook has come.
_ARRIVAL = 60


class OccupancyError(ModelPusherException, RuntimeError):
    """What is known about channels could not be written."""


def record(states: Mapping[str, bool], time_ms: int, *, confirmed: bool = False) -> None:
    """Remember which channels are occupied or vacant, unless something newer is known already.

    Args:
        states: Whether each channel is occupied.
        time_ms: When Pusher saw it, in milliseconds since 1970. Of two states of one millisecond
            "occupied" is believed.
        confirmed: Believe them whatever is known.

    Raises:
        OccupancyError: Other processes did not let this one write, or the cache lost an entry.
    """
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
            if channels:
                _put(cache, occupied, channels)


def expect(channel: str) -> None:
    """Take a channel for occupied for a minute, since somebody may subscribe to it now.

    Between the subscription and its webhook nothing else is known of it. It never raises.
    """
    if app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED and is_tracked(channel):
        try:
            occupancy_cache().set(EXPECTED + channel, True, _ARRIVAL)
        except Exception as error:  # noqa: BLE001 - each cache has exceptions of its own
            logger.warning("subscriber not expected reason=cache error=%s", type(error).__name__)


def is_tracked(channel: str) -> bool:
    """Say whether an event is useless where nobody listens; cache channels keep the last one."""
    # A user's own channel, with a "#" in its name, is not valid here: no webhook tells of it.
    return bool(is_valid_name(channel)) and not is_cache_channel(channel)


def occupancy_cache() -> BaseCache:
    """Return the cache of the settings."""
    return caches[app_settings.DRF_MODEL_PUSHER_CACHE]


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
