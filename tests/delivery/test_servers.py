"""Background delivery under the servers that people run: nothing is lost, nothing sent twice."""

import contextlib
import os
import signal
import socket
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.processes import running
from tests.pusher_api import Answer

ROOT = Path(__file__).parents[2]
SERVED = "tests.delivery.served"


@pytest.fixture
def environment(pusher_api, settings):
    return {
        **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
        "PUSHER_KEY": settings.PUSHER_KEY,
        "PUSHER_SECRET": settings.PUSHER_SECRET,
        "PUSHER_PORT": str(pusher_api.port),
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def post(port, name):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{name}", b"", method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read()


def wait_until_it_answers(port, process, log):
    for _ in range(600):
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def names(api):
    return [event["name"] for event in api.events]


GUNICORN = ["-m", "gunicorn", f"{SERVED}:application", "--workers", "2", "--bind"]
COMMANDS = {
    "gunicorn-sync": [*GUNICORN, "127.0.0.1:{port}"],
    "gunicorn-gthread": [*GUNICORN, "127.0.0.1:{port}", "--threads", "4"],
    "gunicorn-preload": [*GUNICORN, "127.0.0.1:{port}", "--preload"],
    "uvicorn": ["-m", "uvicorn", f"{SERVED}:asgi", "--port", "{port}"],
    "runserver": ["-m", SERVED, "runserver", "127.0.0.1:{port}", "--noreload"],
}


class TestServers:
    @pytest.mark.parametrize("server", COMMANDS)
    def test_what_waits_leaves_when_the_server_is_stopped(
        self, pusher_api, environment, tmp_path, server
    ):
        port, log = free_port(), tmp_path / "log"
        command = [part.format(port=port) for part in COMMANDS[server]]
        if server == "gunicorn-preload":
            environment["PUSH_WHILE_LOADING"] = "1"
        with running(*command, env=environment, log=log) as process:
            wait_until_it_answers(port, process, log)
            # So slow that most of it still waits at the end.
            pusher_api.default = Answer(delay=0.2)
            pids = {post(port, f"e{n}") for n in range(40)}
            # Ctrl+C is how runserver is stopped.
            process.send_signal(signal.SIGINT if server == "runserver" else signal.SIGTERM)
            process.wait(20)
        expected = [f"e{n}" for n in range(40)]
        if server == "gunicorn-preload":
            expected.append("loaded")
        assert sorted(names(pusher_api)) == sorted(expected), log.read_text()
        assert len(pids) <= 2

    def test_a_change_of_code_reloads_runserver_and_loses_nothing(
        self, pusher_api, environment, tmp_path
    ):
        module = tmp_path / "watched.py"
        module.write_text("from tests.delivery.served import *\n")
        program = (
            "import sys; sys.argv[0] = __file__\n"
            "import watched\n"
            "from django.core.management import execute_from_command_line\n"
            "execute_from_command_line()\n"
        )
        (tmp_path / "start.py").write_text(program)
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(tmp_path), str(ROOT), environment.get("PYTHONPATH", "")]
        )
        port, log = free_port(), tmp_path / "log"
        command = [str(tmp_path / "start.py"), "runserver", f"127.0.0.1:{port}"]
        with running(*command, env=environment, log=log) as process:
            wait_until_it_answers(port, process, log)
            pusher_api.default = Answer(delay=0.2)
            for n in range(20):
                post(port, f"e{n}")
            module.write_text("from tests.delivery.served import *  # changed\n")
            pusher_api.wait_for_events(20)
            wait_until_it_answers(port, process, log)
            post(port, "after")
            pusher_api.wait_for_events(21)
            process.send_signal(signal.SIGINT)
            process.wait(20)
        assert sorted(names(pusher_api)) == sorted([*[f"e{n}" for n in range(20)], "after"])


class TestCelery:
    def test_children_of_the_prefork_pool_lose_nothing(self, pusher_api, environment, tmp_path):
        redis = pytest.importorskip("redis", reason="the Redis client is not installed")
        celery = pytest.importorskip("celery", reason="Celery is not installed")
        broker = "redis://127.0.0.1:6379/0"
        try:
            client = redis.Redis.from_url(broker)
            client.ping()
        except redis.ConnectionError:
            unavailable("Redis does not run on its usual local port")
        queue = f"drf-model-pusher-{uuid.uuid4().hex}"
        environment |= {"CELERY_BROKER": broker, "CELERY_QUEUE": queue, "PUSH_WHILE_LOADING": "1"}
        log = tmp_path / "log"
        command = ["-m", "celery", "-A", f"{SERVED}:app", "worker", "--pool", "prefork"]
        command += ["--concurrency", "2", "--without-gossip", "--without-mingle"]
        app = celery.Celery(broker=broker)
        try:
            with app.connection_for_write() as connection:
                for n in range(12):
                    app.send_task("push", [f"e{n}"], queue=queue, connection=connection)
            with running(*command, env=environment, log=log) as process:
                # Each child ends after three tasks, with what it pushed still waiting.
                pusher_api.default = Answer(delay=0.2)
                pusher_api.wait_for_events(13)
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        finally:
            app.close()
            client.delete(queue)
            client.close()
        assert sorted(names(pusher_api)) == sorted(["loaded", *[f"e{n}" for n in range(12)]])
