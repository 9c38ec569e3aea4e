"""The memory provider in the place of all others, so that no test talks to Pusher by accident."""

from __future__ import annotations

from django.test import override_settings

from drf_model_pusher.providers import MemoryProvider
from drf_model_pusher.providers.base import STAND_IN


class StandInProvider(MemoryProvider):
    """The memory provider, which is also given the events of backends with a ``provider_class``.

    It stands in while it is the provider of the settings. A test that sets
    ``DRF_MODEL_PUSHER_PROVIDER`` to another has that one, and those of its backends.
    """


def stand_in() -> override_settings:
    """Return what lets the stand-in take over: a context manager, decorator, or ``enable()``."""
    return override_settings(DRF_MODEL_PUSHER_PROVIDER=STAND_IN)


_for_the_run = stand_in()


def begin_test() -> None:
    """Let the stand-in take over, unless it has; forget what earlier tests have pushed."""
    if not hasattr(_for_the_run, "wrapped"):
        _for_the_run.enable()
    MemoryProvider.events.clear()
    MemoryProvider.terminated.clear()


def end_run() -> None:
    """Put the settings back."""
    if hasattr(_for_the_run, "wrapped"):
        _for_the_run.disable()
