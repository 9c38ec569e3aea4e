"""Spans and metrics of OpenTelemetry, made from the package's own signals.

Nothing is measured, and nothing of OpenTelemetry imported, unless the project asks for it here. The
names are those of the conventions for messaging where there are any.
https://opentelemetry.io/docs/specs/semconv/messaging/
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DroppedError, ProviderError
from drf_model_pusher.extras import install_line
from drf_model_pusher.providers import PusherProvider
from drf_model_pusher.signals import event_failed, event_sent, events_tried

try:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter
    from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider, get_tracer
except ImportError as error:  # pragma: no cover - needs an installation without the extra
    raise ImportError(f"OpenTelemetry needs one more package: {install_line('otel')}") from error

# Seconds: what the conventions advise for an operation, and for events that may wait for minutes.
_OPERATION = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

_SEND = {
    "messaging.system": "pusher",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
}


class _Instruments:
    """What is written to, by receivers of the signals."""

    def __init__(
        self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None
    ) -> None:
        name, number = "drf_model_pusher", version("drf-model-pusher")
        self.tracer = get_tracer(name, number, tracer_provider)
        meter = get_meter(name, number, meter_provider)
        self.duration = meter.create_histogram(
            "messaging.client.operation.duration",
            unit="s",
            description="Duration of a provider's try to send events.",
            explicit_bucket_boundaries_advisory=_OPERATION,
        )
        self.messages = meter.create_counter(
            "messaging.client.sent.messages",
            unit="{message}",
            description="Events that a provider tried to send, each try counted.",
        )
        self.events = meter.create_counter(
            "drf_model_pusher.events",
            unit="{event}",
            description="Events by what became of them in the end.",
        )
        self.latency = meter.create_histogram(
            "drf_model_pusher.delivery.latency",
            unit="s",
            description="Time from the commit until the service had taken the event.",
            explicit_bucket_boundaries_advisory=_LATENCY,
        )
        meter.create_observable_gauge(
            "drf_model_pusher.delivery.waiting",
            callbacks=[self._waiting],
            unit="{event}",
            description="Events that wait in this process.",
        )

    def connect(self) -> None:
        events_tried.connect(self._tried)
        event_sent.connect(self._sent)
        event_failed.connect(self._failed)

    def disconnect(self) -> None:
        events_tried.disconnect(self._tried)
        event_sent.disconnect(self._sent)
        event_failed.disconnect(self._failed)

    def _tried(
        self,
        *,
        provider: object,
        events: Sequence[PusherEvent],
        sent: int,
        duration: float,
        error: ProviderError | None,
        waits: Sequence[float | None],
        **kwargs: object,
    ) -> None:
        where = _SEND | _server(provider)
        failed = where if error is None else where | {"error.type": _error_type(error)}
        self.duration.record(duration, failed)
        if sent:
            self.messages.add(sent, where)
        if error is not None:
            self.messages.add(error.refused, failed)
        for wait in waits:
            if wait is not None:
                self.latency.record(wait, {"messaging.system": "pusher"})
        self._span(events, duration, error, failed)

    def _span(
        self,
        events: Sequence[PusherEvent],
        duration: float,
        error: ProviderError | None,
        attributes: Mapping[str, str | int],
    ) -> None:
        """Make the span of a try that is over; within a request it becomes the request's child."""
        ended = time.time_ns()
        more: dict[str, str | int] = {}
        if len(events) > 1:
            more["messaging.batch.message_count"] = len(events)
        elif len(events[0].channels) == 1:
            more["messaging.destination.name"] = events[0].channels[0]
        address, port = attributes.get("server.address"), attributes.get("server.port")
        span = self.tracer.start_span(
            f"send {address}:{port}" if address else "send",
            kind=SpanKind.CLIENT,
            attributes={**attributes, **more},
            start_time=ended - int(duration * 1e9),
        )
        if error is not None:
            # Its own text only: what the service answered may repeat the payload.
            span.set_status(Status(StatusCode.ERROR, str(error)))
        span.end(ended)

    def _sent(self, **kwargs: object) -> None:
        self.events.add(1, {"drf_model_pusher.outcome": "sent"})

    def _failed(self, *, error: Exception, **kwargs: object) -> None:
        if isinstance(error, DroppedError):
            # One of a few constant texts.
            why = {"drf_model_pusher.outcome": "dropped", "drf_model_pusher.reason": str(error)}
        else:
            why = {"drf_model_pusher.outcome": "failed", "error.type": _error_type(error)}
        self.events.add(1, why)

    def _waiting(self, options: CallbackOptions) -> Iterable[Observation]:
        if self is _current and (count := get_delivery().waiting()) is not None:
            yield Observation(count)


_current: _Instruments | None = None


def instrument(
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Measure from now on; a second call takes the place of the first.

    Args:
        tracer_provider: Where spans go; OpenTelemetry's global one by default.
        meter_provider: Where metrics go; OpenTelemetry's global one by default.
    """
    global _current
    uninstrument()
    _current = _Instruments(tracer_provider, meter_provider)
    _current.connect()


def uninstrument() -> None:
    """Measure no more."""
    global _current
    if _current is not None:
        _current.disconnect()
        _current = None


def _server(provider: object) -> dict[str, Any]:
    if not isinstance(provider, PusherProvider):
        return {}
    host, port = provider.transport.server
    return {"server.address": host, "server.port": port}


def _error_type(error: Exception) -> str:
    """Return a status, or the class of what went wrong below."""
    status = getattr(error, "status", None)
    return str(status) if status else type(error.__cause__ or error).__qualname__
