"""What the server has done, for those who watch it: logs, tests, the console. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Kind(str, Enum):
    """What happened."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    SIGNED_IN = "signed in"
    PUBLISHED = "published"
    CLIENT_EVENT = "client event"
    REFUSED = "refused"
    WEBHOOK = "webhook"


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One thing that happened. It carries payloads, and never a secret or a signature."""

    kind: Kind
    app_id: str
    channel: str | None = None
    event: str | None = None
    data: str | None = None
    """An event's data as text; of a refusal, why."""
    socket_id: str | None = None
    """Whose doing it was; of a published event, the connection that is left out."""
    user_id: str | None = None


#: Called in the server's own thread, inside its work: it must be quick and must not raise.
Observer = Callable[[Happening], None]
