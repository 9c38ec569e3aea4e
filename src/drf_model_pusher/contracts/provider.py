"""What deliveries rely on in a provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple
from unittest import SkipTest

from drf_model_pusher.contracts.messages import make_event, must
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.providers.base import BaseProvider

_VALUES = '{"text":"Zoë \U0001f600","number":1.5,"nothing":null,"list":[1,{"deep":true}]}'
_SECRET = "the payload, which no log may hold"  # noqa: S105


class Arrival(NamedTuple):
    """An event as the far side of a provider got it."""

    channels: Sequence[str]
    name: str
    data: Any
    """Decoded."""
    socket_id: str | None = None


class ProviderContract:
    """What deliveries rely on in a provider.

    Each test gets an object of its own. One event may arrive in several parts, each with some of
    its channels; what must be right is what each channel hears.
    """

    # For subclasses

    carries_socket_id: ClassVar[bool] = True
    """Whether the far side learns of the connection to leave out."""

    def make_provider(self) -> BaseProvider:
        """Return a provider that is configured, and whose far side takes all that comes."""
        raise NotImplementedError

    def arrivals(self) -> Sequence[Arrival]:
        """Return what the far side has taken, oldest first."""
        raise NotImplementedError

    def refuse(self, *, after: int, retryable: bool) -> None:
        """Let the far side take so many events, refuse the next call, and then take all again.

        Args:
            after: How many events are taken before.
            retryable: Whether it is a failure that may pass, such as an outage, or one for good.
        """
        raise SkipTest("refuse() is not implemented: what a failure looks like was not tested")

    # The tests

    def test_events_arrive_in_order_and_as_they_were(self) -> None:
        """Names, values, channels and the connection to leave out."""
        events = [
            make_event("first", data=_VALUES),
            make_event("second", channels=("contract", "other"), socket_id="1.2"),
            make_event("third", data='"text alone"'),
        ]
        self.make_provider().send(events)
        must(
            self._received() == self._expected(events),
            "send() must carry all events, in their order, to each of their channels, with "
            f"unchanged data and socket ids. Wanted {self._expected(events)}, "
            f"got {self._received()}.",
        )

    def test_trigger_takes_python_values(self) -> None:
        """One event at a time, with data that is not yet JSON."""
        event = make_event("hello", data=_VALUES, socket_id="1.2")
        provider = self.make_provider()
        provider.trigger(list(event.channels), event.name, event.json(), event.socket_id)
        must(
            self._received() == self._expected([event]),
            f"trigger() must carry Python values as they are. Got {self._received()}.",
        )

    def test_a_failure_that_may_pass_can_be_tried_again(self) -> None:
        """What left before it is counted, and the rest arrives at the next try."""
        self._fails(retryable=True)

    def test_a_failure_for_good_is_not_tried_again(self) -> None:
        """It is told from an outage."""
        self._fails(retryable=False)

    def test_what_fails_keeps_the_payload_out_of_its_text(self) -> None:
        """The text of an error goes into the log."""
        provider = self.make_provider()
        self.refuse(after=0, retryable=False)
        error = self._error_of(provider, [make_event("secret", data=f'"{_SECRET}"')])
        must(
            _SECRET not in str(error),
            "The text of a ProviderError must not hold the payload: it belongs into its detail.",
        )

    def test_one_instance_serves_many_threads(self) -> None:
        """Each thread's events keep their order."""
        provider = self.make_provider()
        events = [
            [make_event(f"{thread}.{n}", channels=(f"thread-{thread}",)) for n in range(10)]
            for thread in range(4)
        ]
        failures = _in_threads([partial(_send_singly, provider, own) for own in events])
        must(not failures, f"send() must work from several threads at once; it raised {failures}.")
        received = self._received()
        for own in events:
            must(
                received.get(own[0].channels[0]) == self._expected(own)[own[0].channels[0]],
                "Of what several threads send at once nothing may be lost or change its order.",
            )

    # Helpers

    def _fails(self, *, retryable: bool) -> None:
        provider = self.make_provider()
        events = [make_event(f"event {n}") for n in range(3)]
        self.refuse(after=1, retryable=retryable)
        error = self._error_of(provider, events)
        must(
            error.retryable is retryable,
            f"The ProviderError must say retryable={retryable}; deliveries believe it.",
        )
        arrived = len(self._received().get("contract", []))
        must(
            error.sent == arrived,
            f"The ProviderError must count in `sent` what has left: {arrived}, not {error.sent}.",
        )
        must(
            1 <= error.refused <= len(events) - error.sent,
            "The ProviderError must count in `refused` the events that it is about, 1 or more.",
        )
        provider.send(events[error.sent :])
        must(
            self._received() == self._expected(events),
            "After a failure, sending what is left must let every event arrive once, in order.",
        )

    def _error_of(self, provider: BaseProvider, events: Sequence[PusherEvent]) -> ProviderError:
        try:
            provider.send(events)
        except ProviderError as error:
            return error
        except Exception as error:
            raise AssertionError(
                f"send() must raise a ProviderError where the far side refuses, not {error!r}."
            ) from error
        raise AssertionError("send() must raise a ProviderError where the far side refuses.")

    def _received(self) -> dict[str, list[tuple[Any, ...]]]:
        return self._by_channel(self.arrivals())

    def _expected(self, events: Sequence[PusherEvent]) -> dict[str, list[tuple[Any, ...]]]:
        return self._by_channel(
            [Arrival(e.channels, e.name, e.json(), e.socket_id) for e in events]
        )

    def _by_channel(self, arrivals: Sequence[Arrival]) -> dict[str, list[tuple[Any, ...]]]:
        received: dict[str, list[tuple[Any, ...]]] = {}
        for channels, name, data, socket_id in arrivals:
            for channel in channels:
                left_out = socket_id if self.carries_socket_id else None
                received.setdefault(channel, []).append((name, data, left_out))
        return received


def _send_singly(provider: BaseProvider, events: Sequence[PusherEvent]) -> None:
    for event in events:
        provider.send([event])


def _in_threads(calls: Sequence[Callable[[], object]]) -> list[Exception]:
    failures: list[Exception] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - it is what the contract asks about
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failures
