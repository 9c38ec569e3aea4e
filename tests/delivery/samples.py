"""Events that go through what stores them or sends them on."""

from drf_model_pusher.events import PusherEvent

#: With nothing but what each event has, and with all that one can have.
PLAIN = PusherEvent(channels=("orders",), name="hello", data="{}")
FULL = PusherEvent(
    channels=("orders", "private-staff"),
    name="order.update",
    data='{"word":"Zoë 🦄","half":"\\ud800"}',
    socket_id="1.2",
    subject="orders.order:42",
    change="update",
    conflation_key="order 42",
    provider="drf_model_pusher.providers.memory.MemoryProvider",
    occupancy_unknown=True,
)
