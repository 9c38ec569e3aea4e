"""Nothing that a client or a publisher sends stops the server.

The number of generated frames and requests is ``FUZZ`` in the environment, 2,000 by default; the
proof in the documentation is a run with ``FUZZ=100000``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import signal
import socket
import time
import tracemalloc
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev_server_tests.api_client import post, request
from dev_server_tests.client import Client
from dev_server_tests.pure import APP, Pipe, World
from dev_server_tests.raw import handshake
from dev_server_tests.serving import running
from pusher_dev_server import protocol, queries
from pusher_dev_server.application import Limits
from pusher_dev_server.requests import RequestError, parse_batch, parse_event
from pusher_dev_server.signatures import InvalidSignature, check_request
from pusher_dev_server.testing import LocalServer

TOTAL = int(os.environ.get("FUZZ", "2000"))
STEPS = 20
profile = settings(
    max_examples=max(10, TOTAL // STEPS // 2),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

CHANNELS = [
    "pub",
    "private-a",
    "presence-a",
    "private-encrypted-a",
    "cache-a",
    "presence-cache-a",
    "#server-to-user-1",
    "#server-to-user-",
    "a b",
    "",
]
EVENTS = [
    "pusher:subscribe",
    "pusher:unsubscribe",
    "pusher:ping",
    "pusher:pong",
    "pusher:signin",
    "client-x",
    "pusher_internal:x",
    "",
]

# Text with everything in it that some encoder or terminal stumbles over.
texts = st.text(st.characters(), max_size=30) | st.sampled_from(
    ["\ud800", "\x00", "\u2028", "é" * 200, "1e999", "NaN", "__proto__", "x" * 200, "7"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
members = st.fixed_dictionaries(
    {}, optional={"user_id": values, "user_info": values, "watchlist": values, "id": values}
)
payloads = values | st.fixed_dictionaries(
    {},
    optional={
        "channel": st.sampled_from(CHANNELS) | values,
        "auth": st.sampled_from(["", "x:y", f"{APP.key}:"]) | values,
        "channel_data": values,
        "user_data": values,
    },
)
frames = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(EVENTS) | values,
        "channel": st.sampled_from(CHANNELS) | values,
        "data": payloads,
        "user_id": values,
    },
)
events = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["e", "pusher:x"]) | values,
        "data": texts | values,
        "channel": st.sampled_from(CHANNELS) | values,
        "channels": st.lists(st.sampled_from(CHANNELS) | values, max_size=4) | values,
        "socket_id": st.sampled_from(["1.1", "1.1:x"]) | values,
        "info": st.sampled_from(["user_count", "subscription_count,cache"]) | values,
        "batch": values,
    },
)
seeds = st.integers(0, 2**32)


def mutated(text: str, seed: int) -> str:
    """Return a text with a few of its parts lost, doubled, or changed into something else."""
    chooser = random.Random(seed)
    for _ in range(chooser.randrange(4)):
        start = chooser.randrange(len(text) + 1)
        end = min(len(text), start + chooser.randrange(12))
        part = chooser.choice(["", text[start:end] * 2, '"', "{", "]", "\\", "\\ud800", "9" * 400])
        text = text[:start] + part + text[end:]
    return text


class TestFrames:
    """Whole conversations, with right signatures over wrong contents among the nonsense."""

    @profile
    @given(st.data())
    def test_any_conversation_leaves_the_hub_in_order(self, data):
        world = World({"client_events_per_second": 5}, subscription_count=True)
        pipes = [world.connect() for _ in range(3)]
        for _ in range(data.draw(st.integers(1, STEPS))):
            pipe = data.draw(st.sampled_from(pipes))
            self.step(data, world, pipe)
        for pipe in pipes:
            for frame in pipe.read():
                assert isinstance(frame["event"], str)
            pipe.disconnect()
        hub = world.hub
        assert (hub.connections, hub.channels, len(hub.users)) == ({}, {}, 0)
        assert hub.users._watchers == {}
        self.serve_a_fresh_client(world)

    def step(self, data: Any, world: World, pipe: Pipe) -> None:
        kind = data.draw(st.sampled_from(["text", "frame", "mutation", "signed", "user", "wait"]))
        if kind == "text":
            pipe.say_text(data.draw(texts))
        elif kind == "frame":
            pipe.say_text(json.dumps(data.draw(frames)))
        elif kind == "mutation":
            pipe.say_text(mutated(json.dumps(data.draw(frames)), data.draw(seeds)))
        elif kind == "signed":
            pipe.subscribe(data.draw(st.sampled_from(CHANNELS)), data.draw(members))
        elif kind == "user":
            pipe.sign_in(data.draw(members))
        else:
            world.wait(data.draw(st.floats(0, 200)))

    def serve_a_fresh_client(self, world: World) -> None:
        client = world.connect()
        client.subscribe("presence-a", {"user_id": "1"})
        assert client.events()[0] == "pusher_internal:subscription_succeeded"


class TestBodies:
    @profile
    @given(st.lists(events, min_size=1, max_size=STEPS), seeds)
    def test_any_body_is_taken_or_refused(self, bodies, seed):
        world = World()
        (client,) = world.subscribed("pub", 1)
        statuses = set()
        for body in bodies:
            text = mutated(json.dumps(body), seed).encode("utf-8", "surrogatepass")
            try:
                publication = parse_event(text, world.hub.limits)
                world.hub.publish(publication.event, world.now)
                protocol.encode(queries.published(world.hub, publication)).encode()
            except RequestError as error:
                statuses.add(error.status)
        assert statuses <= {400, 413}
        for frame in client.read():
            assert isinstance(frame["data"], str)

    @profile
    @given(st.lists(events, max_size=STEPS), seeds)
    def test_any_batch_is_taken_or_refused(self, batch, seed):
        text = mutated(json.dumps({"batch": batch}), seed).encode()
        with contextlib.suppress(RequestError):
            assert len(parse_batch(text, Limits())) <= 10

    @profile
    @given(st.lists(st.tuples(texts, texts), max_size=6), st.binary(max_size=20))
    def test_any_signature_is_refused(self, query, body):
        with pytest.raises(InvalidSignature):
            check_request(APP, method="GET", path="/", query=query, body=body, now=0)


class TestSockets:
    """Bytes of any kind at real sockets; afterwards a fresh client is served."""

    @pytest.fixture
    def server(self, caplog):
        with LocalServer() as server:
            yield server
            with Client(server) as fresh:
                fresh.subscribe("pub")
                event = {"name": "e", "channel": "pub", "data": ""}
                assert post(server, "/events", event).status == 200
                fresh.receive("e")
        assert "Exception" not in caplog.text
        assert "Traceback" not in caplog.text

    def test_handshakes_and_requests(self, server):
        chooser = random.Random(7)
        seeds = [handshake(server.ws_url), publication(server)]
        for number in range(max(100, TOTAL // 50)):
            sent = bytearray(chooser.choice(seeds))
            for _ in range(number % 5):
                sent[chooser.randrange(len(sent))] = chooser.randrange(256)
            with socket.create_connection((server.host, server.port), 5) as raw:
                exchange(raw, bytes(sent) + chooser.randbytes(number % 50))

    def test_frames_below_the_protocol(self, server):
        chooser = random.Random(8)
        for _ in range(max(100, TOTAL // 50)):
            with socket.create_connection((server.host, server.port), 5) as raw:
                raw.sendall(handshake(server.ws_url))
                assert b" 101 " in raw.recv(1_000)
                text = b'{"event":"pusher:subscribe","data":{"channel":"pub"}}'
                frame = bytearray([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text
                for _ in range(chooser.randrange(4)):
                    frame[chooser.randrange(len(frame))] = chooser.randrange(256)
                exchange(raw, bytes(frame))

    def test_texts(self, server):
        chooser = random.Random(9)
        with Client(server, max_queue=1_000_000) as client:
            for _ in range(max(200, TOTAL // 2)):
                channel = chooser.choice(CHANNELS)
                text = json.dumps({"event": chooser.choice(EVENTS), "data": {"channel": channel}})
                client.socket.send(mutated(text, chooser.randrange(2**32)))
                if chooser.random() < 0.1:
                    client.socket.send(chooser.randbytes(20))

    def test_signed_bodies(self, server):
        chooser = random.Random(10)
        for _ in range(max(100, TOTAL // 50)):
            text = json.dumps({"name": "e", "channels": ["a"], "data": "x"})
            body = mutated(text, chooser.randrange(2**32)).encode()
            path = chooser.choice(["/events", "/batch_events"])
            assert request(server, "POST", path, body).status in (200, 400, 413)


def publication(server: LocalServer) -> bytes:
    return (
        f"POST /apps/{server.app_id}/events?auth_key={server.key}&auth_signature=0&auth_version=1.0"
        "&auth_timestamp=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{}"
    ).encode()


def exchange(raw: socket.socket, sent: bytes) -> None:
    """Send, and read until the server has had enough."""
    with contextlib.suppress(ConnectionError):
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65_536):
            pass


class TestProcess:
    """A server in a process of its own, as it is run, and the memory that the system gives it."""

    def test_it_outlives_the_assault_and_its_memory_comes_back(self):
        with running() as (process, server):
            # Once before, so that what is made once, and what the allocator keeps, is there.
            self.assail(server, max(2_000, TOTAL // 10), random.Random(11))
            memory = psutil.Process(process.pid).memory_info
            before = memory().rss
            self.assail(server, TOTAL, random.Random(12))
            for _ in range(50):  # the last connections are forgotten, and a tick has passed
                if memory().rss <= before * 1.1:
                    break
                time.sleep(0.1)
            after = memory().rss
            assert after <= before * 1.1, f"{before:,} bytes before, {after:,} after"
            with Client(server) as fresh:
                fresh.subscribe("pub")
                event = {"name": "e", "channel": "pub", "data": ""}
                assert post(server, "/events", event).status == 200
                fresh.receive("e")
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=10)
            assert "Traceback" not in output
            assert process.returncode == 0

    def assail(self, server: LocalServer, total: int, chooser: random.Random) -> None:
        """Send frames over connections that come and go, and a signed request for each nine."""
        while total > 0:
            with Client(server, max_queue=1_000_000) as client:
                for _ in range(500):
                    total -= 1
                    if chooser.random() < 0.1:
                        self.publish(server, chooser)
                    else:
                        self.say(client, chooser)
                # All that was sent has been taken when this is answered.
                client.socket.send('{"event":"pusher:ping"}')
                while client.receive()["event"] != "pusher:pong":
                    pass

    def say(self, client: Client, chooser: random.Random) -> None:
        channel = chooser.choice(CHANNELS) + str(chooser.randrange(1_000))
        text = json.dumps(
            {
                "event": chooser.choice([*EVENTS, "pusher:subscribe", "client-x"]).replace(
                    "pusher:ping", "pusher:pang"
                ),
                "channel": channel,
                "data": {
                    "channel": channel,
                    "auth": client.auth(channel),
                    "channel_data": chooser.choice(["", "{}", '{"user_id":"1"}']),
                    "user_data": '{"id":"1","watchlist":["2"]}',
                },
            }
        )
        client.socket.send(mutated(text, chooser.randrange(2**32)))

    def publish(self, server: LocalServer, chooser: random.Random) -> None:
        channel = chooser.choice(CHANNELS) + str(chooser.randrange(1_000))
        text = json.dumps({"name": "e", "channels": [channel], "data": "x" * 500})
        body = mutated(text, chooser.randrange(2**32)).encode()
        path = chooser.choice(["/events", "/batch_events"])
        assert request(server, "POST", path, body).status in (200, 400, 413)


def test_memory_comes_back():
    """After many frames, what is held is what was held before."""

    def talk(count: int) -> None:
        world = World()
        world.hub.observers.clear()
        for number in range(count):
            pipe = world.connect()
            pipe.subscribe(f"private-{number}")
            pipe.subscribe(f"presence-{number % 7}", {"user_id": str(number)})
            pipe.sign_in({"id": str(number), "watchlist": [str(number + 1)]})
            pipe.say_text("garbage" * 100)
            pipe.disconnect()
            world.webhooks.clear()
            world.wait(4)
        worlds.append(world)

    worlds: list[World] = []
    talk(100)
    worlds.clear()
    gc.collect()
    tracemalloc.start()
    try:
        sizes = []
        for count in (100, max(500, TOTAL // 5)):
            talk(count)
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
            worlds.clear()
        assert sizes[1] < sizes[0] * 1.1 + 20_000
    finally:
        tracemalloc.stop()
