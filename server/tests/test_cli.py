"""``python -m pusher_dev_server`` as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from dev_server_tests.api_client import post
from dev_server_tests.client import Client
from dev_server_tests.serving import PATIENCE, running
from pusher_dev_server.application import Application
from pusher_dev_server.cli import main
from pusher_dev_server.testing import LocalServer


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


class TestApps:
    def test_the_credentials_come_from_the_environment(self):
        app = Application(id="7", key="k7", secret="s7")
        env = {"PUSHER_APP_ID": app.id, "PUSHER_KEY": app.key, "PUSHER_SECRET": app.secret}
        with running(app=app, **env) as (_, server), Client(server) as client:
            client.subscribe("private-a")
            assert post(server, "/events", EVENT).status == 200

    def test_options_win_over_the_environment(self):
        app = Application(id="1", key="local-key", secret="s1")
        with running("--secret=s1", app=app, PUSHER_SECRET="other") as (_, server):
            assert post(server, "/events", EVENT).status == 200

    def test_a_file_names_several_apps_and_their_limits(self, tmp_path):
        apps = [
            {"id": "1", "key": "local-key", "secret": "local-secret"},
            {"id": "2", "key": "k2", "secret": "s2"},
        ]
        file = tmp_path / "server.json"
        file.write_text(json.dumps({"apps": apps, "limits": {"event_data_bytes": 100}}))
        with running("--config", str(file)) as (_, server):
            assert post(server, "/events", EVENT).status == 200
            assert post(server, "/events", EVENT | {"data": "x" * 101}).status == 413
            server.app_id, server.key, server.secret = "2", "k2", "s2"
            assert post(server, "/events", EVENT).status == 200


EVENT = {"name": "e", "channel": "a", "data": "{}"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port=99999"], "Cannot listen on 127.0.0.1, port 99999: "),
        (["--port=-1"], "Cannot listen on 127.0.0.1, port -1: "),
        (["--host=nowhere.invalid"], "Cannot listen on nowhere.invalid, port 6001: "),
        (["--host=192.0.2.1"], "Cannot listen on 192.0.2.1, port 6001: "),
        (["--key="], "an app has no key: give each app its key"),
        (["--webhook=ftp://a"], "list http:// or https:// addresses"),
        (["--config=/no/such/file"], "Cannot read /no/such/file: "),
    ],
)
def test_where_it_cannot_run_it_says_so_in_a_sentence(arguments, reason, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    output = capsys.readouterr()
    assert ended.value.code == 2
    assert reason in output.err
    assert "Listening" not in output.out


@pytest.mark.parametrize("text", ["[]", '{"app": []}', '{"apps": {}}', '{"limits": []}', "{"])
def test_a_file_that_is_wrong_is_named(tmp_path, text, capsys):
    file = tmp_path / "server.json"
    file.write_text(text)
    with pytest.raises(SystemExit):
        main([f"--config={file}"])
    assert "Traceback" not in capsys.readouterr().err


def test_a_taken_port_is_named(capsys):
    with LocalServer() as other, pytest.raises(SystemExit):
        main([f"--port={other.port}"])
    assert f"port {other.port}: " in capsys.readouterr().err


def test_the_command_is_installed():
    command = [sys.executable, "-m", "pusher_dev_server", "--version"]
    assert subprocess.run(command, capture_output=True, text=True).stdout.startswith("0.1.0")
