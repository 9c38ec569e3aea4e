"""What has happened on a server, for tests, and methods that wait for more. Pure."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from pusher_dev_server import protocol
from pusher_dev_server.activity import Activity, Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedEvent:
    """An event as it was published, once for each of its channels."""

    name: str
    channel: str
    data: Any
    """The decoded data; the text itself where it is no JSON."""
    socket_id: str | None
    """The connection that was left out."""


class Recorder:
    """An observer that remembers. Its methods may be called from any thread."""

    def __init__(self, size: int = 10_000) -> None:
        self._activities: deque[Activity] = deque(maxlen=size)
        self._changed = threading.Condition()

    def __call__(self, activity: Activity) -> None:
        """Remember what has happened."""
        with self._changed:
            self._activities.append(activity)
            self._changed.notify_all()

    @property
    def activities(self) -> list[Activity]:
        """Everything that has happened, the oldest first."""
        with self._changed:
            return list(self._activities)

    @property
    def events(self) -> list[RecordedEvent]:
        """The events that were published over the HTTP API, in their order."""
        return [_event(item) for item in self.activities if item.kind is Kind.PUBLISHED]

    def clear(self) -> None:
        """Forget all that has happened."""
        with self._changed:
            self._activities.clear()

    def wait_for_event(
        self, name: str, channel: str | None = None, timeout: float = 5
    ) -> RecordedEvent:
        """Return the first event of this name, at once if it has been published already.

        Args:
            name: The event's name, such as ``order.update``.
            channel: The channel it must be on; any by default.
            timeout: Seconds to wait.

        Raises:
            TimeoutError: None came; the message lists those that did.
        """
        return _event(self.wait_for(Kind.PUBLISHED, timeout, event=name, channel=channel))

    def wait_for_subscription(self, channel: str, timeout: float = 5) -> Activity:
        """Return when a client has been subscribed to a channel; raise TimeoutError if none is."""
        return self.wait_for(Kind.SUBSCRIBED, timeout, channel=channel)

    def wait_for(self, kind: Kind, timeout: float = 5, **details: str | None) -> Activity:
        """Return the first activity of a kind with these details; None in a detail is any.

        Raises:
            TimeoutError: None came within ``timeout`` seconds.
        """
        wanted = {name: value for name, value in details.items() if value is not None}

        def find() -> Activity | None:
            return next((item for item in self._activities if _matches(item, kind, wanted)), None)

        with self._changed:
            found = self._changed.wait_for(find, timeout)
            if found is None:
                raise TimeoutError(_missing(kind, wanted, timeout, list(self._activities)))
            return found


def _matches(activity: Activity, kind: Kind, wanted: dict[str, str]) -> bool:
    return activity.kind is kind and all(
        getattr(activity, name) == value for name, value in wanted.items()
    )


def _missing(kind: Kind, wanted: dict[str, str], timeout: float, activities: list[Activity]) -> str:
    details = "".join(f" {name}={value!r}" for name, value in wanted.items())
    others = [f"{item.event or ''} on {item.channel}" for item in activities if item.kind is kind]
    seen = "; ".join(others) or "none"
    return f"Not {kind.value} within {timeout} seconds:{details}. What was {kind.value}: {seen}."


def _event(activity: Activity) -> RecordedEvent:
    data: Any = activity.data or ""
    with contextlib.suppress(ValueError):
        data = protocol.decode(data)
    return RecordedEvent(
        name=activity.event or "",
        channel=activity.channel or "",
        data=data,
        socket_id=activity.socket_id,
    )
