"""``manage.py pusher_server``: the development server with the settings of a project."""

from __future__ import annotations

import signal
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from dev_server_tests.api_client import post
from dev_server_tests.client import Client
from dev_server_tests.serving import running
from pusher_dev_server.application import Application
from tests.pusher_api import PATIENCE

ROOT = Path(__file__).parents[2]
COMMAND = ("-m", "django", "pusher_server")


def test_it_serves_the_projects_own_app_until_a_signal_ends_it():
    from tests import settings

    # The tests' folder alone: the package is the one that is installed.
    env = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    app = Application(
        id=settings.PUSHER_APP_ID, key=settings.PUSHER_KEY, secret=settings.PUSHER_SECRET
    )
    with running("--verbose", app=app, command=COMMAND, **env) as (process, server):
        with Client(server) as client:
            client.subscribe("private-a")
            event = {"name": "hello", "channel": "private-a", "data": "{}"}
            assert post(server, "/events", event).status == 200
            client.receive("hello")
            process.send_signal(signal.SIGINT)
            assert client.close_code() == 4200
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Production fan-out belongs on Pusher" in output.splitlines()[0]
    assert "private-a hello" in output
    assert settings.PUSHER_SECRET not in output


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"port": 99_999}, "port 99999: "), ({"host": "nowhere.invalid"}, r"nowhere\.invalid")],
)
def test_where_it_cannot_listen_it_says_so_in_a_sentence(options, reason):
    output = StringIO()
    with pytest.raises(CommandError, match=f"Cannot listen on .*{reason}"):
        call_command("pusher_server", stdout=output, **options)
    assert "Listening" not in output.getvalue()


def test_it_listens_on_this_machine_only_unless_told_otherwise():
    from drf_model_pusher.server.management.commands.pusher_server import Command

    options = vars(Command().create_parser("manage.py", "pusher_server").parse_args([]))
    assert (options["host"], options["port"]) == ("127.0.0.1", 6001)


def test_a_missing_credential_is_named(settings):
    settings.PUSHER_KEY = ""
    with pytest.raises(CommandError, match="PUSHER_KEY") as refused:
        call_command("pusher_server", stdout=StringIO())
    assert str(refused.value).count("any value will do") == 1


INSTALLED = ("drf_model_pusher.server.", "pusher_dev_server")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith(INSTALLED)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pusher_dev_server", None)
    with pytest.raises(CommandError, match=r'pip install --pre "drf-model-pusher\[server\]"'):
        call_command("pusher_server", stdout=StringIO())
