"""The server in a project's own uvicorn, and as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from websockets.sync.client import connect

from pusher_dev_server.application import LOCAL_APP, Application
from pusher_dev_server.testing import LocalServer

#: Seconds to wait for a process that starts first: only a failure takes them.
PATIENCE = 60


@contextmanager
def plain_uvicorn(app: Any, ws: Any = "websockets-sansio") -> Iterator[int]:
    """Serve an application as a project would; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws=ws))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def running(
    *arguments: str,
    app: Application = LOCAL_APP,
    command: tuple[str, ...] = ("-m", "pusher_dev_server"),
    **env: str,
) -> Iterator[tuple[subprocess.Popen[str], LocalServer]]:
    """Run the command, which serves ``app``, on a free port until the block ends."""
    with LocalServer([app]) as server:
        pass  # its port is free now
    process = subprocess.Popen(
        [sys.executable, *command, f"--port={server.port}", *arguments],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with connect(server.ws_url):
                    break
            except OSError:
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process, server
    finally:
        process.kill()
        process.communicate()
