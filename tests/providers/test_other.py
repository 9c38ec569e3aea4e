"""The boring providers, and one written as the docs tell it."""

import io
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DeclarationError, ProviderError, SettingError
from drf_model_pusher.providers import (
    BaseProvider,
    ConsoleProvider,
    MemoryProvider,
    get_provider,
    provider_path,
)


def event(**fields):
    return PusherEvent(**{"channels": ("orders",), "name": "order.update", "data": "{}"} | fields)


class TestConsoleProvider:
    def test_prints_a_line_for_each_event(self, capsys):
        get_provider(ConsoleProvider).send(
            [event(data='{"word":"Zoë"}'), event(channels=("a", "b"), socket_id="1.2")]
        )
        assert capsys.readouterr().out.splitlines() == [
            '[pusher] order.update → orders {"word": "Zoë"}',
            "[pusher] order.update → a, b (not to 1.2) {}",
        ]

    @pytest.mark.parametrize(
        ("encoding", "line"),
        [
            ("cp1252", '[pusher] order.update \\u2192 orders {"word": "Zoë\\ud800"}\n'),
            ("utf-8", '[pusher] order.update → orders {"word": "Zoë\\ud800"}\n'),
        ],
    )
    def test_escapes_what_the_stream_cannot_take(self, monkeypatch, encoding, line):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding, newline="\n"))
        get_provider(ConsoleProvider).send([event(data='{"word":"Zoë\\ud800"}')])
        assert written.getvalue().decode(encoding) == line


class TestMemoryProvider:
    def test_remembers_events_as_they_are(self, memory):
        get_provider().send([event()])
        assert memory == [event()]

    def test_takes_python_values_too(self, memory):
        get_provider().trigger(["a"], "hello", {"word": "Zoë"}, "1.2")
        assert (memory[0].channels, memory[0].json()) == (("a",), {"word": "Zoë"})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"channels": ("a:b",)},
            {"channels": ()},
            {"channels": ("x" * 165,)},
            {"name": "n" * 201},
            {"data": "é" * 5121},
            {"socket_id": "nonsense"},
        ],
    )
    def test_refuses_what_pusher_would_refuse(self, memory, wrong):
        with pytest.raises(ProviderError) as caught:
            get_provider().send([event(), event(**wrong), event()])
        assert (caught.value.sent, caught.value.retryable) == (1, False)
        assert memory == [event()]

    def test_knows_a_raised_limit(self, memory, settings):
        settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES = 20_000
        get_provider().send([event(data="é" * 5121)])
        assert len(memory) == 1


class TestInstances:
    def test_there_is_one_for_each_class(self):
        assert get_provider(MemoryProvider) is get_provider(MemoryProvider)

    def test_a_class_and_all_its_paths_are_one_provider(self):
        own = get_provider(MemoryProvider)
        assert get_provider(provider_path(MemoryProvider)) is own
        assert get_provider("drf_model_pusher.providers.MemoryProvider") is own
        assert get_provider("drf_model_pusher.providers.memory:MemoryProvider") is own

    def test_a_class_that_stands_inside_a_function_is_found_by_its_path(self):
        class Inside(ConsoleProvider):
            pass

        assert type(get_provider(provider_path(Inside))) is Inside

    def test_an_overridden_setting_makes_a_new_one(self, settings):
        before = get_provider(MemoryProvider)
        settings.PUSHER_HOST = "elsewhere"
        assert get_provider(MemoryProvider) is not before

    def test_threads_at_once_get_the_same_one(self):
        made = []

        class Slow(MemoryProvider):
            def configure(self):
                made.append(self)
                time.sleep(0.1)

        got = []
        threads = [
            threading.Thread(target=lambda: got.append(get_provider(Slow))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 1
        assert got == made * 8

    def test_one_may_be_made_of_another(self):
        class Inner(MemoryProvider):
            pass

        class Outer(MemoryProvider):
            def configure(self):
                self.inner = get_provider(Inner)

        assert get_provider(Outer).inner is get_provider(Inner)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
    def test_a_child_forked_while_one_is_made_is_not_blocked(self):
        code = """
            import os, signal, threading, time
            from django.conf import settings
            settings.configure()
            from drf_model_pusher.providers import MemoryProvider, get_provider

            entered = threading.Event()

            class Slow(MemoryProvider):
                def configure(self):
                    entered.set()
                    time.sleep(1)

            threading.Thread(target=get_provider, args=(Slow,)).start()
            entered.wait()
            pid = os.fork()
            if not pid:
                signal.alarm(5)
                get_provider(MemoryProvider)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        """
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)]
        assert subprocess.run(command, timeout=30).returncode == 0


class TestErrors:
    def test_the_text_of_a_third_partys_exception_is_its_detail(self):
        class Own(BaseProvider):
            def trigger(self, channels, event_name, data, socket_id=None):
                raise KeyError("payload" + "x" * 300)

        with pytest.raises(ProviderError) as caught:
            Own().send([event()])
        assert str(caught.value) == "KeyError"
        assert caught.value.detail.startswith("'payloadx")
        assert len(caught.value.detail) == 200

    @pytest.mark.parametrize("path", ["nowhere.Nothing", "os.nothing", "os.path", "os.getcwd", ""])
    def test_a_path_of_no_provider_is_refused(self, path):
        with pytest.raises(DeclarationError, match=f"The provider '{path}' cannot be imported"):
            get_provider(path)

    @pytest.mark.parametrize(
        ("status", "retryable"),
        [(408, True), (429, True), (500, True), (503, True), (599, True)]
        + [(status, False) for status in (None, 301, 400, 401, 403, 404, 413, 422)],
    )
    def test_the_status_decides_whether_a_retry_may_help(self, status, retryable):
        assert ProviderError("refused", status=status).retryable is retryable

    def test_a_provider_may_know_better_than_the_status(self):
        assert ProviderError("refused", status=409, retryable=True).retryable
        assert not ProviderError("refused", status=503, retryable=False).retryable

    def test_a_path_that_leads_nowhere_is_an_error_that_says_so(self, settings):
        settings.DRF_MODEL_PUSHER_PROVIDER = "nowhere.Nothing"
        with pytest.raises(SettingError, match="which cannot be imported"):
            get_provider()


@pytest.mark.parametrize(("given", "kept"), [("7", 7.0), (2, 2.0), ("soon", None), (None, None)])
def test_a_provider_may_hand_on_the_header_that_it_was_given(given, kept):
    assert ProviderError("busy", retryable=True, retry_after=given).retry_after == kept
