"""What happened to events, for logging, metrics and alarms.

A receiver gets the provider's class as ``sender``, ``NoneType`` where there is no provider, and
these keyword arguments:

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

Receivers run where the event leaves, which is a thread of its own with some deliveries. An
exception in a receiver is logged by Django and stops nothing.
"""

from django.dispatch import Signal

event_sent = Signal(use_caching=True)
"""The service accepted the event. Whether anybody listened is not known."""

event_failed = Signal()
"""The event was given up: it reached nobody.

What a receiver of a drop pushes may make other events drop: those are counted in the log alone.
"""

change_failed = Signal()
"""A change could not be made into events, because of an error in a backend or a serializer.

``sender`` is the backend's class; a receiver gets the ``verb`` and the ``error``. The row is saved.
"""

events_tried = Signal(use_caching=True)
"""A provider was handed events, and has taken all of them, some or none; more tries may follow.

A receiver gets ``provider``, ``events``, ``duration`` and, besides:

``sent``
    How many of the events, from the first on, were taken.
``error``
    The ``ProviderError`` that stopped it; None where all were taken.
``attempts``
    For each event that was taken, how many times it was tried.
``waits``
    For each event that was taken, the seconds from its commit to now; None where it is not known
    when that was, as in another process.
"""


# What Pusher's webhooks tell. A receiver gets the view's class as ``sender``, the ``channel``, the
# ``time_ms`` when Pusher saw it, in milliseconds since 1970, and what is named below. One that
# raises makes Pusher send the whole webhook again: a signal may come twice, late, out of order.

channel_occupied = Signal()
"""A channel has its first subscriber."""

channel_vacated = Signal()
"""A channel has lost its last subscriber; the news is held back for up to 3 seconds."""

member_added = Signal()
"""A user has joined a presence channel: ``user_id``."""

member_removed = Signal()
"""A user has left a presence channel: ``user_id``."""

client_event = Signal()
"""A client has sent an event: ``event``, ``data``, ``socket_id``; on presence channels ``user_id``.

All but ``user_id`` is the client's own word. ``data`` is JSON text, or on soketi the value itself.
"""

cache_miss = Signal()
"""Somebody has subscribed to a cache channel that has no event to give."""

subscription_count = Signal()
"""The number of a channel's subscribers has changed: ``subscription_count``."""

WEBHOOKS = {
    "channel_occupied": channel_occupied,
    "channel_vacated": channel_vacated,
    "member_added": member_added,
    "member_removed": member_removed,
    "client_event": client_event,
    "cache_miss": cache_miss,
    "subscription_count": subscription_count,
}
"""The signals of webhooks, by the names that Pusher uses."""
