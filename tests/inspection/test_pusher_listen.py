"""``manage.py pusher_listen``, against the development server and others that are none."""

import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from websockets.sync.server import serve

from drf_model_pusher.providers import PusherProvider, get_provider
from drf_model_pusher.server.testing import LocalServer

MASTER = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="


def point(settings, server):
    settings.PUSHER_APP_ID, settings.PUSHER_KEY = server.app_id, server.key
    settings.PUSHER_SECRET = server.secret
    settings.PUSHER_HOST, settings.PUSHER_PORT = server.host, server.port
    settings.PUSHER_SSL = False


@pytest.fixture
def server(pusher_server, settings):
    point(settings, pusher_server)
    return pusher_server


class Listening(threading.Thread):
    """The command, in a thread of its own."""

    def __init__(self, *args):
        super().__init__(daemon=True)
        self.args, self.out, self.err = args, io.StringIO(), io.StringIO()
        self.error = None
        self.start()

    def run(self):
        try:
            call_command("pusher_listen", *self.args, stdout=self.out, stderr=self.err)
        except CommandError as error:
            self.error = error

    def wait_for(self, text, times=1):
        deadline = time.monotonic() + 15
        while self.err.getvalue().count(text) < times:
            assert time.monotonic() < deadline, (self.err.getvalue(), self.error)
            time.sleep(0.01)

    def result(self):
        self.join(15)
        assert not self.is_alive()
        if self.error:
            raise self.error
        return self.out.getvalue()


def publish(channel, name="order.update", data=None):
    get_provider(PusherProvider).trigger([channel], name, data or {"id": 1})


def test_a_subscription_that_is_refused_is_told_in_words(server, settings):
    settings.PUSHER_SECRET = "another"
    listening = Listening("private-orders", "--timeout", "2")
    listening.wait_for("The service: Auth value for subscription to private-orders is invalid")
    assert listening.result() == ""


@pytest.mark.parametrize("channel", ["orders", "private-orders", "private-encrypted-orders"])
def test_events_of_each_kind_of_channel_are_printed(server, settings, channel):
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = MASTER
    listening = Listening(channel, "--count", "1", "--timeout", "15")
    listening.wait_for(f"Subscribed to {channel}")
    publish(channel)
    assert listening.result()[9:] == f'{channel} order.update {{"id": 1}}\n'


def test_encrypted_events_are_read_with_the_older_key_too(server, settings):
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = MASTER
    listening = Listening("private-encrypted-a", "--count", "2", "--timeout", "15", "--json")
    listening.wait_for("Subscribed")
    publish("private-encrypted-a")
    other = "A" * 43 + "="
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = other
    settings.PUSHER_ENCRYPTION_OLDER_MASTER_KEY_BASE64 = MASTER
    publish("private-encrypted-a")
    data = [json.loads(line)["data"] for line in listening.result().splitlines()]
    assert data == [{"id": 1}, {"id": 1}]


def test_events_of_presence_channels_are_printed_as_they_are(server):
    first = Listening("presence-room", "--count", "1", "--timeout", "15", "--json")
    first.wait_for("Subscribed")
    publish("presence-room", data={"text": "é\x1b[31m"})
    line = json.loads(first.result())
    assert (line["event"], line["data"]) == ("order.update", {"text": "é\x1b[31m"})


def test_nothing_that_was_sent_can_steer_the_terminal(server):
    listening = Listening("orders", "--count", "1", "--timeout", "15")
    listening.wait_for("Subscribed")
    publish("orders", "a\u202eb", {"text": "\x9b31m"})
    assert r"a\u202eb" in (printed := listening.result())
    assert printed.rstrip("\n").isprintable()


def test_it_survives_a_restart_of_the_server(settings):
    with LocalServer() as first:
        point(settings, first)
        listening = Listening("private-orders", "--count", "1", "--timeout", "30")
        listening.wait_for("Subscribed")
    with LocalServer(port=first.port):
        listening.wait_for("Subscribed", times=2)
        publish("private-orders")
        assert "order.update" in listening.result()


def test_it_comes_back_when_it_is_sent_away_and_stays_away_when_refused(server):
    listening = Listening("orders", "--timeout", "30")
    listening.wait_for("Subscribed")
    server.close_connections(4200)
    listening.wait_for("Subscribed", times=2)
    server.close_connections(4009)
    with pytest.raises(CommandError, match="for good: 4009"):
        listening.result()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PUSHER_KEY", "other", "for good: 4001"),
        ("PUSHER_PORT", 1, "refused"),
        ("PUSHER_HOST", "nowhere.invalid", "nowhere.invalid"),
        ("PUSHER_SSL", True, "cannot be listened to"),
        ("PUSHER_SECRET", "", "needs PUSHER_KEY and PUSHER_SECRET"),
    ],
)
def test_wrong_settings_are_an_error_in_one_line(server, settings, name, value, reason):
    setattr(settings, name, value)
    with pytest.raises(CommandError, match=reason) as error:
        call_command("pusher_listen", "orders", stderr=io.StringIO())
    assert server.secret not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_subscription_that_is_refused_is_told_without_the_secret(server, settings):
    settings.PUSHER_SECRET = "another-secret"
    listening = Listening("private-orders", "--timeout", "3")
    listening.wait_for("private-orders")
    assert listening.result() == ""
    assert "another-secret" not in listening.err.getvalue()


@pytest.mark.parametrize("args", [["a b"], ["a", "--count", "0"], ["a", "--timeout", "-1"]])
def test_what_cannot_be_meant_is_an_error(server, args):
    with pytest.raises(CommandError):
        call_command("pusher_listen", *args)


def test_too_few_events_in_time_are_an_error_for_scripts(server):
    with pytest.raises(CommandError, match="0 of 1 events"):
        Listening("orders", "--count", "1", "--timeout", "0.3").result()


def test_silence_until_the_end_of_the_time_is_no_error(server):
    assert Listening("orders", "--timeout", "0.3").result() == ""


@contextmanager
def scripted(settings, *frames):
    """A server that sends its frames, then keeps what it is told."""
    told = []

    def converse(connection):
        for frame in frames:
            connection.send(json.dumps(frame))
        for message in connection:
            told.append(json.loads(message))

    with serve(converse, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        settings.PUSHER_HOST, settings.PUSHER_SSL = "127.0.0.1", False
        settings.PUSHER_PORT = server.socket.getsockname()[1]
        yield told
        server.shutdown()
        thread.join()


def greeting(activity_timeout=120):
    data = json.dumps({"socket_id": "1.1", "activity_timeout": activity_timeout})
    return {"event": "pusher:connection_established", "data": data}


def test_pings_are_answered(settings):
    with scripted(settings, greeting(), {"event": "pusher:ping", "data": {}}) as told:
        Listening("orders", "--timeout", "0.5").result()
    assert [message["event"] for message in told] == ["pusher:subscribe", "pusher:pong"]


def test_after_the_silence_that_the_server_allows_it_is_pinged(settings):
    with scripted(settings, greeting(activity_timeout=0.1)) as told:
        Listening("orders", "--timeout", "0.6").result()
    assert told[1]["event"] == "pusher:ping"


def test_a_server_of_another_protocol_is_an_error(settings):
    with scripted(settings, ["hello"]), pytest.raises(CommandError, match="does not speak"):
        Listening("orders").result()


def test_a_server_that_never_answers_is_an_error(settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.PUSHER_HOST, settings.PUSHER_SSL = "127.0.0.1", False
        settings.PUSHER_PORT, settings.PUSHER_TIMEOUT = silent.getsockname()[1], 0.3
        with pytest.raises(CommandError, match="cannot be listened to"):
            Listening("orders").result()


def test_a_server_behind_a_path_is_asked_there(settings):
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.PUSHER_HOST, settings.PUSHER_SSL = "127.0.0.1", False
        settings.PUSHER_PORT, settings.PUSHER_PATH = server.getsockname()[1], "/ws"
        listening = Listening("orders", "--timeout", "2")
        connection, _ = server.accept()
        with connection:
            line = connection.recv(65_536).partition(b"?")[0]
        listening.join(15)
    assert line == f"GET /ws/app/{settings.PUSHER_KEY}".encode()


def test_a_page_in_the_place_of_a_websocket_server_is_an_error(pusher_api):
    pusher_api.default.status = 404
    with pytest.raises(CommandError, match="answers 40"):
        Listening("orders").result()


def test_ctrl_c_ends_it_with_0(server):
    program = f"""
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["drf_model_pusher"], PUSHER_APP_ID="1", PUSHER_KEY={server.key!r},
    PUSHER_SECRET={server.secret!r}, PUSHER_HOST="127.0.0.1", PUSHER_PORT={server.port},
    PUSHER_SSL=False,
)
django.setup()
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "pusher_listen", "orders"])
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr.readline().startswith("Listening to")
    assert process.stderr.readline() == "Subscribed to orders\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=15)
    assert (process.returncode, err) == (0, "")
