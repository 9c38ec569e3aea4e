"""The official JavaScript clients, unchanged, against the server.

Each scenario is a script in ``clients/`` that fails by itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from drf_model_pusher.server.runner import LOCAL_APP, LocalServer
from tests.availability import unavailable

CLIENTS = Path(__file__).parent / "clients"
SCENARIOS = [
    "laravel_echo",
    "node_library",
    "pusher_js_channels",
    "pusher_js_presence",
    "pusher_js_users",
]


@pytest.fixture(scope="module")
def node() -> str:
    """The path of node, with the clients installed beside the scripts."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable("node and npm are not installed")
    lock, marker = CLIENTS / "package-lock.json", CLIENTS / "node_modules" / ".package-lock.json"
    if not marker.exists() or marker.stat().st_mtime < lock.stat().st_mtime:
        installed = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=CLIENTS,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if installed.returncode:
            unavailable(f"npm could not install the clients: {installed.stderr[-300:]}")
    return node


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
        server.send_clients_away()
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, line + output
