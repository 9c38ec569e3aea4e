"""A PostgreSQL of a test's own, which may be restarted, and is crashed on the way."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.availability import unavailable


class Cluster:
    """The server; its folder and port are its own."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("initdb") or max(
            glob.glob("/usr/lib/postgresql/*/bin/initdb"), default=""
        )
        if not found:
            unavailable("there is no initdb to make a PostgreSQL cluster with")
        self._programs = Path(found).parent
        self._data = folder / "data"
        self._log = folder / "log"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        # The server refuses to run as root.
        self._user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        if self._user:
            shutil.chown(folder, "postgres", "postgres")
        self._run(
            "initdb",
            "--pgdata",
            self._data,
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--no-sync",
        )

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
        }

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._control("start", "--log", self._log, "--options", options)

    def crash(self) -> None:
        """End it without letting it put anything in order."""
        self._control("stop", "--mode", "immediate")

    def _control(self, *arguments: Any) -> None:
        self._run("pg_ctl", "--pgdata", self._data, "--wait", *arguments)

    def _run(self, program: str, *arguments: Any) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._user,
        )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Make and start a server; at the end nothing is left of it."""
    # Not pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory() as name:
        made = Cluster(Path(name))
        made.start()
        try:
            yield made
        finally:
            made.crash()
