"""What tests of a project say about its events, in a line.

For pytest the package's plugin adds the fixtures ``pusher_events`` and ``pusher_server``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_model_pusher.testing.asserts import assert_nothing_pushed, assert_pushed
from drf_model_pusher.testing.capture import CapturedEvents, RecordingDelivery, capture_events
from drf_model_pusher.testing.readers import (
    assert_may_not_subscribe,
    assert_may_subscribe,
    assert_push_equals_get,
)
from drf_model_pusher.testing.stand_in import StandInProvider, stand_in

if TYPE_CHECKING:
    from drf_model_pusher.contracts import Arrival, DeliveryContract, ProviderContract
    from drf_model_pusher.testing.runner import PusherTestRunner, PusherTestRunnerMixin

__all__ = [
    "Arrival",
    "CapturedEvents",
    "DeliveryContract",
    "ProviderContract",
    "PusherTestRunner",
    "PusherTestRunnerMixin",
    "RecordingDelivery",
    "StandInProvider",
    "assert_may_not_subscribe",
    "assert_may_subscribe",
    "assert_nothing_pushed",
    "assert_push_equals_get",
    "assert_pushed",
    "capture_events",
    "stand_in",
]

# What not every test needs is imported when it is asked for.
_ELSEWHERE = {
    "Arrival": "drf_model_pusher.contracts",
    "DeliveryContract": "drf_model_pusher.contracts",
    "ProviderContract": "drf_model_pusher.contracts",
    "PusherTestRunner": "drf_model_pusher.testing.runner",
    "PusherTestRunnerMixin": "drf_model_pusher.testing.runner",
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        from importlib import import_module

        return getattr(import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
