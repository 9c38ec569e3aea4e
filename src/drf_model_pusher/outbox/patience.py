"""How a relay bears with a provider that fails, and with an event that does. No database."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from drf_model_pusher.delivery.rounds import pause_after
from drf_model_pusher.delivery.sending import Setback
from drf_model_pusher.exceptions import ProviderError

logger = logging.getLogger("drf_model_pusher")

# Refusals that are about what an event says; the others are about all that we send.
_ABOUT_THE_EVENT = (None, 400, 413, 422)


def is_about_the_event(setback: Setback) -> bool:
    """Say whether a failure is the fault of the event: another one may well be taken."""
    error = setback.error
    # Without a provider there is nobody who could have found fault with it.
    return (
        not error.retryable
        and error.status in _ABOUT_THE_EVENT
        and not isinstance(setback.provider, ProviderError)
    )


@dataclass(slots=True)
class Patience:
    """With one provider."""

    setbacks: int = 0
    """How often in a row it failed; while it does, events are tried one at a time."""
    until: float = 0.0
    """When it is asked again, in seconds of the monotonic clock."""

    @property
    def rests(self) -> bool:
        """Whether it is to be left alone."""
        return time.monotonic() < self.until

    def fail(self, error: ProviderError) -> None:
        """Leave it alone for a while."""
        if not self.setbacks:
            logger.warning("relay interrupted error=%s", error)
        self.setbacks += 1
        self.until = time.monotonic() + pause_after(self.setbacks, error.retry_after)

    def succeed(self) -> None:
        """Trust it again."""
        if self.setbacks:
            logger.warning("relay resumed")
        self.setbacks, self.until = 0, 0.0
