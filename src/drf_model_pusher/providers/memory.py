"""A provider for tests: events are remembered, as ``django.core.mail.outbox`` remembers mail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from drf_model_pusher.conf import app_settings
from drf_model_pusher.events import PusherEvent, check_event, check_size
from drf_model_pusher.exceptions import InvalidEventError, ProviderError
from drf_model_pusher.providers.base import BaseProvider


class MemoryProvider(BaseProvider):
    """Remembers each event that Pusher would take, and refuses those that it would refuse."""

    events: ClassVar[list[PusherEvent]] = []
    """What was sent, oldest first; ``events.clear()`` forgets it."""

    terminated: ClassVar[list[str]] = []
    """The ids of users whose connections were ended; ``terminated.clear()`` forgets them."""

    def terminate_user(self, user_id: str) -> None:
        """Remember whose connections were ended."""
        self.terminated.append(user_id)

    def trigger(
        self, channels: list[str], event_name: str, data: Any, socket_id: str | None = None
    ) -> None:
        """Remember one event."""
        self.send(
            [
                PusherEvent(
                    channels=tuple(channels),
                    name=event_name,
                    data=json.dumps(data, ensure_ascii=False),
                    socket_id=socket_id,
                )
            ]
        )

    def send(self, events: Sequence[PusherEvent]) -> None:
        """Remember events as they are."""
        for sent, event in enumerate(events):
            try:
                check_event(event)
                check_size(event, app_settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES)
            except InvalidEventError as error:
                raise ProviderError(str(error), status=400, sent=sent) from error
            self.events.append(event)
