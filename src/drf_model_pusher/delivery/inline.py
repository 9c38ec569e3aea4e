"""The simplest delivery: after the commit, before the response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from drf_model_pusher.delivery.base import BaseDelivery
from drf_model_pusher.delivery.sending import send_once
from drf_model_pusher.events import PusherEvent


class InlineDelivery(BaseDelivery):
    """Sends in the thread that committed; the request waits for the provider, once, no retry."""

    leaves: ClassVar = "after the commit, in the request"
    keeps_order: ClassVar = "thread"

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Try each event once."""
        send_once(events)
