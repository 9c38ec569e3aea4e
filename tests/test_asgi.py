"""The lifespan protocol, around applications that speak it and those that do not."""

import asyncio

import pytest

from drf_model_pusher.asgi import flush_at_shutdown
from drf_model_pusher.delivery import BackgroundDelivery, get_delivery


@pytest.fixture
def flushed(settings, monkeypatch):
    settings.DRF_MODEL_PUSHER_DELIVERY = "drf_model_pusher.delivery.BackgroundDelivery"
    calls = []
    monkeypatch.setattr(BackgroundDelivery, "flush", lambda self: calls.append(self))
    return calls


def live(application):
    """Start and stop an application; return what it says."""
    inbox = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    said = []

    async def receive():
        return next(inbox)

    async def send(message):
        said.append(message["type"])

    asyncio.run(application({"type": "lifespan"}, receive, send))
    return said


async def deaf(scope, receive, send):
    raise ValueError(scope["type"])


async def living(scope, receive, send):
    for _ in range(2):
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})


async def failing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    raise RuntimeError("later")


@pytest.mark.parametrize("application", [deaf, living])
def test_what_waits_is_sent_before_the_shutdown_is_complete(flushed, application):
    said = live(flush_at_shutdown(application))
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert flushed == [get_delivery()]


def test_an_error_of_the_application_stays_its_own(flushed):
    with pytest.raises(RuntimeError, match="later"):
        live(flush_at_shutdown(failing))


def test_requests_go_through(flushed):
    heard = []

    async def application(scope, receive, send):
        heard.append((scope, receive, send))

    asyncio.run(flush_at_shutdown(application)({"type": "http"}, 1, 2))
    assert heard == [({"type": "http"}, 1, 2)]
    assert flushed == []
