"""A provider for tests: events are remembered, as ``django.core.mail.outbox`` remembers mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent, check_event, check_size
from drf_model_pusher.exceptions import InvalidEventError, ProviderError
from drf_model_pusher.providers.base import BatchProvider


class MemoryProvider(BatchProvider):
    """Remembers each event that Pusher would take, and refuses those that it would refuse."""

    events: ClassVar[list[PusherEvent]] = []
    """What was sent, oldest first; ``events.clear()`` forgets it."""

    terminated: ClassVar[list[str]] = []
    """The ids of users whose connections were ended; ``terminated.clear()`` forgets them."""

    def terminate_user(self, user_id: str) -> None:
        """Remember whose connections were ended."""
        self.terminated.append(user_id)

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Remember events as they are."""
        for sent, event in enumerate(events):
            try:
                check_acceptable(event)
            except ProviderError as error:
                error.sent = sent
                raise
            self.events.append(event)


def check_acceptable(event: PusherEvent) -> None:
    """Raise ProviderError for an event that the Pusher provider could not send, or Pusher refuses.

    Many channels are no reason: the events that a call may carry, and their channels, are counted
    before it is made.
    """
    try:
        check_event(event)
        check_size(
            event,
            app_settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES,
            app_settings.DRF_MODEL_PUSHER_MAX_REQUEST_BYTES,
        )
    except InvalidEventError as error:
        raise ProviderError(str(error), status=400) from error
    if not app_settings.PUSHER_ENCRYPTION_MASTER_KEY_BASE64:
        for channel in event.channels:
            if ChannelKind.of(channel) is ChannelKind.ENCRYPTED:
                raise ProviderError(
                    f"{channel!r} needs the setting PUSHER_ENCRYPTION_MASTER_KEY_BASE64."
                )
