import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from types import SimpleNamespace

import pytest

from drf_model_pusher.delivery import BackgroundDelivery, rounds
from drf_model_pusher.delivery import background as module
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.delivery.retry import RETRY_POLICY, RetryPolicy
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DroppedError
from drf_model_pusher.providers import BaseProvider, MemoryProvider, provider_path
from drf_model_pusher.signals import event_failed
from tests.pusher_api import PATIENCE, Answer


def event(n=0, **fields):
    return PusherEvent(
        **{"channels": ("orders",), "name": f"e{n}", "data": f'{{"n":{n}}}'} | fields
    )


def names(api):
    return [event["name"] for event in api.events]


class TestLeaving:
    def test_events_leave_in_order_from_one_other_thread_over_one_connection(
        self, pusher_api, background
    ):
        for n in range(1000):
            background.send([event(n)])
        assert background.flush(10)
        assert names(pusher_api) == [f"e{n}" for n in range(1000)]
        assert pusher_api.connections == 1
        assert [t.name for t in threading.enumerate()].count("drf_model_pusher") >= 1

    def test_each_thread_keeps_its_order(self, pusher_api, background):
        def push(thread):
            for n in range(50):
                background.send([event(n, data=f'{{"thread":{thread}}}')])

        threads = [threading.Thread(target=push, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert background.flush(10)
        for n in range(4):
            own = [e["name"] for e in pusher_api.events if e["data"]["thread"] == n]
            assert own == [f"e{m}" for m in range(50)]

    def test_what_waits_goes_in_full_batches(self, pusher_api, background):
        pusher_api.script.append(Answer(delay=0.3))
        background.send([event(0)])
        pusher_api.wait_for_calls(1)
        background.send([event(n) for n in range(1, 101)])
        assert background.flush(10)
        assert [len(call.events) for call in pusher_api.calls] == [1, *[10] * 10]

    def test_what_does_not_fill_a_batch_waits_behind_the_full_ones_for_more(
        self, pusher_api, background
    ):
        pusher_api.script.extend([Answer(delay=2), Answer(delay=2)])
        background.send([event(0)])
        pusher_api.wait_for_calls(1)
        background.send([event(n) for n in range(1, 17)])
        pusher_api.wait_for_calls(2)
        background.send([event(n) for n in range(17, 21)])
        assert background.flush(10)
        assert [len(call.events) for call in pusher_api.calls] == [1, 10, 10]
        assert names(pusher_api) == [f"e{n}" for n in range(21)]

    def test_nothing_waits_for_the_pause_of_another_provider(
        self, pusher_api, background, settings
    ):
        settings.PUSHER_TIMEOUT = 5
        pusher_api.default = Answer(status=503, headers={"Retry-After": "300"})
        background.send(
            [event(n) for n in range(10)]
            + [event(n, provider=provider_path(MemoryProvider)) for n in range(10, 12)]
        )
        deadline = time.monotonic() + PATIENCE
        while background.waiting() > 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert background.waiting() == 10
        pusher_api.default = Answer()
        assert background.flush(10)

    @pytest.mark.django_db(transaction=True)  # the round closes old connections, in this thread
    def test_all_leave_where_no_thread_can_start_any_more(
        self, pusher_api, background, monkeypatch
    ):
        def refuse(thread):
            if thread.name == "drf_model_pusher":
                raise RuntimeError("can't create new thread at interpreter shutdown")
            start(thread)

        start = threading.Thread.start
        monkeypatch.setattr(threading.Thread, "start", refuse)
        monkeypatch.setattr(threading, "main_thread", lambda: SimpleNamespace(is_alive=bool))
        background.send([event(n) for n in range(117)])
        assert background.waiting() == 0
        assert names(pusher_api) == [f"e{n}" for n in range(117)]

    def test_each_event_that_has_left_is_a_line_for_who_debugs(
        self, pusher_api, background, caplog
    ):
        pusher_api.script.extend([Answer(status=500), Answer(delay=0.3)])
        with caplog.at_level(logging.DEBUG, "drf_model_pusher"):
            background.send([event(0)])
            pusher_api.wait_for_calls(2)
            background.send([event(1, channels=("orders", "stock"))])
            assert background.flush(10)
        lines = [line.rpartition(" duration=")[0] for line in caplog.messages if "sent" in line]
        assert lines == [
            "event sent name=e0 channels=1 attempts=2",
            "event sent name=e1 channels=2 attempts=1",
        ]

    def test_the_caller_does_not_wait(self, pusher_api, background):
        pusher_api.default = Answer(delay=1)
        started = time.monotonic()
        background.send([event()])
        assert time.monotonic() - started < 0.5
        pusher_api.default = Answer()
        assert background.flush(10)

    def test_from_many_threads_nothing_is_lost(self, pusher_api, background):
        threads = [
            threading.Thread(target=lambda n=n: [background.send([event(n)]) for _ in range(50)])
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert background.flush(10)
        assert sorted(names(pusher_api)) == sorted(f"e{n}" for n in range(8) for _ in range(50))


class TestOutages:
    @pytest.mark.parametrize(
        "trouble",
        [
            Answer(status=500),
            Answer(status=429, headers={"Retry-After": "0"}),
            Answer(reset=True),
            Answer(body=b'{"error":"busy","code":503}'),
        ],
    )
    def test_events_arrive_once_and_in_order_when_it_is_over(
        self, pusher_api, background, reports, trouble
    ):
        pusher_api.script.extend([trouble] * 3)
        for n in range(30):
            background.send([event(n)])
        assert background.flush(10)
        assert names(pusher_api) == [f"e{n}" for n in range(30)]
        assert reports.failed == []
        assert max(attempts for _, attempts in reports.sent) == 4

    def test_a_service_that_hangs_is_given_up_after_the_time_out(
        self, pusher_api, background, settings
    ):
        settings.PUSHER_TIMEOUT = 0.2
        pusher_api.script.append(Answer(delay=1, status=500))
        background.send([event()])
        assert background.flush(10)
        assert names(pusher_api) == ["e0"]
        assert len(pusher_api.calls) == 2

    def test_retry_after_is_honoured(self, pusher_api, background):
        pusher_api.script.append(Answer(status=429, headers={"Retry-After": "1"}))
        background.send([event()])
        pusher_api.wait_for_calls(1)
        started = time.monotonic()
        pusher_api.wait_for_events(1)
        assert time.monotonic() - started > 0.8

    def test_an_event_that_waited_too_long_fails(self, pusher_api, background, settings, reports):
        settings.DRF_MODEL_PUSHER_RETRY_SECONDS = 0
        pusher_api.script.append(Answer(status=500))
        background.send([event(0)])
        assert background.flush(10)
        assert [(name, error.status) for name, _, error in reports.failed] == [("e0", 500)]

    def test_updates_of_one_object_wait_as_one(self, pusher_api, background):
        pusher_api.script.append(Answer(delay=0.3, status=500))
        background.send([event(0, conflation_key="order 7", change="update")])
        pusher_api.wait_for_calls(1)
        for n in range(1, 200):
            background.send([event(n, conflation_key="order 7", change="update")])
        assert background.flush(10)
        assert names(pusher_api) == ["e199"]

    def test_a_full_queue_drops_the_oldest_and_says_so(self, pusher_api, settings, reports):
        settings.DRF_MODEL_PUSHER_QUEUE_SIZE = 5
        background = module.BackgroundDelivery()
        pusher_api.script.append(Answer(delay=0.3))
        background.send([event(0)])
        pusher_api.wait_for_calls(1)
        background.send([event(n) for n in range(1, 8)])
        assert background.flush(10)
        assert names(pusher_api) == ["e0", "e3", "e4", "e5", "e6", "e7"]
        assert [(name, type(error)) for name, _, error in reports.failed] == [
            ("e1", DroppedError),
            ("e2", DroppedError),
        ]

    def test_a_receiver_that_pushes_of_a_drop_drops_no_more_than_it_pushes(
        self, pusher_api, settings, reports, caplog
    ):
        settings.DRF_MODEL_PUSHER_QUEUE_SIZE = 20
        background = module.BackgroundDelivery()
        pusher_api.script.append(Answer(delay=0.3))
        background.send([event(0)])
        pusher_api.wait_for_calls(1)
        background.send([event(n) for n in range(1, 21)])

        def alarm(event, **kwargs):
            background.send([PusherEvent(channels=("alarms",), name=event.name, data="{}")])

        event_failed.connect(alarm)
        try:
            background.send([event(21)])
        finally:
            event_failed.disconnect(alarm)
        assert background.flush(10)
        assert names(pusher_api) == ["e0", *(f"e{n}" for n in range(3, 22)), "e1"]
        assert [name for name, _, _ in reports.failed] == ["e1"]

    def test_a_bug_in_a_round_does_not_end_the_thread_and_is_told(
        self, pusher_api, background, monkeypatch, reports, caplog
    ):
        monkeypatch.setattr(module, "RETRY_POLICY", RetryPolicy(longest_pause=0.01))
        broken = iter([KeyError("bug")])
        real = rounds.send_batch

        def send_batch(*args, **kwargs):
            if error := next(broken, None):
                raise error
            return real(*args, **kwargs)

        monkeypatch.setattr(rounds, "send_batch", send_batch)
        background.send([event(0)])
        assert background.flush(10)
        background.send([event(1)])
        assert background.flush(10)
        assert names(pusher_api) == ["e1"]
        assert [(name, type(error)) for name, _, error in reports.failed] == [("e0", DroppedError)]
        assert "delivery round failed" in caplog.text

    def test_of_rounds_that_are_broken_off_each_tells_of_its_own(
        self, background, monkeypatch, reports
    ):
        monkeypatch.setattr(module, "RETRY_POLICY", RetryPolicy(longest_pause=0.01))
        for number, step in enumerate(["send_batch", "occupied"]):
            with monkeypatch.context() as patch:
                patch.setattr(rounds, step, lambda *args: 1 / 0)
                background.send([event(number)])
                assert background.flush(10)
            assert background.waiting() == 0
        assert [name for name, _, _ in reports.failed] == ["e0", "e1"]

    @pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
    def test_a_provider_that_exits_ends_neither_the_thread_nor_silently(
        self, background, monkeypatch, reports, end
    ):
        class Leaver(BaseProvider):
            def trigger(self, *args):
                raise end

        monkeypatch.setattr(module, "RETRY_POLICY", RetryPolicy(longest_pause=0.01))
        background.send([event(0, provider=provider_path(Leaver))])
        assert background.flush(10)
        assert [(name, type(error)) for name, _, error in reports.failed] == [("e0", DroppedError)]
        assert background._thread.is_alive()

    def test_what_was_not_tried_counts_no_attempt(self, pusher_api, background, reports):
        pusher_api.script.extend([Answer(), Answer(status=500)])
        background.send([event(n) for n in range(30)])
        assert background.flush(10)
        assert [attempts for _, attempts in reports.sent] == [1] * 10 + [2] * 10 + [1] * 10

    def test_its_beginning_and_its_end_are_logged(self, pusher_api, background, caplog):
        pusher_api.script.extend([Answer(status=500)] * 3)
        background.send([event()])
        assert background.flush(10)
        messages = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert len(messages) == 2
        assert messages[0].startswith("delivery interrupted waiting=1 error=")
        assert messages[1] == "delivery resumed"

    def test_a_young_event_behind_an_old_one_is_kept(self, pusher_api, background, settings):
        settings.DRF_MODEL_PUSHER_RETRY_SECONDS = 100
        entries = [
            QueuedEvent(event=event(0), since=time.monotonic()),
            QueuedEvent(event=event(1), since=time.monotonic() - 200),
            QueuedEvent(event=event(2), since=time.monotonic()),
        ]
        pusher_api.script.append(Answer(status=500))
        left, _ = rounds.Rounds().send(entries)
        assert [entry.event.name for entry in left] == ["e0", "e2"]

    def test_what_waits_for_a_dead_provider_is_not_in_the_way_of_others(self, memory, background):
        class Dead(BaseProvider):
            dead = True

            def trigger(self, *args):
                if self.dead:
                    raise ConnectionResetError

        background.send([event(n, provider=provider_path(Dead)) for n in range(250)])
        background.send([event(n, provider=provider_path(MemoryProvider)) for n in range(250)])
        try:
            deadline = time.monotonic() + 10
            while len(memory) < 250 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert [event.name for event in memory] == [f"e{n}" for n in range(250)]
        finally:
            Dead.dead = False

    def test_a_dead_provider_is_given_longer_pauses_beside_a_healthy_one(
        self, pusher_api, settings
    ):
        class Dead(BaseProvider):
            def trigger(self, *args):
                raise ConnectionResetError

        pauses = []
        sending = rounds.Rounds()
        for _ in range(8):
            now = time.monotonic()
            entries = [QueuedEvent(event=event(0), since=now)]
            entries.append(QueuedEvent(event=event(1, provider=provider_path(Dead)), since=now))
            pauses.append(sending.send(entries)[1])
        assert pauses[-1] > 10

    def test_threads_that_stand_still_are_told_of(self, monkeypatch, caplog):
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(has_threads=1))
        BackgroundDelivery()
        assert caplog.text == ""
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(has_threads=0))
        BackgroundDelivery()
        assert "threads stand still" in caplog.text

    def test_without_a_thread_the_caller_does_not_wait(
        self, pusher_api, background, monkeypatch, caplog
    ):
        def refuse(self):
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            background.send([event(0)])
        assert pusher_api.calls == []
        assert "reason=no thread" in caplog.text
        background.send([event(1)])
        assert background.flush(10)
        assert names(pusher_api) == ["e0", "e1"]


class TestPause:
    def test_doubles_up_to_a_bound_with_jitter(self):
        pauses = [RETRY_POLICY.pause(n) for n in range(1, 20)]
        assert 0.25 <= pauses[0] <= 0.75
        assert 1 <= pauses[2] <= 3
        assert max(pauses) <= 45
        assert len({RETRY_POLICY.pause(3) for _ in range(10)}) > 1

    def test_is_never_shorter_than_asked(self):
        assert RETRY_POLICY.pause(1, 20) == 20


PROGRAM = """
import os, sys, signal, multiprocessing, time
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["drf_model_pusher"], PUSHER_APP_ID="3", PUSHER_KEY={key!r},
    PUSHER_SECRET={secret!r}, PUSHER_HOST="127.0.0.1", PUSHER_PORT={port}, PUSHER_SSL=False,
    PUSHER_TIMEOUT={timeout},
)
django.setup()
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.events import PusherEvent

def push(name):
    get_delivery().send([PusherEvent(channels=("c",), name=name, data="{{}}")])

{body}
"""


def run(api, settings, body, *, timeout=5, **kwargs):
    program = PROGRAM.format(
        key=settings.PUSHER_KEY,
        secret=settings.PUSHER_SECRET,
        port=api.port,
        timeout=timeout,
        body=textwrap.dedent(body),
    )
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program], **kwargs
    )


class TestProcesses:
    def test_a_clean_exit_sends_what_waits(self, pusher_api, settings):
        process = run(pusher_api, settings, "for n in range(300): push(f'e{n}')")
        assert process.wait(PATIENCE) == 0
        assert names(pusher_api) == [f"e{n}" for n in range(300)]

    def test_a_clean_exit_does_not_wait_for_a_service_that_hangs(self, pusher_api, settings):
        """Longer than the time-out, that is: how long it takes is for the benchmarks to say."""
        pusher_api.default = Answer(delay=2 * PATIENCE)
        process = run(pusher_api, settings, "push('a')", timeout=1)
        pusher_api.wait_for_calls(1)
        assert process.wait(PATIENCE) == 0

    def test_sigterm_that_a_server_turns_into_an_exit_sends_what_waits(self, pusher_api, settings):
        pusher_api.script.append(Answer(delay=0.5))
        process = run(
            pusher_api,
            settings,
            """
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            for n in range(25): push(f"e{n}")
            time.sleep(20)
            """,
        )
        pusher_api.wait_for_calls(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert sorted(names(pusher_api)) == sorted(f"e{n}" for n in range(25))

    def test_sigterm_to_a_plain_process_sends_what_waits_and_still_ends_it(
        self, pusher_api, settings
    ):
        pusher_api.script.append(Answer(delay=0.5))
        body = """
            for n in range(25): push(f"e{n}")
            time.sleep(20)
        """
        process = run(pusher_api, settings, body)
        pusher_api.wait_for_calls(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == -signal.SIGTERM
        assert sorted(names(pusher_api)) == sorted(f"e{n}" for n in range(25))

    def test_a_handler_that_is_there_stays(self, pusher_api, settings):
        body = """
            handler = lambda *_: sys.exit(7)
            signal.signal(signal.SIGTERM, handler)
            push("a")
            assert signal.getsignal(signal.SIGTERM) is handler
        """
        assert run(pusher_api, settings, body).wait(PATIENCE) == 0

    def test_forked_children_lose_and_repeat_nothing(self, pusher_api, settings):
        process = run(
            pusher_api,
            settings,
            """
            push("parent")
            get_delivery().flush()
            push("waits")
            children = []
            for n in range(4):
                pid = os.fork()
                if not pid:
                    for m in range(50): push(f"child{n}.{m}")
                    sys.exit(0)
                children.append(pid)
            for pid in children: os.waitpid(pid, 0)
            """,
        )
        assert process.wait(PATIENCE) == 0
        expected = ["parent", "waits"] + [f"child{n}.{m}" for n in range(4) for m in range(50)]
        assert sorted(names(pusher_api)) == sorted(expected)

    def test_threads_of_a_forked_child_lose_nothing(self, pusher_api, settings):
        body = """
            import threading
            sys.setswitchinterval(1e-6)
            push("parent")
            get_delivery().flush()
            for child in range(10):
                pid = os.fork()
                if not pid:
                    names = [f"{child}.{n}" for n in range(8)]
                    threads = [threading.Thread(target=push, args=(name,)) for name in names]
                    for thread in threads: thread.start()
                    for thread in threads: thread.join()
                    sys.exit(0)
                os.waitpid(pid, 0)
        """
        assert run(pusher_api, settings, body).wait(60) == 0
        expected = ["parent", *[f"{child}.{n}" for child in range(10) for n in range(8)]]
        assert sorted(names(pusher_api)) == sorted(expected)

    def test_children_forked_behind_pythons_back_lose_and_repeat_nothing(
        self, pusher_api, settings
    ):
        # A fork that Python does not know of hangs if the other thread just wants the interpreter.
        ended = threading.Event()
        pusher_api.script.append(Answer(held=ended))
        body = """
            import ctypes
            end = get_delivery()._end
            push("first")
            input()  # when it is under way
            push("second")
            for pushes in (True, False):
                pid = ctypes.PyDLL(None).fork()  # as uWSGI does
                if not pid:
                    signal.alarm(30)
                    if pushes: push("child")
                    started = time.monotonic()
                    end()
                    os._exit(time.monotonic() - started > 15)
                assert os.waitpid(pid, 0)[1] == 0
            print("ended", flush=True)
        """
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = run(pusher_api, settings, body, timeout=20, **pipes)
        pusher_api.wait_for_calls(1)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ended\n"
        ended.set()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert sorted(names(pusher_api)) == ["child", "first", "second"]

    def test_what_is_lost_at_an_exit_is_counted(self, pusher_api, settings):
        pusher_api.default = Answer(delay=2 * PATIENCE)
        body = """
            from drf_model_pusher.signals import event_failed
            import multiprocessing.util
            heard = []
            keep = lambda **kwargs: heard.append(kwargs["event"].name)
            event_failed.connect(keep)
            for n in range(25): push(f"e{n}")
            """
        process = run(
            pusher_api,
            settings,
            # Runs last: handlers go in the order opposite to that of their registration.
            "import atexit\n"
            "atexit.register(lambda: sys.stdout.write(str(len(heard)) + '\\n'))\n"
            + textwrap.dedent(body),
            timeout=1,
            stdout=subprocess.PIPE,
            text=True,
        )
        output, _ = process.communicate(timeout=PATIENCE)
        assert output.strip() == "25"

    def test_children_of_multiprocessing_send_what_waits(self, pusher_api, settings):
        process = run(
            pusher_api,
            settings,
            """
            push("parent")
            get_delivery().flush()
            context = multiprocessing.get_context("fork")
            children = [context.Process(target=push, args=(f"child{n}",)) for n in range(4)]
            for child in children: child.start()
            for child in children: child.join()
            """,
        )
        assert process.wait(PATIENCE) == 0
        assert sorted(names(pusher_api)) == ["child0", "child1", "child2", "child3", "parent"]

    def test_an_event_pushed_during_the_exit_is_sent(self, pusher_api, settings):
        process = run(
            pusher_api, settings, "import atexit; get_delivery(); atexit.register(push, 'late')"
        )
        assert process.wait(PATIENCE) == 0
        assert names(pusher_api) == ["late"]

    def test_the_library_is_imported_at_the_first_push_and_not_before(self, pusher_api, settings):
        process = run(
            pusher_api,
            settings,
            """
            assert "pusher" not in sys.modules and "nacl" not in sys.modules
            push("a")
            get_delivery().flush()
            assert "pusher" in sys.modules
            """,
        )
        assert process.wait(PATIENCE) == 0

    def test_importing_the_package_imports_nothing(self):
        code = (
            "import sys; before = set(sys.modules); import drf_model_pusher; "
            "new = set(sys.modules) - before - {'drf_model_pusher'}; sys.exit(bool(new))"
        )
        assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == 0
