"""The memory provider in the place of all others."""

import pytest
from django.test import override_settings

from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers import (
    BaseProvider,
    ConsoleProvider,
    MemoryProvider,
    PusherProvider,
    get_provider,
)
from drf_model_pusher.testing import StandInProvider, stand_in


class Own(BaseProvider):
    def trigger(self, channels, event_name, data, socket_id=None):
        raise AssertionError("it was asked to send")


@pytest.mark.parametrize("provider_class", [None, PusherProvider, ConsoleProvider, Own])
def test_it_stands_in_for_every_provider(provider_class):
    with stand_in():
        assert type(get_provider(provider_class)) is StandInProvider
    assert type(get_provider(provider_class)) is (provider_class or PusherProvider)


def test_a_test_that_asks_for_another_has_that_one_and_those_of_backends():
    path = "drf_model_pusher.providers.ConsoleProvider"
    with stand_in(), override_settings(DRF_MODEL_PUSHER_PROVIDER=path):
        assert type(get_provider()) is ConsoleProvider
        assert type(get_provider(Own)) is Own


def test_it_remembers_as_the_memory_provider_does(memory):
    with stand_in():
        get_provider(PusherProvider).trigger(["a"], "hello", {"n": 1})
    assert [event.name for event in memory] == ["hello"]


class TestWhatPusherWouldRefuse:
    def send(self, **fields):
        event = {"channels": ("private-encrypted-a",), "name": "e", "data": "{}"} | fields
        get_provider(MemoryProvider).send([PusherEvent(**event)])

    def test_an_encrypted_channel_needs_the_key(self, memory, settings):
        with pytest.raises(ProviderError, match="'private-encrypted-a' needs the setting"):
            self.send()
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = (
            "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="
        )
        self.send()
        assert len(memory) == 1

    def test_the_size_counts_after_encryption(self, memory, settings):
        settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64 = (
            "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="
        )
        self.send(data=f'"{"x" * 7_600}"')
        with pytest.raises(ProviderError, match="the limit is 10,240"):
            self.send(data=f'"{"x" * 7_700}"')

    def test_a_reserved_name_is_refused(self, memory):
        with pytest.raises(ProviderError, match="reserved"):
            self.send(channels=("a",), name="pusher:hello")

    def test_many_channels_are_not(self, memory):
        channels = tuple(f"c{number}" for number in range(101))
        self.send(channels=channels)
        assert memory[0].channels == channels

    def test_python_values_are_counted_as_they_are_sent(self, memory, pusher_api):
        """At the limit to the byte: both providers make the same event."""
        data = [1] * 5_118 + [12]
        for provider in (MemoryProvider, PusherProvider):
            get_provider(provider).trigger(["a"], "hello", data)
        (call,) = pusher_api.accepted
        assert call.json["data"] == memory[0].data
        assert len(memory[0].data) == 10_240


def test_contracts_and_runners_are_named_by_the_package():
    from drf_model_pusher import testing

    for name in testing.__all__:
        assert getattr(testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        testing.nothing  # noqa: B018
