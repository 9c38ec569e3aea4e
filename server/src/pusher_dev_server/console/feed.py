"""What one open console is told, line by line. It is bounded: a console that reads slowly skips."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.activity import Activity
from pusher_dev_server.console import snapshot
from pusher_dev_server.hub import Hub

#: Happenings that wait for one console; what comes beyond is counted and not shown.
BACKLOG = 500

#: Seconds in which activities gather, and seconds of silence after which an empty line is sent.
GATHER, HEARTBEAT = 0.1, 10.0


class Feed:
    """An observer of one hub, for as long as its lines are read."""

    def __init__(self, hub: Hub, hello: dict[str, Any], clock: Callable[[], float]) -> None:
        self._hub = hub
        self._hello = hello
        self._clock = clock
        self._waiting: deque[tuple[float, Activity]] = deque()
        self._skipped = 0
        self._arrived = asyncio.Event()
        self._ended = False

    def __call__(self, activity: Activity) -> None:
        """Take what has happened."""
        if len(self._waiting) < BACKLOG:
            self._waiting.append((time.time(), activity))
        else:
            self._skipped += 1
        self._arrived.set()

    def end(self) -> None:
        """Let the lines end."""
        self._ended = True
        self._arrived.set()

    async def lines(self) -> AsyncGenerator[str, None]:
        """Yield JSON, one value a line: a greeting, then what happens and the state after it."""
        self._hub.observers.append(self)
        try:
            yield _lines([self._hello, snapshot.state(self._hub, self._clock())])
            while not self._ended:
                try:
                    await asyncio.wait_for(self._arrived.wait(), HEARTBEAT)
                except asyncio.TimeoutError:
                    yield "\n"
                    continue
                self._arrived.clear()
                yield _lines(self._take())
                await asyncio.sleep(GATHER)
        finally:
            self._hub.observers.remove(self)

    def _take(self) -> list[dict[str, Any]]:
        rows = [snapshot.activity(activity, at) for at, activity in self._waiting]
        self._waiting.clear()
        if self._skipped:
            rows.append({"type": "skipped", "count": self._skipped})
            self._skipped = 0
        return [*rows, snapshot.state(self._hub, self._clock())]


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{protocol.encode(row)}\n" for row in rows)
