"""The one retry policy of all deliveries: exponential back-off, jitter and ``Retry-After``."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import ProviderError


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How long to wait between two tries, and for how long to go on."""

    first_pause: float = 0.5
    """Seconds after the first failure, before jitter; each further failure doubles them."""

    longest_pause: float = 30.0
    """Seconds between two tries at most, before jitter."""

    longest_retry_after: float = 300.0
    """Seconds that a ``Retry-After`` header can make us wait at most."""

    def pause(self, failures: int, retry_after: float | None = None) -> float:
        """Return the seconds to wait after so many failures in a row, 1 or more.

        Args:
            failures: How many tries in a row have failed.
            retry_after: Seconds that the service asked for; the pause is not shorter.
        """
        pause = min(self.longest_pause, self.first_pause * 2.0 ** min(failures - 1, 10))
        pause *= random.uniform(0.5, 1.5)  # noqa: S311 - it spreads load, it hides nothing
        return max(pause, min(retry_after or 0.0, self.longest_retry_after))

    @property
    def max_age(self) -> float:
        """Seconds after which a failed event is given up; the outbox never gives up an outage."""
        return app_settings.DRF_MODEL_PUSHER_RETRY_SECONDS


#: The policy that all deliveries share.
RETRY_POLICY = RetryPolicy()


@dataclass(slots=True)
class Backoff:
    """The failures in a row of one provider, and when it is tried again."""

    failures: int = 0
    retry_at: float = 0.0
    """Seconds of the monotonic clock."""

    @property
    def is_waiting(self) -> bool:
        """Whether the pause after a failure is not over yet."""
        return time.monotonic() < self.retry_at

    def fail(self, error: ProviderError) -> float:
        """Count a failure; return the seconds to wait."""
        self.failures += 1
        pause = RETRY_POLICY.pause(self.failures, error.retry_after)
        self.retry_at = time.monotonic() + pause
        return pause

    def succeed(self) -> bool:
        """Forget all failures; return whether there were any."""
        failed = self.failures > 0
        self.failures, self.retry_at = 0, 0.0
        return failed
