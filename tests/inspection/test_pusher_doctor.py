"""``manage.py pusher_doctor``, against the development server and servers that are ill."""

import io
import json
import socket
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from email.utils import formatdate

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from drf_model_pusher.outbox import health
from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.table import make_partitions
from tests.pusher_api import Answer

pytestmark = pytest.mark.django_db(databases="__all__")

MASTER = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="


@pytest.fixture
def server(pusher_server, settings):
    settings.PUSHER_APP_ID, settings.PUSHER_KEY = pusher_server.app_id, pusher_server.key
    settings.PUSHER_SECRET = pusher_server.secret
    settings.PUSHER_HOST, settings.PUSHER_PORT = pusher_server.host, pusher_server.port
    settings.PUSHER_SSL, settings.ROOT_URLCONF = False, "tests.urls_of_boards"
    settings.PUSHER_TIMEOUT = 1
    return pusher_server


def run(*args):
    """Return the lines by topic, and whether it failed."""
    output, failed = io.StringIO(), False
    try:
        call_command("pusher_doctor", *args, stdout=output, no_color=True)
    except CommandError:
        failed = True
    return output.getvalue(), failed


def findings():
    output, failed = run("--json")
    found = json.loads(output)
    assert found["ok"] is not failed
    return {each["topic"]: each for each in found["findings"]}


def test_a_healthy_project_is_told_so_in_a_line_each(server):
    output, failed = run()
    assert not failed, output
    lines = output.splitlines()
    assert [line[:19].rstrip() for line in lines] == [
        "ok    settings",
        "ok    checks",
        "ok    service",
        "ok    signature",
        "ok    clock",
        "ok    test event",
        "ok    arrival",
        "ok    webhook route",
        "ok    auth route",
        "ok    cache",
        "ok    occupancy",
        "ok    delivery",
        "ok    outbox",
        "ok    outbox",
    ]
    assert [event.name for event in server.events] == ["doctor.test"]


def test_no_secret_is_ever_printed(server, settings):
    settings.PUSHER_SECRET = "not-the-right-one"
    settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = MASTER
    # Somebody pastes a whole address, secret included.
    settings.PUSHER_HOST = "https://key:not-the-right-one@example.com"
    output, failed = run()
    assert failed
    assert "not-the-right-one" not in output
    assert MASTER not in output
    assert "PUSHER_HOST" in output


@pytest.mark.parametrize(
    ("name", "value", "topic", "found", "todo"),
    [
        ("PUSHER_SECRET", "wrong", "signature", "401: Invalid auth_signature", "PUSHER_SECRET"),
        ("PUSHER_KEY", "wrong", "signature", "401: Unknown auth_key", "PUSHER_KEY"),
        ("PUSHER_APP_ID", "77", "signature", "404: Unknown app", "PUSHER_APP_ID"),
        ("PUSHER_SSL", True, "service", "no TLS there", "PUSHER_SSL"),
        ("PUSHER_PORT", 1, "service", "connection refused", "PUSHER_PORT"),
        ("PUSHER_HOST", "nowhere.invalid", "service", "no such host", "PUSHER_HOST"),
    ],
)
def test_a_wrong_setting_fails_and_is_named(server, settings, name, value, topic, found, todo):
    setattr(settings, name, value)
    finding = findings()[topic]
    assert finding["level"] == "fail"
    assert found in finding["found"]
    assert todo in finding["todo"]


def http(status, body, **headers):
    """Return an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@contextmanager
def stand_in(settings, answer):
    """A server that reads a request and answers with these bytes; with None, never."""
    listener = socket.create_server(("127.0.0.1", 0))

    kept = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            if answer is not None:
                connection.recv(65_536)
                connection.sendall(answer)
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    settings.PUSHER_HOST, settings.PUSHER_PORT = "127.0.0.1", listener.getsockname()[1]
    settings.PUSHER_SSL, settings.PUSHER_TIMEOUT = False, 0.5
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in kept:
        connection.close()


@pytest.mark.parametrize(
    ("answer", "topic", "found", "todo"),
    [
        (None, "service", "no answer in time", "PUSHER_HOST"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "service", "no HTTP server", "PUSHER_PORT"),
        (b"", "service", "no HTTP server", "PUSHER_PORT"),
        (http(401, "Unknown key"), "signature", "401: Unknown key", "PUSHER_KEY"),
        (http(403, "over quota"), "signature", "403: over quota", "quota"),
        (http(404, "<html>"), "signature", "404: <html>", "PUSHER_APP_ID"),
        (http(500, "oops"), "signature", "500: oops", "logs"),
        (http(200, "<html>Hello</html>"), "signature", "no JSON", "Something else answers"),
        (http(200, '{"error":"x","code":401}'), "signature", "401: x", "PUSHER_SECRET"),
        (http(200, "[]"), "signature", "no channels", "PUSHER_HOST"),
        (
            http(301, "", Location="https://example.com/"),
            "service",
            "redirects to https://example.com/",
            "PUSHER_SSL",
        ),
    ],
)
def test_an_ill_server_fails_and_what_to_do_is_said(settings, answer, topic, found, todo):
    with stand_in(settings, answer):
        finding = findings()[topic]
    assert finding["level"] == "fail"
    assert found in finding["found"]
    assert todo in finding["todo"]


@pytest.mark.parametrize(
    ("offset", "status", "body", "level", "found"),
    [
        (0, 200, '{"channels":{}}', "ok", "within"),
        (90, 200, '{"channels":{}}', "warn", "behind"),
        (-3_600, 200, '{"channels":{}}', "fail", "ahead of"),
        (3_600, 401, "Timestamp expired: not within 600s of server time", "fail", "3600 s behind"),
        (None, 401, "Timestamp expired: not within 600s", "fail", "refuses the time"),
        (None, 200, '{"channels":{}}', "ok", "does not tell"),
    ],
)
def test_clocks_that_differ_are_told_apart(settings, offset, status, body, level, found):
    headers = {} if offset is None else {"Date": formatdate(time.time() + offset, usegmt=True)}
    with stand_in(settings, http(status, body, **headers)):
        finding = findings()["clock"]
    assert finding["level"] == level
    assert found in finding["found"].replace("3599", "3600").replace("3601", "3600")


def test_an_event_that_is_refused_fails(pusher_api):
    channels = Answer(body=b'{"channels":{}}')
    # Whether it is there, whether the signature fits, and whether it serves WebSockets.
    pusher_api.script.extend([channels, channels, channels, Answer(status=413, body=b"big")])
    finding = findings()["test event"]
    assert finding["level"] == "fail"
    assert "413: big" in finding["found"]


def test_where_no_websocket_is_served_the_arrival_is_a_warning(pusher_api):
    pusher_api.default.body = b'{"channels":{}}'
    assert findings()["arrival"]["level"] == "warn"
    assert pusher_api.accepted[-1].events[0]["name"] == "doctor.test"


def test_a_setting_that_does_not_fit_fails_in_its_line(settings):
    settings.PUSHER_PORT = "eighty"
    found = findings()
    assert "PUSHER_PORT" in found["settings"]["found"]
    assert found["checks"]["level"] == "fail"


def test_what_a_check_complains_of_is_said(server, settings):
    settings.PUSHER_APP_ID = ""
    finding = findings()["checks"]
    assert finding["found"].startswith("E003")
    assert "ConsoleProvider" in finding["todo"]


def test_another_provider_is_not_asked(memory):
    assert "MemoryProvider" in findings()["service"]["found"]
    assert memory == []


def test_a_disabled_project_is_warned_of(server, settings):
    settings.DRF_MODEL_PUSHER_DISABLED = True
    output, _ = run()
    assert "warn  settings       DRF_MODEL_PUSHER_DISABLED" in output


def test_routes_that_are_missed_are_named(server, settings, own_registry):
    from drf_model_pusher.backends import PrivatePusherBackend
    from tests.boards.models import Board

    class BoardBackend(PrivatePusherBackend):
        channels = ["boards"]
        permission_classes = []

        class Meta:
            model = Board

    settings.ROOT_URLCONF = "tests.urls"
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    found = findings()
    assert found["webhook route"]["level"] == found["auth route"]["level"] == "warn"
    assert "BoardBackend" in found["auth route"]["found"]


CACHES = {
    "shared": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache"},
    "own": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "dead": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1",
    },
}


@pytest.mark.parametrize(
    ("alias", "level", "found"),
    [
        ("shared", "ok", "keeps what it is given"),
        ("own", "warn", "not shared"),
        ("dead", "fail", "ConnectionError"),
        ("absent", "fail", "absent"),
    ],
)
def test_the_cache_is_written_and_read(server, settings, tmp_path, alias, level, found):
    caches = {**CACHES, "shared": {**CACHES["shared"], "LOCATION": str(tmp_path)}}
    settings.CACHES = {"default": CACHES["own"], **caches}
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    settings.DRF_MODEL_PUSHER_CACHE = alias
    finding = findings()["cache"]
    assert finding["level"] == level
    assert found in finding["found"]


def test_whether_channels_are_known_is_said(server, settings):
    from django.core.cache import cache

    cache.clear()
    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = True
    assert findings()["occupancy"]["level"] == "warn"
    call_command("pusher_channels", "--sync", stdout=io.StringIO())
    assert findings()["occupancy"]["found"] == "synchronized for all channels"
    cache.clear()


def test_background_delivery_needs_a_thread(server, settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
    assert findings()["delivery"]["found"] == "BackgroundDelivery, whose thread can run"


@pytest.fixture(autouse=True)
def _looks_again_soon(monkeypatch):
    monkeypatch.setattr(health, "_LOOK_AGAIN", 0.01)


def late(state=OutboxRow.State.WAITING, seconds=120, **more):
    make_partitions("default")
    created = timezone.now() - timedelta(seconds=seconds)
    return OutboxRow.objects.create(
        lane=0, partition=0, state=state, created=created, content="{}", **more
    )


def outbox():
    output, failed = run()
    (line,) = [line for line in output.splitlines() if "outbox         default" in line]
    return line, failed


def test_rows_that_nobody_relays_fail(server):
    late()
    line, failed = outbox()
    assert failed
    assert "1 wait, the oldest for 120 s" in line.replace("121", "120")
    assert line.endswith("Start `manage.py pusher_relay`: nobody sends what waits.")


def test_rows_that_nobody_relays_are_a_warning_at_once(server):
    late(seconds=0)
    line, failed = outbox()
    assert (line[:4], failed) == ("warn", False)
    assert line.endswith("Start `manage.py pusher_relay`: nobody sends what waits.")


def test_a_relay_that_does_not_keep_up_is_a_warning(server):
    late(due=timezone.now() + timedelta(seconds=30))
    line, failed = outbox()
    assert (line[:4], failed) == ("warn", False)
    assert "See what the relay logs" in line


def test_dead_rows_are_a_warning_and_none_are_fine(server):
    assert outbox()[0].startswith("ok")
    late(OutboxRow.State.DEAD)
    assert "1 dead" in outbox()[0]


def test_without_its_table_the_outbox_fails(server):
    table = OutboxRow._meta.db_table
    OutboxRow._meta.db_table = "no_such_table"
    try:
        assert findings()["outbox"]["todo"] == "Run `manage.py migrate`."
    finally:
        OutboxRow._meta.db_table = table


def test_a_silenced_check_is_no_complaint(server, settings):
    settings.DRF_MODEL_PUSHER_NOTHING = 1
    assert findings()["checks"]["found"].startswith("W020 ")
    settings.SILENCED_SYSTEM_CHECKS = ["drf_model_pusher.W020"]
    assert findings()["checks"]["found"] == "no complaints"
