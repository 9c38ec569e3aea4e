"""pysher and asyncpusher, unchanged, against the server: each in a process of its own.

Where a client is itself broken, its test says how, and shows that the server is not the cause.
"""

from __future__ import annotations

import importlib.util
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dev_server_tests.api_client import post
from dev_server_tests.availability import unavailable
from pusher_dev_server.testing import LocalServer

PYSHER = """
import json, sys, threading
from pysher import Pusher

host, port, key, secret = sys.argv[1:]
user = {"user_id": "7", "user_info": {"name": "Ada"}}
client = Pusher(key, custom_host=host, port=int(port), secure=False, secret=secret, user_data=user)

def connected(_):
    for name in ["public", "private-a", "presence-a"]:
        client.subscribe(name).bind("hello", lambda data: print(json.dumps(data), flush=True))

client.connection.bind("pusher:connection_established", connected)
client.connect()
threading.Event().wait(60)
"""

ASYNCPUSHER = """
import asyncio, hashlib, hmac, json, sys
from asyncpusher.pusher import Pusher

host, port, key, secret = sys.argv[1:]

async def authenticate(request):
    text = "{socket_id}:{channel_name}".format(**request).encode()
    return {"auth": key + ":" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()}

async def received(data):
    print(json.dumps(data), flush=True)

async def main():
    client = Pusher(key, custom_host=host, custom_port=int(port), secure=False,
                    channel_authenticator=authenticate)
    await client.connect()
    for name in ["public", "private-a"]:
        channel = await client.subscribe(name)
        channel.bind("hello", received)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@contextmanager
def listening(server: LocalServer, script: str) -> Iterator[subprocess.Popen[str]]:
    """Run a client until the end of the block."""
    arguments = [server.host, str(server.port), server.key, server.secret]
    process = subprocess.Popen(
        # What these clients warn of is not ours to mend.
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def publish(server: LocalServer, channel: str, data: str) -> None:
    event = {"name": "hello", "channel": channel, "data": data}
    assert post(server, "/events", event).status == 200


def heard(process: subprocess.Popen[str], seconds: float = 10) -> object:
    """Return what the client has printed, or None if it prints nothing in time."""
    readable, _, _ = select.select([process.stdout], [], [], seconds)
    return json.loads(process.stdout.readline()) if readable else None


def need(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        unavailable(f"{module} is not installed")


class TestPysher:
    @pytest.mark.parametrize("channel", ["public", "private-a", "presence-a"])
    def test_it_hands_over_the_text_undecoded(self, server, channel):
        """It speaks protocol 6, and leaves the decoding of the data to its user."""
        need("pysher")
        with listening(server, PYSHER) as process:
            server.recorder.wait_for_subscription(channel, 15)
            publish(server, channel, '{"n": 1}')
            assert heard(process) == '{"n": 1}'


class TestAsyncpusher:
    @pytest.mark.parametrize("channel", ["public", "private-a"])
    def test_it_hands_over_the_decoded_data(self, server, channel):
        need("asyncpusher")
        with listening(server, ASYNCPUSHER) as process:
            server.recorder.wait_for_subscription(channel, 15)
            publish(server, channel, '{"n": 1}')
            assert heard(process) == {"n": 1}

    def test_data_that_is_no_json_ends_its_reading(self, server):
        """Its read loop dies of the exception: no fault of the server, which serves the next."""
        need("asyncpusher")
        with listening(server, ASYNCPUSHER) as process:
            server.recorder.wait_for_subscription("private-a", 15)
            publish(server, "public", "plain text")
            publish(server, "public", '{"n": 1}')
            assert heard(process, 1) is None
        with listening(server, ASYNCPUSHER) as process:
            server.recorder.clear()
            server.recorder.wait_for_subscription("private-a", 15)
            publish(server, "public", '{"n": 1}')
            assert heard(process) == {"n": 1}
