import json
import signal
import time

import pytest
from django.db import transaction

from drf_model_pusher.outbox import inprocess
from tests.outbox.processes import environment
from tests.processes import running
from tests.pusher_api import PATIENCE, Answer

# A process that commits events in a few ways.
WRITER = """
import os, sys, time
import tests.outbox.project
from django.db import connections
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.events import PusherEvent

def put(*names):
    get_delivery().send(
        [PusherEvent(channels=("orders",), name=name, data="{}", subject="o") for name in names]
    )

"""
# The threads end soon; only then goes the next one on, so that none sends what another wrote.
FORK = """
from drf_model_pusher.outbox import inprocess
from drf_model_pusher.outbox.models import OutboxRow
inprocess._LINGER = 0.2

def see_through(name):
    put(name)
    while OutboxRow.objects.exists() or inprocess._threads["default"]._relay:
        time.sleep(0.05)

see_through("parent 1")
connections.close_all()
if pid := os.fork():
    os.waitpid(pid, 0)
    see_through("parent 2")
else:
    see_through("child")
    connections.close_all()
    os._exit(0)
"""
MANY = """
put(*[f"e{number}" for number in range(30)])
"""


@pytest.fixture(autouse=True)
def own_threads(monkeypatch):
    """Forget other tests' threads, and end those of this one."""
    threads = {}
    monkeypatch.setattr(inprocess, "_threads", threads)
    yield
    for thread in threads.values():
        thread.end()


@pytest.fixture
def env(outbox, pusher_api, settings):
    more = {"DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS": True}
    return environment(outbox.alias, pusher_api, settings, OUTBOX_SETTINGS=json.dumps(more))


@pytest.fixture
def in_process(outbox, settings):
    settings.DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS = True
    return outbox


class TestInProcess:
    def test_what_is_committed_is_sent(self, in_process, pusher_api):
        for number in range(3):
            in_process.put(f"e{number}")
            pusher_api.wait_for_events(number + 1)

    def test_what_is_rolled_back_is_not(self, in_process, pusher_api):
        with transaction.atomic(using=in_process.alias):
            in_process.put("never")
            transaction.set_rollback(True, using=in_process.alias)
        in_process.put("e")
        assert [each["name"] for each in pusher_api.wait_for_events(1)] == ["e"]

    def test_after_a_while_without_events_it_ends(self, in_process, pusher_api, monkeypatch):
        monkeypatch.setattr(inprocess, "_LINGER", 0.1)
        in_process.put("a")
        pusher_api.wait_for_events(1)
        until = time.monotonic() + 10
        while inprocess._threads[in_process.alias]._relay:
            assert time.monotonic() < until
            time.sleep(0.05)
        in_process.put("b")
        pusher_api.wait_for_events(2)

    def test_an_outage_is_sat_out(self, in_process, pusher_api, monkeypatch):
        monkeypatch.setattr(inprocess, "_LINGER", 0.1)
        pusher_api.script.extend([Answer(status=503)] * 3)
        in_process.put("a")
        pusher_api.wait_for_events(1)

    def test_a_forked_child_has_a_thread_of_its_own(self, outbox, pusher_api, env, tmp_path):
        with running("-c", WRITER + FORK, env=env, log=tmp_path / "log") as process:
            assert process.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
        assert [event["name"] for event in pusher_api.events] == ["parent 1", "child", "parent 2"]

    @pytest.mark.parametrize("end", ["exit", "SIGTERM"])
    def test_at_the_end_the_call_under_way_is_finished_and_the_rest_left(
        self, outbox, pusher_api, env, tmp_path, end
    ):
        pusher_api.default = Answer(delay=2)
        told = tmp_path / "told"
        wait = f"while not os.path.exists({str(told)!r}): time.sleep(0.05)"
        with running("-c", WRITER + MANY + wait, env=env, log=tmp_path / "log") as process:
            pusher_api.wait_for_calls(1)
            if end == "SIGTERM":
                process.send_signal(signal.SIGTERM)
            else:
                told.touch()
            code = process.wait(PATIENCE)
        assert code == (0 if end == "exit" else -signal.SIGTERM), (tmp_path / "log").read_text()
        assert (len(pusher_api.calls), len(outbox.names)) == (1, 20)

    def test_what_a_killed_process_leaves_another_one_sends(
        self, outbox, pusher_api, env, tmp_path, settings
    ):
        pusher_api.default = Answer(delay=1)
        kill = "time.sleep(60)"
        with running("-c", WRITER + MANY + kill, env=env, log=tmp_path / "log") as process:
            pusher_api.wait_for_calls(1)
            process.kill()
            process.wait()
        pusher_api.default = Answer()
        settings.DRF_MODEL_PUSHER_OUTBOX_RELAY_IN_PROCESS = True
        outbox.put("last", subject="o")
        deadline = time.monotonic() + 20
        while outbox.names:
            assert time.monotonic() < deadline, outbox.states
            time.sleep(0.1)
        sent = list(dict.fromkeys(event["name"] for event in pusher_api.events))
        assert sent == [*[f"e{number}" for number in range(30)], "last"]
