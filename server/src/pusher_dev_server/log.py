"""The server's log, which clients cannot flood: one line of a kind in a minute, with a count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

#: Seconds in which further lines of one kind are counted and not written.
INTERVAL = 60.0


@dataclass(slots=True)
class _Kind:
    record: logging.LogRecord
    since: float
    skipped: int = 0


class Throttle(logging.Filter):
    """Lets the first record of a kind through; ``flush()`` reports how many more there were.

    Records are of one kind if they share the message that their arguments are put into.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[object, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written."""
        if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
            # A client's mistake, for which uvicorn prints a traceback of its own code.
            record.exc_info = None
        self.flush()
        if known := self._kinds.get(record.msg):
            known.skipped += 1
            return False
        self._kinds[record.msg] = _Kind(record, self._clock())
        return True

    def clear(self) -> None:
        """Forget all kinds, so that the next record of each is written."""
        self._kinds.clear()

    def flush(self) -> None:
        """Report what was skipped, once the time of its kind is over."""
        now = self._clock()
        for message, kind in list(self._kinds.items()):
            if now - kind.since >= INTERVAL:
                self._kinds.pop(message, None)
                if kind.skipped:
                    _report(kind)


def _report(kind: _Kind) -> None:
    record = logging.makeLogRecord(kind.record.__dict__)
    record.msg = f"{kind.record.getMessage()} (and {kind.skipped:,} more like this)"
    record.args, record.exc_info, record.exc_text = (), None, None
    logger.callHandlers(record)


throttle = Throttle()
logger = logging.getLogger("pusher_dev_server")
logger.addFilter(throttle)
