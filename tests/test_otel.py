"""Spans and metrics, as OpenTelemetry's own exporters get them."""

import subprocess
import sys
import threading
import time

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from drf_model_pusher.delivery import BackgroundDelivery, InlineDelivery, get_delivery
from drf_model_pusher.delivery.jobs import work, write_message
from drf_model_pusher.delivery.queue import QueuedEvent
from drf_model_pusher.delivery.sending import report_dropped
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.otel import instrument, uninstrument
from drf_model_pusher.signals import events_tried
from tests.pusher_api import Answer


class Telemetry:
    def __init__(self):
        self.reader, self.exporter = InMemoryMetricReader(), InMemorySpanExporter()
        self.tracers, self.meters = TracerProvider(), MeterProvider([self.reader])
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    def points(self, name):
        """Return the data points of a metric."""
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def telemetry():
    telemetry = Telemetry()
    instrument(tracer_provider=telemetry.tracers, meter_provider=telemetry.meters)
    yield telemetry
    uninstrument()
    telemetry.meters.shutdown()
    telemetry.tracers.shutdown()


@pytest.fixture
def background(settings):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
    delivery = get_delivery()
    assert isinstance(delivery, BackgroundDelivery)
    yield delivery
    delivery.flush()


def event(number=1, *channels):
    return PusherEvent(channels=channels or ("orders",), name="order.update", data=f"[{number}]")


def test_a_try_is_a_span_with_the_names_of_the_conventions(telemetry, pusher_api):
    InlineDelivery().send([event()])
    (span,) = telemetry.spans
    assert (span.name, span.kind) == (f"send 127.0.0.1:{pusher_api.port}", SpanKind.CLIENT)
    assert dict(span.attributes) == {
        "messaging.system": "pusher",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "orders",
        "server.address": "127.0.0.1",
        "server.port": pusher_api.port,
    }
    assert span.start_time < span.end_time


def test_a_batch_is_one_span_that_counts(telemetry, pusher_api):
    InlineDelivery().send([event(1), event(2), event(3)])
    (span,) = telemetry.spans
    assert span.attributes["messaging.batch.message_count"] == 3
    assert "messaging.destination.name" not in span.attributes


def test_within_a_request_a_span_is_its_child(telemetry, pusher_api):
    with telemetry.tracers.get_tracer("t").start_as_current_span("request") as request:
        InlineDelivery().send([event()])
    assert telemetry.spans[0].parent.span_id == request.get_span_context().span_id


def test_a_failure_is_told_without_what_the_service_said(telemetry, pusher_api):
    pusher_api.script.append(Answer(status=403, body=b"the payload"))
    InlineDelivery().send([event()])
    (span,) = telemetry.spans
    assert (span.status.status_code, span.attributes["error.type"]) == (StatusCode.ERROR, "403")
    assert "payload" not in span.to_json()
    (point,) = telemetry.points("messaging.client.sent.messages")
    assert (point.value, point.attributes["error.type"]) == (1, "403")


def test_the_duration_of_a_try_is_that_of_its_span(telemetry, pusher_api):
    InlineDelivery().send([event(1), event(2)])
    (point,) = telemetry.points("messaging.client.operation.duration")
    (span,) = telemetry.spans
    assert point.count == 1
    assert point.sum == pytest.approx((span.end_time - span.start_time) / 1e9, abs=1e-6)
    assert point.explicit_bounds[0] == 0.005


def test_events_are_counted_by_outcome(telemetry, pusher_api):
    InlineDelivery().send([event(), event()])
    pusher_api.script.append(Answer(status=401))
    InlineDelivery().send([event()])
    report_dropped([event()], "the queue is full")
    counts = {
        tuple(sorted(point.attributes.items())): point.value
        for point in telemetry.points("drf_model_pusher.events")
    }
    outcome = "drf_model_pusher.outcome"
    assert counts == {
        ((outcome, "sent"),): 2,
        ((outcome, "failed"), ("error.type", "401")): 1,
        ((outcome, "dropped"), ("drf_model_pusher.reason", "the queue is full")): 1,
    }


def test_an_error_below_is_named_by_its_class(telemetry, pusher_api):
    pusher_api.script.append(Answer(reset=True))
    InlineDelivery().send([event()])
    assert telemetry.spans[0].attributes["error.type"] == "ProtocolError"


def test_latency_covers_the_wait_and_the_retries(telemetry, pusher_api, background):
    pusher_api.script.append(Answer(status=503))
    background.send([event()])
    pusher_api.wait_for_events(1)
    assert background.flush(10)
    (latency,) = telemetry.points("drf_model_pusher.delivery.latency")
    durations = telemetry.points("messaging.client.operation.duration")
    assert latency.count == 1
    # The pause between two tries is at least a quarter of a second.
    assert latency.sum > sum(point.sum for point in durations) + 0.2


def test_latency_covers_the_time_in_a_queue(telemetry, pusher_api):
    since = time.time() - 5
    message = write_message([QueuedEvent(event=event(), since=since)], since=since)
    assert work(message, may_wait=True) is None
    (latency,) = telemetry.points("drf_model_pusher.delivery.latency")
    assert 5 <= latency.sum < 60


def test_where_the_commit_is_not_known_no_latency_is_made_up(telemetry, pusher_api):
    InlineDelivery().send([event()])
    assert telemetry.points("drf_model_pusher.delivery.latency") == []


def test_what_waits_in_the_process_is_a_gauge(telemetry, pusher_api, background):
    gauge = "drf_model_pusher.delivery.waiting"
    assert [point.value for point in telemetry.points(gauge)] == [0]
    arrived, go_on = threading.Event(), threading.Event()

    def hold(**kwargs):
        arrived.set()
        go_on.wait(10)

    events_tried.connect(hold)
    background.send([event(1)])
    assert arrived.wait(10)
    background.send([event(2), event(3)])
    assert telemetry.points(gauge)[0].value == 3  # one is under way
    events_tried.disconnect(hold)
    go_on.set()
    assert background.flush(10)
    assert telemetry.points(gauge)[0].value == 0


def test_a_delivery_in_which_nothing_waits_has_no_gauge(telemetry):
    assert telemetry.points("drf_model_pusher.delivery.waiting") == []


def test_a_second_call_takes_the_place_of_the_first(telemetry, pusher_api):
    other = Telemetry()
    instrument(tracer_provider=other.tracers, meter_provider=other.meters)
    InlineDelivery().send([event()])
    assert (len(telemetry.spans), len(other.spans)) == (0, 1)
    uninstrument()
    InlineDelivery().send([event()])
    assert len(other.spans) == 1
    other.meters.shutdown()
    other.tracers.shutdown()


def test_another_provider_s_span_names_no_server(telemetry, memory):
    InlineDelivery().send([event()])
    assert telemetry.spans[0].name == "send"


def test_nothing_is_imported_unless_it_is_asked_for():
    program = """
import sys, django
from django.conf import settings
settings.configure(INSTALLED_APPS=["drf_model_pusher"], PUSHER_APP_ID="1", PUSHER_KEY="k",
                   PUSHER_SECRET="s")
django.setup()
import drf_model_pusher.views, drf_model_pusher.delivery.background
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
