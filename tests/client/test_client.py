"""The browser's client: its own tests, its types, and the file that the app serves."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.availability import unavailable

CLIENT = Path(__file__).parents[2] / "client"


@pytest.fixture(scope="module")
def npm():
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        unavailable("node and npm are not installed")
    if not (CLIENT / "node_modules").exists():
        unavailable("the client's tools are not installed: npm ci --prefix client")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [npm, "run", "--silent", *arguments],
            cwd=CLIENT,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_client_keeps_its_rules(npm):
    assert "fail 0" in npm("test")


def test_its_types_are_right_and_fit_those_who_use_it(npm):
    npm("check")


def test_the_file_that_the_app_serves_is_what_is_built_and_small(npm):
    assert "of 4096" in npm("build", "--", "--check")
