"""The rounds of background delivery: each sends what is queued, provider by provider."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence

from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.delivery.retry import RETRY_POLICY, Backoff
from drf_model_pusher.delivery.sending import (
    SendFailure,
    by_provider,
    occupied,
    report_failed,
    send_batch,
)

logger = logging.getLogger("drf_model_pusher")


class Rounds:
    """Sends entries, and remembers which providers fail. No threads."""

    def __init__(self) -> None:
        self._failing: dict[str | None, Backoff] = {}
        self._groups: list[list[QueuedEvent]] = []

    @property
    def failing(self) -> Collection[str | None]:
        """Providers whose latest call failed."""
        return self._failing

    @property
    def unfinished(self) -> list[QueuedEvent]:
        """Entries of the current round that have not left."""
        return [entry for group in self._groups for entry in group]

    def end(self) -> list[QueuedEvent]:
        """End the round, which may have been broken off; return its entries that have not left."""
        left, self._groups = self.unfinished, []
        return left

    def send(self, entries: Sequence[QueuedEvent]) -> tuple[list[QueuedEvent], float]:
        """Try each entry once; return those that are left, and the seconds to wait with them."""
        self._groups = [list(entries)]
        # Healthy providers do not wait for the time-outs of the others.
        self._groups = sorted(
            by_provider(occupied(entries)),
            key=lambda group: group[0].event.provider in self._failing,
        )
        pause = max(map(self._send_group, self._groups), default=0.0)
        return self.end(), pause

    def _send_group(self, entries: list[QueuedEvent]) -> float:
        """Try entries of one provider; return the seconds to wait with those that are left."""
        provider, count = entries[0].event.provider, len(entries)
        failure = send_batch(entries)
        if failure is None:
            if self._failing.pop(provider, None):
                logger.warning("delivery resumed")
            return 0.0
        if provider not in self._failing:
            logger.warning("delivery interrupted waiting=%d error=%s", len(entries), failure.error)
        backoff = self._failing.setdefault(provider, Backoff())
        if len(entries) < count:
            backoff.succeed()  # something has left: the service is back, and stumbled
        _give_up_old(entries, failure)
        return backoff.fail(failure.error)


def _give_up_old(entries: list[QueuedEvent], failure: SendFailure) -> None:
    oldest = time.monotonic() - RETRY_POLICY.max_age
    report_failed([entry for entry in entries if entry.since < oldest], failure)
    entries[:] = [entry for entry in entries if entry.since >= oldest]
