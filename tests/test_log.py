"""What is dropped is logged in full, and seldom."""

import os
import subprocess
import sys
import textwrap

import pytest

from drf_model_pusher import log
from drf_model_pusher.exceptions import ProviderError


@pytest.fixture
def drops(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: clock[0])
    drops = log._Drops()
    drops.clock = clock
    return drops


def run(body):
    """Run a program with the log on standard error; return what it wrote there."""
    program = """
import logging, os, signal, sys, threading
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["drf_model_pusher"], LOGGING_CONFIG=None)
logging.basicConfig(format="%(message)s")
django.setup()
from drf_model_pusher import log
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c"]
    process = subprocess.run(
        [*command, program + textwrap.dedent(body)], capture_output=True, text=True, timeout=30
    )
    assert process.returncode == 0, process.stderr
    return process.stderr.splitlines()


class TestDrops:
    def test_are_logged_once_a_minute_and_all_of_them(self, drops, caplog):
        for _ in range(1000):
            drops.add("full")
        drops.clock[0] += 59
        drops.add("full")
        assert caplog.messages == ["events dropped count=1 reason=full"]
        drops.clock[0] += 1
        drops.add("full")
        assert caplog.messages[1:] == ["events dropped count=1001 reason=full"]

    def test_what_is_left_comes_with_the_next_drop_for_another_reason(self, drops, caplog):
        for _ in range(1000):
            drops.add("full")
        drops.clock[0] += 60
        drops.add("too old")
        assert sorted(caplog.messages[1:]) == [
            "events dropped count=1 reason=too old",
            "events dropped count=999 reason=full",
        ]

    def test_what_is_left_is_logged_at_the_exit(self):
        lines = run("for _ in range(1000): log._drops.add('full')")
        assert lines == [
            "events dropped count=1 reason=full",
            "events dropped count=999 reason=full",
        ]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
    def test_a_child_logs_its_own_and_is_not_blocked(self):
        lines = run(
            """
            for _ in range(5): log._drops.add("parent")
            held, done = threading.Event(), threading.Event()

            def hold():
                with log._drops._lock:
                    held.set()
                    done.wait()

            thread = threading.Thread(target=hold)
            thread.start()
            held.wait()
            pid = os.fork()
            if not pid:
                signal.alarm(5)
                log._drops.add("child")
                log._drops.log_rest()
                os._exit(0)
            status = os.waitpid(pid, 0)[1]
            done.set()
            thread.join()
            assert status == 0
            """
        )
        assert lines == [
            "events dropped count=1 reason=parent",
            "events dropped count=1 reason=child",
            "events dropped count=4 reason=parent",
        ]


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (ProviderError("the service answered 403", detail="a\nb"), "the service answered 403"),
            (KeyError("a\nb"), "KeyError"),
        ],
    )
    def test_hold_no_text_of_others(self, caplog, error, text):
        from drf_model_pusher.events import PusherEvent

        event = PusherEvent(channels=("c",), name="e", data="{}")
        log._log_failed(event=event, attempts=1, duration=0.5, error=error)
        assert caplog.messages == [
            f"event failed name=e channels=1 attempts=1 duration=0.500 error={text}"
        ]
