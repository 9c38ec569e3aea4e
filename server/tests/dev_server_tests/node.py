"""Node, with the clients that are installed beside the scripts of the tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dev_server_tests.availability import unavailable

CLIENTS = Path(__file__).parents[1] / "clients"


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
