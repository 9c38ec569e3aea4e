"""The patience of background delivery: tries, pauses, and when to give up. No threads."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Collection, Sequence

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.queue import Waiting
from drf_model_pusher.delivery.sending import Setback, attempt, by_provider, heard, report_failed

logger = logging.getLogger("drf_model_pusher")

#: Seconds between two tries, at the most.
LONGEST_PAUSE = 30.0


class Rounds:
    """Tries what waits, provider by provider, and remembers which of them are in trouble."""

    def __init__(self) -> None:
        self._setbacks: dict[object, int] = {}
        self._groups: list[list[Waiting]] = []

    @property
    def troubled(self) -> Collection[object]:
        """Providers whose latest try failed."""
        return self._setbacks

    @property
    def unfinished(self) -> list[Waiting]:
        """Entries of the round that is under way that have not left."""
        return [entry for group in self._groups for entry in group]

    def end(self) -> list[Waiting]:
        """End the round, which may have been broken off; return its entries that have not left."""
        left, self._groups = self.unfinished, []
        return left

    def go(self, entries: Sequence[Waiting]) -> tuple[list[Waiting], float]:
        """Try each entry once; return those that are left, and the seconds to wait with them."""
        self._groups = [list(entries)]
        # Who is well does not wait until the time-outs of the others are over.
        self._groups = sorted(
            by_provider(heard(entries)),
            key=lambda group: group[0].event.provider in self._setbacks,
        )
        pause = max(map(self._try, self._groups), default=0.0)
        return self.end(), pause

    def _try(self, entries: list[Waiting]) -> float:
        """Try entries of one provider; return the seconds to wait with those that are left."""
        provider, count = entries[0].event.provider, len(entries)
        setback = attempt(entries)
        if setback is None:
            if self._setbacks.pop(provider, 0):
                logger.warning("delivery resumed")
            return 0.0
        known = self._setbacks.get(provider, 0)
        if not known:
            logger.warning("delivery interrupted waiting=%d error=%s", len(entries), setback.error)
        # Something has left: the service is back, and stumbled.
        self._setbacks[provider] = 1 if len(entries) < count else known + 1
        _give_up_old(entries, setback)
        return pause_after(self._setbacks[provider], setback.error.retry_after)


def pause_after(setbacks: int, retry_after: float | None) -> float:
    """Return seconds: half a second, doubled with each setback in a row, with jitter."""
    pause = min(LONGEST_PAUSE, 0.5 * 2.0 ** min(setbacks - 1, 10))
    pause *= random.uniform(0.5, 1.5)  # noqa: S311 - it spreads load, it hides nothing
    return max(pause, min(retry_after or 0.0, 10 * LONGEST_PAUSE))


def _give_up_old(entries: list[Waiting], setback: Setback) -> None:
    oldest = time.monotonic() - app_settings.DRF_MODEL_PUSHER_RETRY_SECONDS
    report_failed([entry for entry in entries if entry.since < oldest], setback)
    entries[:] = [entry for entry in entries if entry.since >= oldest]
