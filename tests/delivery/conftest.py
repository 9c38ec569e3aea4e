from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from drf_model_pusher.delivery import BackgroundDelivery
from drf_model_pusher.delivery.retry import RetryPolicy
from drf_model_pusher.signals import event_failed, event_sent


@pytest.fixture
def reports() -> Iterator[SimpleNamespace]:
    """What the signals said: lists of (event name, attempts, error)."""
    heard = SimpleNamespace(sent=[], failed=[])

    def on_sent(event, attempts, **kwargs):
        heard.sent.append((event.name, attempts))

    def on_failed(event, attempts, error, **kwargs):
        heard.failed.append((event.name, attempts, error))

    event_sent.connect(on_sent)
    event_failed.connect(on_failed)
    yield heard
    event_sent.disconnect(on_sent)
    event_failed.disconnect(on_failed)


@pytest.fixture
def background(settings, monkeypatch) -> Iterator[BackgroundDelivery]:
    """A background delivery of the test's own, with short pauses."""
    monkeypatch.setattr(RetryPolicy, "pause", lambda self, failures, after=None: after or 0.02)
    delivery = BackgroundDelivery()
    yield delivery
    assert delivery.flush(10)
