"""``manage.py pusher_server`` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from websockets.sync.client import connect

from drf_model_pusher.server.runner import LocalServer, listen
from tests.pusher_api import PATIENCE

from .api_client import post
from .client import Client

ROOT = Path(__file__).parents[2]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], LocalServer]]:
    """Run the command with the tests' settings on a free port, until the block ends."""
    with LocalServer() as finder:
        port = finder.port
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "pusher_server", f"--port={port}", *arguments],
        cwd=ROOT,
        env=os.environ
        # The tests' folder alone: the package is the one that is installed.
        | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    known = LocalServer(port=port)
    from tests import settings

    known.app_id, known.key = settings.PUSHER_APP_ID, settings.PUSHER_KEY
    known.secret = settings.PUSHER_SECRET
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with connect(known.ws_url):
                    break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process, known
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_clients_come_back(signum):
    with running() as (process, server), Client(server) as client:
        process.send_signal(signum)
        assert client.close_code() == 4200
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        first = output.splitlines()[0]
        assert "Production fan-out belongs on Pusher or another server of its protocol" in first
        assert "Traceback" not in output


def test_verbose_shows_traffic_without_secrets():
    with running("--verbose") as (process, server), Client(server) as client:
        client.subscribe("private-a")
        event = {"name": "hello", "channel": "private-a", "data": '{"to":"\\u001b[31myou"}'}
        assert post(server, "/events", event).status == 200
        client.receive("hello")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
    assert "published" in output
    assert "private-a hello" in output
    assert "\x1b" not in output
    assert server.secret not in output
    assert f"{server.key}:" not in output


def test_a_terminal_that_stands_still_holds_nobody_up():
    """Nothing is read of the output until the end; a pipe holds 64 KB of it."""
    with running("--verbose") as (process, server), Client(server) as client:
        client.subscribe("pub")
        event = {"name": "e", "channel": "pub", "data": "x" * 400}
        for _ in range(400):
            assert post(server, "/events", event).status == 200
            client.receive("e")
        assert client.is_silent()
        process.send_signal(signal.SIGTERM)
        assert client.close_code() == 4200
        assert process.wait(timeout=10) == 0


def test_it_listens_on_this_machine_only_unless_told_otherwise():
    from drf_model_pusher.server.management.commands.pusher_server import Command

    options = vars(Command().create_parser("manage.py", "pusher_server").parse_args([]))
    assert (options["host"], options["port"]) == ("127.0.0.1", 6001)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"port": 99_999}, "99999 is no port"),
        ({"port": -1}, "-1 is no port"),
        ({"host": "nowhere.invalid"}, r"Cannot listen on nowhere\.invalid, port 6001: "),
        ({"host": "192.0.2.1"}, r"Cannot listen on 192\.0\.2\.1, port 6001: "),
    ],
)
def test_where_it_cannot_listen_it_says_so_in_a_sentence(options, reason):
    output = StringIO()
    with pytest.raises(CommandError, match=reason):
        call_command("pusher_server", stdout=output, **options)
    assert "Listening" not in output.getvalue()


def test_a_taken_port_is_named():
    output = StringIO()
    with LocalServer() as other, pytest.raises(CommandError, match=f"port {other.port}: .*in use"):
        call_command("pusher_server", stdout=output, port=other.port)
    assert "Listening" not in output.getvalue()


def test_a_name_stands_for_all_its_addresses():
    listeners = listen("localhost", 0)
    ports = {listener.getsockname()[1] for listener in listeners}
    for listener in listeners:
        listener.close()
    assert len(ports) == 1


def test_a_missing_credential_is_named(settings):
    settings.PUSHER_KEY = ""
    with pytest.raises(CommandError, match="PUSHER_KEY") as refused:
        call_command("pusher_server", stdout=StringIO())
    assert str(refused.value).count("any value will do") == 1


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("drf_model_pusher.server.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(CommandError, match=r'pip install --pre "drf-model-pusher\[server\]"'):
        call_command("pusher_server", stdout=StringIO())
