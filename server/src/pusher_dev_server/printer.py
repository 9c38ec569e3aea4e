"""Prints activity to a terminal that may be slow or stopped, and never waits for it."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any, Protocol

from pusher_dev_server.activity import Activity, format_line

#: Lines that wait to be printed; what comes beyond is counted and not shown.
BACKLOG = 1_000

#: Seconds that the end waits for what is not printed yet.
END_TIMEOUT = 1.0


class Terminal(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> object:
        """Write a text; this may block."""

    def flush(self) -> object:
        """Show what was written."""


class Printer:
    """An observer that prints from a thread of its own, inside its ``with`` block."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._waiting: queue.Queue[Activity | None] = queue.Queue(BACKLOG)
        self._skipped = 0
        # A daemon: a terminal that stands still must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="pusher-traffic", daemon=True)

    def __call__(self, activity: Activity) -> None:
        """Take what has happened."""
        try:
            self._waiting.put_nowait(activity)
        except queue.Full:
            self._skipped += 1

    def __enter__(self) -> Printer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=END_TIMEOUT)
        self._thread.join(END_TIMEOUT)

    def _run(self) -> None:
        reported = 0
        with contextlib.suppress(OSError):  # the terminal has gone
            while (activity := self._waiting.get()) is not None:
                self._print(format_line(activity))
                if skipped := self._skipped - reported:
                    self._print(f"{skipped:,} more came too fast to be shown")
                    reported += skipped

    def _print(self, line: str) -> None:
        self._terminal.write(f"{line}\n")
        self._terminal.flush()


def reopen(terminal: Any) -> Terminal:
    """Return another file for the same terminal.

    A thread that hangs in a write to Python's own would not let the process end.
    """
    try:
        descriptor = terminal.fileno()
    except (AttributeError, OSError):  # a caller's own file
        own: Terminal = terminal
        return own
    encoding = getattr(terminal, "encoding", None) or "utf-8"
    return open(descriptor, "w", encoding=encoding, errors="backslashreplace", closefd=False)
