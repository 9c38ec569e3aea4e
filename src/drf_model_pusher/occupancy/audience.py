"""Which channels have subscribers, asked before an event is rendered and again before it leaves."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.occupancy.state import EXPECTED, STATE, is_tracked, occupancy_cache
from drf_model_pusher.occupancy.synchronizing import SYNCHRONIZED, covers, synchronize_once
from drf_model_pusher.providers.base import BaseProvider, is_default

logger = logging.getLogger("drf_model_pusher")


class Audience(NamedTuple):
    """What is left of an event's channels when those are taken out to which nobody listens."""

    channels: tuple[str, ...]
    """Channels that are occupied, or may be, in their order."""

    unsure: bool = False
    """Whether one of them only may be."""


def audience(channels: Sequence[str], provider: str | type[BaseProvider] | None = None) -> Audience:
    """Return which channels are worth an event, with at most one read of the cache for all.

    Args:
        channels: Full names.
        provider: Who will carry it; what is known holds for the provider of the settings alone.
    """
    everybody = Audience(tuple(channels))
    if not app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED:
        return everybody
    heard = _listening(everybody, provider)
    if not heard.channels:
        logger.debug("nobody listens channels=%d", len(channels))
    return heard


def _listening(everybody: Audience, provider: str | type[BaseProvider] | None) -> Audience:
    channels = everybody.channels
    tracked = [channel for channel in channels if is_tracked(channel)]
    if not tracked or not is_default(provider):
        return everybody
    keys = [SYNCHRONIZED]
    for channel in tracked:
        keys.append(STATE + channel)
        if ChannelKind.of(channel) is not ChannelKind.PUBLIC:
            keys.append(EXPECTED + channel)
    try:
        known = occupancy_cache().get_many(keys)
    except Exception as error:  # noqa: BLE001 - each cache has exceptions of its own
        logger.warning("occupancy unknown reason=cache error=%s", type(error).__name__)
        return everybody
    vacant, unsure = set(), False
    for channel in tracked:
        if known.get(STATE + channel) or EXPECTED + channel in known:
            continue
        if STATE + channel in known or covers(known.get(SYNCHRONIZED), channel):
            vacant.add(channel)
        else:
            unsure = True
    return Audience(tuple([channel for channel in channels if channel not in vacant]), unsure)


def settle(events: Sequence[PusherEvent]) -> list[PusherEvent | None]:
    """Ask again about events whose occupancy is unknown, now that they are about to leave.

    This may call Pusher: it belongs where waiting for Pusher is no harm. It never raises.

    Returns:
        For each event what is left of it; None where nobody listens.
    """
    unsure = {channel for event in events if event.occupancy_unknown for channel in event.channels}
    if not unsure:
        return list(events)
    synchronize_once(unsure)
    listening = set(_listening(Audience(channels=tuple(sorted(unsure))), None).channels)
    return [_narrow(event, listening) if event.occupancy_unknown else event for event in events]


def _narrow(event: PusherEvent, listening: set[str]) -> PusherEvent | None:
    channels = tuple(channel for channel in event.channels if channel in listening)
    if not channels:
        logger.debug("nobody listens channels=%d", len(event.channels))
        return None
    return replace(event, channels=channels, occupancy_unknown=False)
