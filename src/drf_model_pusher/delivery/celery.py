"""Delivery by Celery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.delivery.jobs import Message, hand_over, work
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.extras import install_line
from drf_model_pusher.forks import after_fork

try:
    from celery import Celery, shared_task
    from kombu.pools import ProducerPool
except ImportError as error:
    raise ImportError(f"CeleryDelivery needs Celery: {install_line('celery')}") from error

# A connection that the broker has closed since its last use fails once.
_PUBLISH_RETRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}


class CeleryDelivery(BaseDelivery):
    """Enqueues one Celery task for all events of a transaction; a worker sends them.

    The task, ``drf_model_pusher.send_events``, is retried through outages by Celery.
    """

    leaves: ClassVar = "after the commit, as one Celery task for all events of the transaction"
    survives_crash: ClassVar = None
    keeps_order: ClassVar = "transaction"
    waits_for_provider: ClassVar = False
    needs: ClassVar = "a broker and a Celery worker; the extra `[celery]`"

    def __init__(self) -> None:
        self._start_afresh()
        after_fork(self._start_afresh)

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Enqueue the task; events that the broker does not take in time have failed."""
        hand_over(events, self._publish)

    def _start_afresh(self) -> None:
        """Own no connection: those of a parent stay its own."""
        self._pools: dict[Celery, Any] = {}

    def _publish(self, message: Message) -> None:
        app = send_events.app
        if app.conf.task_always_eager:
            # Signals report what becomes of the events, as with a worker.
            send_events.apply((message,), throw=False)
            return
        pool = self._pools.get(app) or self._pools.setdefault(app, _pool(app))
        with pool.acquire(block=True, timeout=app_settings.PUSHER_TIMEOUT) as producer:
            send_events.apply_async(
                (message,),
                argsrepr=_shown(message),
                producer=producer,
                retry=True,
                retry_policy=_PUBLISH_RETRIES,
            )


def _pool(app: Celery) -> Any:
    """Return connections that do not wait long; Celery's own may wait forever."""
    limit = app.conf.broker_pool_limit or 10
    seconds = app_settings.PUSHER_TIMEOUT
    connection = app.connection_for_write(connect_timeout=seconds)
    bounds = {
        # Without its confirmation, what is written to a connection that is dead would be lost.
        "amqp": {"read_timeout": seconds, "write_timeout": seconds, "confirm_publish": True},
        "redis": {"socket_timeout": seconds, "socket_connect_timeout": seconds},
    }.get(connection.transport.driver_type, {})
    # What the project says of its broker counts.
    connection.transport_options = {**bounds, **connection.transport_options}
    return ProducerPool(connection.Pool(limit=limit), limit=limit)  # type: ignore[no-untyped-call]


@shared_task(  # type: ignore[untyped-decorator]
    name="drf_model_pusher.send_events",
    bind=True,
    serializer="json",
    ignore_result=True,
    # Another worker takes over what a killed one had begun.
    acks_late=True,
    reject_on_worker_lost=True,
    # How long it is worth a retry is said by DRF_MODEL_PUSHER_RETRY_SECONDS.
    max_retries=None,
)
def send_events(self: Any, message: Message) -> None:
    """Send the events of a transaction; what is left after an outage is retried later.

    Raises:
        ProviderError: They did not leave, and no later try will follow.
    """
    if again := work(message, may_wait=not self.request.is_eager):
        raise self.retry(
            args=(again.message,),
            kwargs={},
            countdown=again.pause,
            argsrepr=_shown(again.message),
        )


def _shown(message: Message) -> str:
    """Return what logs and monitors show of a task: not the payload."""
    return f"({len(message['events'])} events)"
