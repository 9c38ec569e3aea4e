"""How often something may happen. Pure."""

from __future__ import annotations


class Rate:
    """At most so many in any one second."""

    __slots__ = ("_limit", "_times")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._times: list[float] = []

    def allows(self, now: float) -> bool:
        """Say whether one more may happen now, and count it if so."""
        self._times = [time for time in self._times if now - time < 1]
        if len(self._times) >= self._limit:
            return False
        self._times.append(now)
        return True
