"""What happened to events, for logging, metrics and alarms.

A receiver gets the provider's class as ``sender`` and these keyword arguments:

``event``
    The :class:`~drf_model_pusher.events.PusherEvent`.
``provider``
    The provider's instance; None where the event never got so far.
``attempts``
    How many times it was tried; 0 for an event that was dropped untried.
``duration``
    Seconds that the last try took, for all the events that were sent together.
``error``
    With ``event_failed`` only: the exception.

Receivers run where the event leaves, which is a thread of its own with some deliveries. An exception
in a receiver is logged by Django and stops nothing.
"""

from django.dispatch import Signal

event_sent = Signal()
"""The service accepted the event. Whether anybody listened is not known."""

event_failed = Signal()
"""The event was given up: it reached nobody."""
