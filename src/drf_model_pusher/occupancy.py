"""Which channels have subscribers: told by webhooks, synchronized with Pusher, kept in the cache.

What is known of a channel is ``True`` or ``False`` under ``drf-model-pusher:occupied:<channel>``. A
channel without an entry is vacant as long as the last synchronization counts, and unknown after it.
Whatever is unknown is sent: of two errors, an event for nobody is the cheap one.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.core.cache import BaseCache, caches

from drf_model_pusher.channels import ChannelKind, is_cache_channel, is_valid_name
from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ModelPusherException
from drf_model_pusher.providers.base import BaseProvider, get_provider, is_default
from drf_model_pusher.registry import registry

logger = logging.getLogger("drf_model_pusher")

#: Before a channel's name: whether it is occupied.
STATE = "drf-model-pusher:occupied:"
#: Before a channel's name: when that was so, in milliseconds of Pusher's clock.
TIME = "drf-model-pusher:occupied-at:"
#: Before a channel's name: somebody has just been authorized to subscribe.
EXPECTED = "drf-model-pusher:expected:"
#: The prefix of the channels that the last synchronization was about, as long as it counts.
SYNCHRONIZED = "drf-model-pusher:synchronized"

_SYNCHRONIZING = "drf-model-pusher:synchronizing"
_RECORDING = "drf-model-pusher:recording"

# Seconds: between two synchronizations when one fails; for which one that has just begun may run.
_PAUSE = 30
# Seconds: how long recording may take, and how long another process waits for its turn.
_RECORDING_LASTS, _TURN = 10, 2.0
# Seconds from an authorization until the subscription's webhook has come.
_ARRIVAL = 60
# Channels that are recorded in one turn.
_CHUNK = 1_000


class OccupancyError(ModelPusherException, RuntimeError):
    """What is known about channels could not be written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Audience:
    """What is left of an event's channels when those are taken out to which nobody listens."""

    channels: tuple[str, ...]
    """Channels that are occupied, or may be, in their order."""

    unsure: bool = False
    """Whether one of them only may be."""


def audience(channels: Sequence[str], provider: type[BaseProvider] | None = None) -> Audience:
    """Return which channels are worth an event, with one read of the cache however many there are.

    Args:
        channels: Full names.
        provider: Who will carry it; what is known holds for the provider of the settings alone.
    """
    everybody = Audience(channels=tuple(channels))
    if not app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED:
        return everybody
    tracked = [channel for channel in channels if _is_tracked(channel)]
    if not tracked or not is_default(provider):
        return everybody
    keys = [STATE + channel for channel in tracked]
    keys += [EXPECTED + channel for channel in tracked if ChannelKind.of(channel).value]
    try:
        known = _cache().get_many([SYNCHRONIZED, *keys])
    except Exception as error:  # noqa: BLE001 - each cache has exceptions of its own
        logger.warning("occupancy unknown reason=cache error=%s", type(error).__name__)
        return everybody
    silent = [
        channel
        for channel in tracked
        if not known.get(STATE + channel) and EXPECTED + channel not in known
    ]
    unknown = {
        channel
        for channel in silent
        if STATE + channel not in known and not _covers(known.get(SYNCHRONIZED), channel)
    }
    vacant = set(silent) - unknown
    left = tuple(channel for channel in channels if channel not in vacant)
    return Audience(channels=left, unsure=bool(unknown))


def settle(events: Sequence[PusherEvent]) -> list[PusherEvent | None]:
    """Ask again about events that are unsure, now that they are about to leave.

    This may call Pusher: it belongs where waiting for Pusher is no harm. It never raises.

    Returns:
        For each event what is left of it; None where nobody listens.
    """
    unsure = {channel for event in events if event.unsure for channel in event.channels}
    if not unsure:
        return list(events)
    _synchronize_once(unsure)
    listening = set(audience(sorted(unsure)).channels)
    return [_narrow(event, listening) if event.unsure else event for event in events]


def expect(channel: str) -> None:
    """Take a channel for occupied for a minute, since somebody may subscribe to it now.

    Between the subscription and its webhook nothing else is known of it. It never raises.
    """
    if app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED and _is_tracked(channel):
        try:
            _cache().set(EXPECTED + channel, True, timeout=_ARRIVAL)
        except Exception as error:  # noqa: BLE001 - each cache has exceptions of its own
            logger.warning("subscriber not expected reason=cache error=%s", type(error).__name__)


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
    names = [channel for channel in found if _is_tracked(channel)]
    for position in range(0, len(names), _CHUNK):
        chunk = names[position : position + _CHUNK]
        _write(dict.fromkeys(chunk, True), int(started * 1000), confirmed=True)
    # The entries first: with this one, channels that have none are vacant.
    age = app_settings.DRF_MODEL_PUSHER_OCCUPANCY_MAX_AGE - (time.time() - started)
    if age > 0:
        # Whole seconds: what Redis and Memcached count in.
        _cache().set(SYNCHRONIZED, prefix, timeout=math.ceil(age))
    return len(names)


def _synchronize_once(channels: Iterable[str]) -> None:
    """Synchronize, unless another process does or has just done so, or it failed a moment ago."""
    prefix = _common_prefix(channels)
    try:
        cache = _cache()
        if not cache.add(_SYNCHRONIZING, True, timeout=_PAUSE):
            return
        # It may have been done between our look at the channels and now.
        if all(_covers(cache.get(SYNCHRONIZED), channel) for channel in channels):
            cache.delete(_SYNCHRONIZING)
            return
        if synchronize(prefix) is not None:
            cache.delete(_SYNCHRONIZING)
        # Else the entry stays, so that nobody asks in vain for every event.
    except Exception as error:  # noqa: BLE001 - the cache's, the provider's: the event must leave
        logger.warning("synchronization failed error=%s", type(error).__name__)


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
    states = {channel: state for channel, state in states.items() if _is_tracked(channel)}
    if not states:
        return
    cache = _cache()
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


def _narrow(event: PusherEvent, listening: set[str]) -> PusherEvent | None:
    channels = tuple(channel for channel in event.channels if channel in listening)
    return replace(event, channels=channels, unsure=False) if channels else None


def _is_tracked(channel: str) -> bool:
    """Say whether an event is useless where nobody listens; cache channels keep the last one."""
    # A user's own channel, with a "#" in its name, is not valid here: no webhook tells of it.
    return is_valid_name(channel) and not is_cache_channel(channel)


def _covers(prefix: str | None, channel: str) -> bool:
    return prefix is not None and channel.startswith(prefix)


def _cache() -> BaseCache:
    return caches[app_settings.DRF_MODEL_PUSHER_CACHE]
