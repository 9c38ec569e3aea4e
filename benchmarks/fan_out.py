"""The development server: one event to many subscribers of one channel, beside the floor's."""

from __future__ import annotations

import hashlib
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median

import psutil

from benchmarks.report import Findings, Table
from benchmarks.rounds import Samples, turns
from pusher_dev_server import protocol
from pusher_dev_server.application import LOCAL_APP, Limits
from pusher_dev_server.hub import Hub
from pusher_dev_server.requests import parse_event
from pusher_dev_server.signatures import sign

VARIANTS = ("floor", "package")
CHANNEL = "orders"
DATA = json.dumps({"reference": "2026-000001", "customer": "Ada Lovelace", "note": "x" * 300})
FRAME = protocol.event_frame(protocol.event_head("order.update", DATA), CHANNEL)
BODY = json.dumps({"name": "order.update", "channels": [CHANNEL], "data": DATA}).encode()


def measure(*, quick: bool) -> Findings:
    findings = Findings()
    findings.exactly("times that an event to 1,000 subscribers is encoded", _encodings(), 1)
    speeds = Table(
        "One event to all subscribers of a channel, median",
        [
            "subscribers",
            *(f"until the last has it, {variant}" for variant in VARIANTS),
            *(f"deliveries/s, {variant}" for variant in VARIANTS),
            *(f"processor time of a delivery, {variant}" for variant in VARIANTS),
        ],
    )
    costs: dict[int, float] = {}
    with ExitStack() as stack:
        sides = {variant: stack.enter_context(running(variant)) for variant in VARIANTS}
        for subscribers in (1, 100, 1_000):
            memory = {variant: side.grow(subscribers) for variant, side in sides.items()}
            lasts, rates, times = _turns(sides, subscribers, quick=quick)
            costs[subscribers] = times.median("package")
            _judge(findings, lasts, rates, subscribers)
            speeds.rows.append(
                [
                    f"{subscribers:,}",
                    *(f"{lasts.median(variant) * 1_000:.2f} ms" for variant in VARIANTS),
                    *(f"{rates.median(variant):,.0f}" for variant in VARIANTS),
                    *(f"{times.median(variant) * 1e6:.1f} µs" for variant in VARIANTS),
                ]
            )
    findings.at_most(
        "processor time of a delivery to 1,000 subscribers, against 100",
        costs[1_000] / costs[100],
        1.2,
    )
    findings.at_most(
        "memory of a connection, against the floor's", memory["package"] / memory["floor"], 1.3
    )
    findings.tables += [
        speeds,
        Table(
            "Memory of a connection that is subscribed",
            VARIANTS,
            [[f"{memory[variant] / 1024:.1f} KiB" for variant in VARIANTS]],
        ),
    ]
    return findings


def _turns(
    sides: dict[str, Side], subscribers: int, *, quick: bool
) -> tuple[Samples, Samples, Samples]:
    """Return seconds until the last one has an event, deliveries a second, and seconds of each."""
    lasts, rates, times = Samples(), Samples(), Samples()
    events = max(5, (2_000 if quick else 20_000) // subscribers)
    events = min(events, 1_000)
    for side in sides.values():
        side.send(5)  # nobody's first events are measured
    for variant in turns(VARIANTS, 4 if quick else 30):
        side = sides[variant]
        lasts.add(variant, median(side.send(1) for _ in range(11)))
        spent = side.processor_time()
        seconds = side.send(events)
        rates.add(variant, events * subscribers / seconds)
        times.add(variant, (side.processor_time() - spent) / (events * subscribers))
    return lasts, rates, times


def _judge(findings: Findings, lasts: Samples, rates: Samples, subscribers: int) -> None:
    # To one subscriber it is the check of the publisher's signature that is measured, which the
    # floor does not have: the table says it, and no goal hides it.
    if subscribers > 1:
        findings.at_most(
            f"until the last of {subscribers:,} has an event, against the floor",
            lasts.ratio("package", "floor"),
            1.5,
        )
        findings.at_least(
            f"deliveries/s to {subscribers:,} subscribers, against the floor",
            rates.ratio("package", "floor"),
            0.8,
        )


def _encodings() -> int:
    """Count how often JSON is made of what one event says, by frames that are one object."""
    frames: list[str] = []

    class Peer:
        def send(self, text: str) -> None:
            frames.append(text)

        def close(self, code: int, reason: str) -> None:
            raise AssertionError

    hub = Hub(LOCAL_APP)
    for _ in range(1_000):
        hub.subscribe(hub.connect(Peer(), 0), CHANNEL, 0)
    frames.clear()
    hub.publish(parse_event(BODY, Limits()), 0)
    if frames != [FRAME] * 1_000:
        raise RuntimeError("not what was published")
    return len({id(frame) for frame in frames})


class Side:
    """One server in a process of its own, its subscribers, and its publisher."""

    def __init__(self, variant: str, address: tuple[str, int], process: psutil.Process) -> None:
        self.is_package = variant == "package"
        self._address = address
        self._process = process
        self._selector = selectors.DefaultSelector()
        self._readers: list[socket.socket] = []
        self._publisher = socket.create_connection(address, 30)
        self._request = self._signed() if self.is_package else _post("/", FRAME.encode())
        # A frame of the WebSocket, as a server sends it: two bytes, the length, the text.
        self._frame_bytes = 4 + len(FRAME)

    def close(self) -> None:
        for each in (*self._readers, self._publisher):
            each.close()
        self._selector.close()

    def processor_time(self) -> float:
        used = self._process.cpu_times()
        return used.user + used.system

    def grow(self, subscribers: int) -> float:
        """Connect until there are so many; return the bytes that each new one has cost."""
        before, new = self._memory(), subscribers - len(self._readers)
        for _ in range(new):
            reader = _subscribed(self._address, answers=2 if self.is_package else 0)
            reader.setblocking(False)
            self._selector.register(reader, selectors.EVENT_READ)
            self._readers.append(reader)
        time.sleep(0.2)
        return (self._memory() - before) / new

    def send(self, events: int) -> float:
        """Publish one event after the other; return the seconds until the last one is there."""
        missing = events * len(self._readers) * self._frame_bytes
        self._selector.register(self._publisher, selectors.EVENT_READ)
        buffer = bytearray(1 << 20)
        started = time.perf_counter()
        self._publisher.sendall(self._request)
        events -= 1
        answered = False
        while missing or not answered:
            for key, _ in self._selector.select(30) or _nothing_came():
                if key.fileobj is self._publisher:
                    self._take_answer()
                    if events:
                        self._publisher.sendall(self._request)
                        events -= 1
                    else:
                        answered = True
                        self._selector.unregister(self._publisher)
                else:
                    missing -= key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
        return time.perf_counter() - started

    def _take_answer(self) -> None:
        answer = b""
        while not answer.endswith(b"\r\n\r\n{}"):
            answer += self._publisher.recv(65_536) or _nothing_came()
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {answer!r}")

    def _memory(self) -> int:
        return int(self._process.memory_info().rss)

    def _signed(self) -> bytes:
        path = f"/apps/{LOCAL_APP.id}/events"
        md5 = hashlib.md5(BODY).hexdigest()
        query = (
            f"auth_key={LOCAL_APP.key}&auth_timestamp={int(time.time())}&auth_version=1.0"
            f"&body_md5={md5}"
        )
        signature = sign(LOCAL_APP.secret, f"POST\n{path}\n{query}")
        return _post(f"{path}?{query}&auth_signature={signature}", BODY)


@contextmanager
def running(variant: str) -> Iterator[Side]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        number = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fan_out_server", variant, str(number)],
            pass_fds=[number],
        )
        try:
            side = Side(variant, listener.getsockname(), psutil.Process(process.pid))
            yield side
            side.close()
        finally:
            process.terminate()
            process.wait(60)


def _post(target: str, body: bytes) -> bytes:
    return (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def _subscribed(address: Sequence[object], answers: int) -> socket.socket:
    """Return a connection that has subscribed, and has read what it was told."""
    reader = socket.create_connection(address, 30)  # type: ignore[arg-type]
    reader.sendall(
        f"GET /app/{LOCAL_APP.key}?protocol=7 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    text = json.dumps({"event": "pusher:subscribe", "data": {"channel": CHANNEL}}).encode()
    heard = b""
    while b"\r\n\r\n" not in heard:
        heard += reader.recv(65_536) or _nothing_came()
    # Its mask is zero, which changes nothing.
    reader.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
    while heard.count(b'{"event":') < answers:
        heard += reader.recv(65_536) or _nothing_came()
    return reader


def _nothing_came() -> bytes:
    raise RuntimeError("the server does not answer")
