"""The boring providers, and one written as the docs tell it."""

import pytest

from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers import ConsoleProvider, MemoryProvider, get_provider


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

    def test_an_overridden_setting_makes_a_new_one(self, settings):
        before = get_provider(MemoryProvider)
        settings.PUSHER_HOST = "elsewhere"
        assert get_provider(MemoryProvider) is not before
