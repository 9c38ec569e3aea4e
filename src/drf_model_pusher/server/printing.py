"""Traffic for a person at a terminal, who may stop it, or be slow; the server is neither."""

from __future__ import annotations

import contextlib
import queue
import threading
from types import TracebackType
from typing import Protocol

from drf_model_pusher.server.happening import Happening
from drf_model_pusher.server.traffic import describe

#: Happenings that wait to be printed; what comes beyond is counted and not shown.
BACKLOG = 1_000

#: Seconds that the end waits for what is not printed yet.
PATIENCE = 1.0


class Terminal(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> object:
        """Take a text, and perhaps wait."""

    def flush(self) -> object:
        """Show it."""


class Printer:
    """An observer that prints from a thread of its own, inside its ``with`` block."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._waiting: queue.Queue[Happening | None] = queue.Queue(BACKLOG)
        self._skipped = 0
        # A daemon: a terminal that stands still must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="pusher-traffic", daemon=True)

    def __call__(self, happening: Happening) -> None:
        """Take what has happened."""
        try:
            self._waiting.put_nowait(happening)
        except queue.Full:
            self._skipped += 1

    def __enter__(self) -> Printer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=PATIENCE)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        told = 0
        with contextlib.suppress(OSError):  # the terminal has gone
            while (happening := self._waiting.get()) is not None:
                self._print(describe(happening))
                if skipped := self._skipped - told:
                    self._print(f"{skipped:,} more came too fast to be shown")
                    told += skipped

    def _print(self, line: str) -> None:
        self._terminal.write(f"{line}\n")
        self._terminal.flush()
