"""Events through queues that people run, with real brokers and worker processes."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.pusher_api import Answer

ROOT = Path(__file__).parents[2]
QUEUED = "tests.delivery.queued"
BROKERS = {
    "redis": "redis://127.0.0.1:6379/0",
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//",
}


def need(module):
    if importlib.util.find_spec(module) is None:
        unavailable(f"{module} is not installed")


@contextlib.contextmanager
def running(command, environment, log, **options):
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command],
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **options,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Project:
    """The project, its queue, and what its workers say."""

    def __init__(self, api, settings, folder):
        self.api = api
        self.log = folder / "log"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": f"{QUEUED}.settings",
            "DATABASE": str(folder / "database.sqlite3"),
            "PUSHER_KEY": settings.PUSHER_KEY,
            "PUSHER_SECRET": settings.PUSHER_SECRET,
            "PUSHER_PORT": str(api.port),
            "QUEUE": f"drf-model-pusher-{uuid.uuid4().hex}",
        }

    def use_celery(self, broker):
        self.environment["DELIVERY"] = "drf_model_pusher.delivery.CeleryDelivery"
        self.environment["BROKER"] = broker
        self.worker_command = ["-m", "celery", "-A", QUEUED, "worker", "--concurrency", "2"]
        self.worker_command += ["--without-gossip", "--without-mingle", "--loglevel", "info"]

    def use_tasks(self):
        self.environment["DELIVERY"] = "drf_model_pusher.delivery.TaskDelivery"
        self.worker_command = ["-m", "django", "db_worker", "--interval", "0.1"]
        self.run("-m", "django", "migrate", "--verbosity", "0")

    def run(self, *command):
        return subprocess.run(
            [sys.executable, "-W", "ignore", *command],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def write(self, transactions):
        """Write transactions of 25 events each; return what was said to have failed."""
        return self.run("-m", QUEUED, str(transactions)).splitlines()

    def worker(self):
        return running(self.worker_command, self.environment, self.log)

    def names(self, number):
        """The events of a transaction, in the order of their arrival."""
        names = [event["name"] for event in self.api.events]
        return [name for name in names if name.startswith(f"{number}.")]


@pytest.fixture
def project(pusher_api, settings, tmp_path):
    return Project(pusher_api, settings, tmp_path)


@pytest.fixture
def celery(project):
    """Let the project use a broker, whose queue is gone after the test."""
    used = []

    def use(name):
        need("celery")
        project.use_celery(BROKERS[name])
        used.append(_connect(name))

    yield use
    for connection in used:
        channel = connection.default_channel
        channel.queue_delete(project.environment["QUEUE"])
        if hasattr(channel, "client"):  # Redis keeps how exchanges and queues belong together
            keys = channel.client.scan_iter(f"*{project.environment['QUEUE']}*")
            channel.client.delete("nothing", *keys)
        connection.release()


def _connect(name):
    from kombu import Connection

    connection = Connection(BROKERS[name], connect_timeout=3)
    try:
        connection.ensure_connection(max_retries=1)
    except connection.connection_errors + connection.recoverable_connection_errors:
        unavailable(f"{name} does not run on its usual local port")
    return connection


@pytest.fixture(params=["redis", "rabbitmq", "tasks"])
def queued(request, project):
    """The project with each of the queues."""
    if request.param == "tasks":
        need("django_tasks_db")
        project.use_tasks()
    else:
        request.getfixturevalue("celery")(request.param)
    return project


class TestWorkers:
    def test_what_is_committed_arrives_once_and_in_order_through_an_outage(self, queued):
        trouble = [Answer(status=500), Answer(reset=True)]
        limit = Answer(status=429, headers={"Retry-After": "1"})
        # The first ten events leave before the trouble.
        queued.api.script.extend([Answer(), *trouble, limit])
        assert queued.write(3) == []
        with queued.worker():
            queued.api.wait_for_events(75)
        for number in range(3):
            assert queued.names(number) == [f"{number}.{n}" for n in range(25)]
        assert len(queued.api.events) == 75

    def test_a_retry_waits_as_long_as_the_service_asks(self, queued):
        queued.api.script.append(Answer(status=429, headers={"Retry-After": "2"}))
        queued.write(1)
        with queued.worker():
            queued.api.wait_for_calls(1)
            with pytest.raises(AssertionError, match="waited"):
                queued.api.wait_for_calls(2, timeout=1)
            queued.api.wait_for_events(25)

    def test_one_that_is_killed_is_replaced_by_another(self, project, celery):
        """RabbitMQ gives at once what Redis gives after Celery's visibility timeout."""
        celery("rabbitmq")
        project.api.default = Answer(delay=30, status=500)
        project.write(1)
        with project.worker():
            project.api.wait_for_calls(1)
        project.api.default = Answer()
        with project.worker():
            project.api.wait_for_events(25)
        assert project.names(0) == [f"0.{n}" for n in range(25)]


class Proxy:
    """Carries bytes to a broker until its connections are cut, or die without a word."""

    def __init__(self, port):
        self._target = port
        self._sockets = []
        self._dead = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if target not in self._dead:
                    target.sendall(data)
        self._close(source, target)

    def cut(self):
        self._close(*self._sockets)

    def swallow(self):
        """As a firewall does that has forgotten the connections it had."""
        self._dead += self._sockets

    def close(self):
        self._listener.close()
        self.cut()

    @staticmethod
    def _close(*sockets):
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class TestBrokers:
    @pytest.mark.parametrize("scheme", ["redis", "amqp"])
    def test_one_that_is_down_fails_the_events_and_nothing_else(self, project, scheme):
        need("celery")
        project.use_celery(f"{scheme}://127.0.0.1:1")
        failed = project.write(1)
        assert failed == [f"failed 0.{n} the queue took no task" for n in range(25)]

    @pytest.mark.parametrize("scheme", ["redis", "amqp"])
    def test_one_that_hangs_is_given_up(self, project, scheme):
        need("celery")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            project.use_celery(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
            assert len(project.write(2)) == 50

    @pytest.mark.parametrize("end", [Proxy.cut, Proxy.swallow])
    @pytest.mark.parametrize("name", BROKERS)
    def test_a_connection_that_has_ended_since_loses_nothing(self, project, celery, name, end):
        celery(name)
        proxy = Proxy({"redis": 6379, "rabbitmq": 5672}[name])
        straight = project.environment["BROKER"]
        project.environment["BROKER"] = BROKERS[name].replace(
            straight.rpartition(":")[2].split("/")[0], str(proxy.port)
        )
        command = [sys.executable, "-W", "ignore", "-m", QUEUED, "2", "pause"]
        with subprocess.Popen(
            command,
            env=project.environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as web:
            assert web.stdout.readline() == "written\n"
            end(proxy)
            output, _ = web.communicate("\n\n", timeout=60)
        proxy.close()
        assert output == "written\n"
        project.environment["BROKER"] = straight
        with project.worker():
            project.api.wait_for_events(50)
        assert sorted(map(len, map(project.names, (0, 1)))) == [25, 25]
