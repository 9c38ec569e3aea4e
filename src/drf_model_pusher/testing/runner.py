"""For ``manage.py test``: the memory provider stands in for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.test.runner import DiscoverRunner, ParallelTestSuite

from drf_model_pusher.providers.base import STAND_IN
from drf_model_pusher.testing.stand_in import stand_in

if TYPE_CHECKING:
    # What the mixin is mixed into: for type checkers only.
    _Runner = DiscoverRunner
else:
    _Runner = object


def _stand_in_for_good() -> None:
    settings.DRF_MODEL_PUSHER_PROVIDER = STAND_IN


class _ParallelTestSuite(ParallelTestSuite):
    # Processes that are not forked read the settings anew.
    process_setup = _stand_in_for_good


class PusherTestRunnerMixin(_Runner):
    """Stands before another runner: ``class Runner(PusherTestRunnerMixin, OtherRunner)``."""

    parallel_test_suite = _ParallelTestSuite

    def setup_test_environment(self, **kwargs: Any) -> None:
        """Let the stand-in take over, as Django's own memory takes over for mail."""
        super().setup_test_environment(**kwargs)
        self._stand_in = stand_in()
        self._stand_in.enable()

    def teardown_test_environment(self, **kwargs: Any) -> None:
        """Put the settings back."""
        self._stand_in.disable()
        super().teardown_test_environment(**kwargs)


class PusherTestRunner(PusherTestRunnerMixin, DiscoverRunner):
    """Django's runner, with no way to Pusher: ``TEST_RUNNER = "….testing.PusherTestRunner"``."""
