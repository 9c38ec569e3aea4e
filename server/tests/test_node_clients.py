"""The official JavaScript clients, unchanged, against the server.

Each scenario is a script in ``clients/`` that fails by itself.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dev_server_tests.node import CLIENTS
from pusher_dev_server.application import LOCAL_APP
from pusher_dev_server.testing import LocalServer

SCENARIOS = [
    "laravel_echo",
    "node_library",
    "pusher_js_channels",
    "pusher_js_presence",
    "pusher_js_users",
]


@contextmanager
def running(node: str, scenario: str, server: LocalServer) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [node, f"{scenario}.mjs"],
        cwd=CLIENTS,
        env=os.environ
        | {
            "HOST": server.host,
            "PORT": str(server.port),
            "APP_ID": server.app_id,
            "KEY": server.key,
            "SECRET": server.secret,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(node, scenario):
    app = replace(LOCAL_APP, subscription_count=scenario == "pusher_js_presence")
    with LocalServer([app]) as server, running(node, scenario, server) as process:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output


def test_pusher_js_comes_back_when_it_is_sent_away(node):
    with LocalServer() as server, running(node, "pusher_js_reconnect", server) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        server.close_connections()
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, line + output
