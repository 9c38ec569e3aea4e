from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


class Served:
    """A server of async views, and a client that waits for nothing that it need not."""

    def __init__(self, port):
        self.port = port

    async def send(self, method, path, data=None, **headers):
        """Return the open connection of a request."""
        body = json.dumps(data).encode() if data is not None else b""
        head = {"Host": "127.0.0.1", "Content-Type": "application/json", "Connection": "close",
                "Content-Length": len(body)}  # fmt: skip
        head |= {f"X-{name.replace('_', '-')}": value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in head.items()), "", ""]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        return reader, writer

    async def ask(self, method, path, data=None, **headers):
        """Return status and body of the answer."""
        reader, writer = await self.send(method, path, data, **headers)
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            body = b"".join(body.split(b"\r\n")[1::2])
        with contextlib.suppress(ValueError):
            body = json.loads(body)
        return SimpleNamespace(status=int(head.split()[1]), body=body)

    def call(self, method, path, data=None, **headers):
        return asyncio.run(self.ask(method, path, data, **headers))


@pytest.fixture
def start(pusher_api, settings, tmp_path):
    """Start a server with a delivery."""
    pytest.importorskip("adrf", reason="adrf is not installed")
    with contextlib.ExitStack() as stack:

        def start(delivery="BackgroundDelivery"):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            environment = {
                **os.environ,
                "DELIVERY": delivery,
                "DATABASE": str(tmp_path / "served.sqlite3"),
                "PUSHER_KEY": settings.PUSHER_KEY,
                "PUSHER_SECRET": settings.PUSHER_SECRET,
                "PUSHER_PORT": str(pusher_api.port),
            }
            del environment["DJANGO_SETTINGS_MODULE"]
            log = tmp_path / "log"
            command = ["-m", "uvicorn", "tests.async_views.served:asgi", "--port", str(port)]
            process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                cwd=ROOT,
                stdout=stack.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            for _ in range(1200):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    return Served(port)
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            raise AssertionError(log.read_text())

        yield start


@pytest.fixture
def served(start):
    return start()
