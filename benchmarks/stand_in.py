"""A process in the place of Pusher: it takes calls, answers after a set delay, and counts.

``StandIn`` is the handle on it; running the module is the process itself. Signatures are not
checked: what is measured is the sender, and the server must not be what limits it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HANGS = -1
"""A delay after which no answer comes."""


class StandIn:
    """Starts the process, and asks it over the same port for what it counted."""

    def __enter__(self) -> StandIn:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stand_in"],
            stdin=subprocess.PIPE,  # it ends with us, however we end
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        return self

    def __exit__(self, *args: object) -> None:
        self._connection.close()
        self._process.communicate()

    def reset(self, *, delay: int = 0) -> None:
        """Forget what was counted; answer after so many milliseconds from now on."""
        self._ask(f"/-/reset?delay={delay}")

    def hurry(self) -> None:
        """Answer at once, so that what waits at a sender is gone soon."""
        self._ask("/-/hurry")

    def occupy(self, channels: int, *, step: int) -> None:
        """Say, when asked, that each so many-th of the channels ``orders-0`` … is occupied."""
        self._ask(f"/-/occupy?channels={channels}&step={step}")

    def wait_for(self, items: int) -> dict[str, Any]:
        """Return the counts once so many items of events were answered."""
        return self._ask(f"/-/wait?items={items}")

    def counts(self) -> dict[str, Any]:
        """Return the counts."""
        return self._ask("/-/wait?items=0")

    def _ask(self, path: str) -> dict[str, Any]:
        self._connection.request("GET", path)
        counts: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return counts


@dataclass
class Counts:
    """What came since the last reset.

    Bodies are decoded when somebody asks: until then the processor is the sender's.
    """

    calls: int = 0
    bytes: int = 0
    misplaced: int = 0
    questions: int = 0
    first: float = 0
    last: float = 0
    connections: set[int] = field(default_factory=set)
    bodies: list[bytes] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    """How many each call had, of those that are decoded."""
    answered: list[int] = field(default_factory=list)
    """The calls, by their place."""
    positions: dict[str, int] = field(default_factory=dict)

    def add(self, arrived: float, size: int, body: bytes) -> int:
        """Take a call; return its place."""
        self.bytes += size
        self.first = self.first or arrived
        self.last = arrived
        self.bodies.append(body)
        self.calls += 1
        return self.calls - 1

    def answered_items(self) -> int:
        for body in self.bodies[len(self.items) :]:
            self._decode(json.loads(body))
        return sum(self.items[place] for place in self.answered)

    def _decode(self, payload: dict[str, Any]) -> None:
        items = payload.get("batch") or [payload]
        self.items.append(len(items))
        for item in items:
            position = json.loads(item["data"])["position"]
            for channel in item.get("channels") or [item["channel"]]:
                self.misplaced += position < self.positions.get(channel, 0)
                self.positions[channel] = position

    def as_json(self) -> bytes:
        answered = self.answered_items()
        shown = {
            "calls": self.calls,
            "bytes": self.bytes,
            "items": sum(self.items),
            "answered": answered,
            "misplaced": self.misplaced,
            "questions": self.questions,
            "first": self.first,
            "last": self.last,
            "connections": len(self.connections),
        }
        return json.dumps(shown).encode()


class Server:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.delay = 0.0
        self.counts = Counts()
        self.channels = b'{"channels":{}}'
        self.waiting: list[tuple[int, Connection]] = []

    def control(self, connection: Connection, target: str) -> None:
        parts = urlsplit(target)
        query = {name: int(value) for name, value in parse_qsl(parts.query)}
        if parts.path == "/-/wait":
            self.waiting.append((query["items"], connection))
            self.tell()
            return
        if parts.path == "/-/occupy":
            names = (f"orders-{number}" for number in range(0, query["channels"], query["step"]))
            self.channels = json.dumps({"channels": {name: {} for name in names}}).encode()
        if parts.path == "/-/reset":
            self.counts = Counts()
        self.delay = query.get("delay", 0) / 1000
        connection.reply(b"{}")

    def tell(self) -> None:
        """Answer those who wait for what has been answered by now."""
        for waiter in list(self.waiting):
            items, connection = waiter
            if self.counts.answered_items() >= items:
                self.waiting.remove(waiter)
                connection.reply(self.counts.as_json())

    def call(self, connection: Connection, arrived: float, size: int, body: bytes) -> None:
        counts = self.counts
        if not body:
            counts.questions += 1
            self.loop.call_at(arrived + self.delay, connection.reply, self.channels)
            return
        counts.connections.add(id(connection))
        place = counts.add(arrived, size, body)
        if self.delay >= 0:
            self.loop.call_at(arrived + self.delay, self.answer, connection, counts, place)

    def answer(self, connection: Connection, counts: Counts, place: int) -> None:
        connection.reply(b"{}")
        counts.answered.append(place)
        self.tell()


class Connection(asyncio.Protocol):
    """HTTP/1.1, kept alive, as much of it as the clients speak."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        arrived = time.monotonic()
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n") + 4) > 3:
            head = self.buffer[:end]
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            size = end + (int(length[1]) if length else 0)
            if len(self.buffer) < size:
                return
            body, self.buffer = self.buffer[end:size], self.buffer[size:]
            target = head.split(b" ", 2)[1].decode()
            if target.startswith("/-/"):
                self.server.control(self, target)
            else:
                self.server.call(self, arrived, size, body)

    def reply(self, body: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = Server()
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0)
    print(listener.sockets[0].getsockname()[1], flush=True)
    ended = loop.create_future()
    loop.add_reader(sys.stdin, lambda: ended.done() or ended.set_result(None))
    await ended


if __name__ == "__main__":
    asyncio.run(serve())
