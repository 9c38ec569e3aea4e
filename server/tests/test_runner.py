"""A server in a thread, and the fixture that starts one."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request

import pytest

from dev_server_tests.client import Client
from pusher_dev_server.runner import listen
from pusher_dev_server.testing import LocalServer


class TestLocalServer:
    def test_it_starts_in_well_under_a_second_on_this_machine_only(self):
        start = time.monotonic()
        with LocalServer() as server:
            assert time.monotonic() - start < 0.5
            assert server.url == f"http://127.0.0.1:{server.port}"
            with pytest.raises(urllib.error.HTTPError) as missing:
                urllib.request.urlopen(f"{server.url}/nowhere")
            missing.value.close()

    def test_two_run_side_by_side_and_share_nothing(self):
        with LocalServer() as one, LocalServer() as two, Client(one) as client:
            client.subscribe("pub")
            assert one.port != two.port
            assert two.recorder.activities == []

    def test_nothing_is_left_of_it(self):
        before = set(threading.enumerate())
        with LocalServer() as server, Client(server):
            pass
        assert set(threading.enumerate()) <= before  # of which other tests' may end meanwhile
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port), 1)

    def test_a_port_that_is_taken_is_an_error_at_once(self):
        with LocalServer() as server, pytest.raises(OSError, match="in use"):
            LocalServer(port=server.port).start()

    def test_it_starts_again_on_the_same_port(self):
        with LocalServer() as server, Client(server):
            pass
        with LocalServer(port=server.port) as again, Client(again):
            pass

    def test_clients_can_be_sent_away(self):
        with LocalServer() as server, Client(server) as client:
            server.close_connections()
            assert client.close_code() == 4200
            with Client(server):
                pass


class TestFixture:
    def test_a_project_uses_it_as_the_documentation_says(self, tmp_path):
        (tmp_path / "test_orders.py").write_text(
            textwrap.dedent(
                """
                import pusher

                def test_an_update_is_pushed(pusher_dev_server):
                    library = pusher.Pusher(
                        pusher_dev_server.app_id, pusher_dev_server.key, pusher_dev_server.secret,
                        host=pusher_dev_server.host, port=pusher_dev_server.port, ssl=False,
                    )
                    library.trigger("orders", "order.update", {"id": 7})
                    event = pusher_dev_server.wait_for_event("order.update", channel="orders")
                    assert event.data == {"id": 7}
                    assert [event.name for event in pusher_dev_server.events] == ["order.update"]
                    assert pusher_dev_server.url.startswith("http://127.0.0.1:")
                """
            )
        )
        result = self.run(str(tmp_path))
        assert "1 passed" in result.stdout, result.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        plugins = ["-p", "no:django", "-p", "no:randomly", "-p", "no:cacheprovider"]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", *plugins, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_loading_the_plugin_imports_nothing_heavy(self):
        code = (
            "import pytest, sys; before = set(sys.modules); "
            "import pusher_dev_server.pytest_plugin; "
            "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert result.stdout.split() == ["pusher_dev_server"]


PURE = [
    "activity",
    "application",
    "cache",
    "channel",
    "channels",
    "configuration",
    "connection",
    "console.access",
    "console.snapshot",
    "events",
    "handlers",
    "hub",
    "presence",
    "protocol",
    "queries",
    "recorder",
    "requests",
    "signatures",
    "users",
    "webhook_delay",
]


def test_the_pure_half_imports_no_sockets_and_no_event_loop():
    imports = "; ".join(f"import pusher_dev_server.{name}" for name in PURE)
    code = f"import sys; before = set(sys.modules); {imports}; print(*(set(sys.modules) - before))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    imported = {name.split(".")[0] for name in result.stdout.split()}
    assert imported.isdisjoint({"asyncio", "socket", "starlette", "uvicorn", "websockets"})


def test_the_whole_package_imports_no_django():
    code = (
        "import sys; import pusher_dev_server.cli, pusher_dev_server.testing; "
        "print([name for name in sys.modules if name.startswith(('django', 'drf_model'))])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


def test_a_name_stands_for_all_its_addresses():
    listeners = listen("localhost", 0)
    ports = {listener.getsockname()[1] for listener in listeners}
    for listener in listeners:
        listener.close()
    assert len(ports) == 1
