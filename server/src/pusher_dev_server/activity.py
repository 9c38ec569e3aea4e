"""What happens on the server, for whoever observes it: terminal, tests, console. Pure."""

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
class Activity:
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


#: Characters of a payload that a line shows.
SHOWN = 500

#: Called in the server's own thread, inside its work: it must be quick and must not raise.
Observer = Callable[[Activity], None]


def format_line(activity: Activity) -> str:
    """Return one line for a terminal: what happened, where, and with which data."""
    data = activity.data or ""
    if len(data) > SHOWN:
        data = f"{data[:SHOWN]}… ({len(data)} characters)"
    details = [activity.channel, activity.event, data]
    if activity.user_id is not None:
        details.append(f"user={activity.user_id}")
    if activity.socket_id is not None:
        details.append(f"socket={activity.socket_id}")
    line = " ".join(detail for detail in details if detail)
    # Escape what a client could send to steer the terminal, and what cannot be encoded.
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1]
        for character in f"[{activity.app_id}] {activity.kind.value:<12} {line}"
    )
