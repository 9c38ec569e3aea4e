"""What Celery's logs and monitors can show of events."""

import pytest

from drf_model_pusher.events import PusherEvent

celery = pytest.importorskip("celery", reason="Celery is not installed")


def test_a_message_shows_how_many_events_it_has_and_not_what_they_say():
    from drf_model_pusher.delivery import CeleryDelivery

    app = celery.Celery("shown", broker="memory://", set_as_current=True)
    event = PusherEvent(channels=("orders",), name="order.update", data='{"secret":1}')
    try:
        CeleryDelivery().send([event, event])
        with app.connection_for_read() as connection:
            message = connection.SimpleQueue("celery").get(block=False)
            message.ack()
    finally:
        app.close()
    assert message.headers["argsrepr"] == "(2 events)"
    assert "secret" not in str(message.headers)
