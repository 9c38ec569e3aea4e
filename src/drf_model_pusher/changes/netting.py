"""What is left to tell of the changes of one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from drf_model_pusher.changes.moves import Before
from drf_model_pusher.composing import socket_id_of, subject_of
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.suppressing import silent_backends

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

_KINDS = ("create", "update", "delete")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Change:
    """One change of objects of one model, as a backend tells of it."""

    backend: PusherBackend

    event: str
    """``create``, ``update``, ``delete`` or a verb of one's own."""

    keys: Sequence[Any]
    """The objects' primary keys."""

    using: str
    """The alias of the database."""

    ignore: bool = True
    """Whether to leave out the connection whose id the request carries."""

    asked: bool = False
    """Whether the backend has said already that it pushes this."""

    before: Mapping[Any, Before] = field(default_factory=dict)
    """Where objects were heard of before the change, by their keys."""

    changed_fields: frozenset[str] | None = None
    """What an update has changed, if that is known."""

    events: Sequence[PusherEvent] | None = None
    """What tells of objects that cannot be read again; None where they can."""

    silent: tuple[type, ...] = field(default_factory=silent_backends)
    """The backends that push nothing of what this touches."""


Told: TypeAlias = "tuple[Any, Change] | PusherEvent"
"""What is to be told: the key of an object with its change, or an event that is made already."""


def gone_change(
    backend: PusherBackend, event: str, instance: Any, events: Sequence[PusherEvent], *, using: str
) -> Change:
    """Return a change that was rendered while the object was there, or that is about none."""
    key = getattr(instance, "pk", None)
    return Change(backend=backend, event=event, keys=[key], using=using, events=events)


def net(changes: Sequence[Change | PusherEvent]) -> list[Told]:
    """Return what is to be told, in the order of the changes.

    Several updates of an object through one backend are one, a creation stays one, a deletion is
    all that counts; what was created and deleted again was never there. Each stands where the first
    of them did. Verbs of one's own stay as they are.
    """
    left = _Net()
    for change in changes:
        if isinstance(change, PusherEvent):
            left.put_event(change)
            continue
        to_python = change.backend.model._meta.pk.to_python
        for key in change.keys:
            left.put(to_python(key), change)
    return [each for each in left.told if each is not None]


class _Net:
    """What is left so far."""

    def __init__(self) -> None:
        self.told: list[Told | None] = []
        # Where the change of an object, or the last event about it, stands.
        self._changes: dict[tuple[type[PusherBackend], Any], int] = {}
        self._events: dict[str | None, int] = {}

    def put_event(self, event: PusherEvent) -> None:
        self._events[event.subject] = len(self.told)
        self.told.append(event)

    def put(self, key: Any, change: Change) -> None:
        name = (type(change.backend), key)
        earlier = self._earlier(name, change)
        if change.event not in _KINDS or key is None:
            self.told.append((key, change))
        elif change.event == "delete":
            if earlier is not None:
                self.told[self._changes.pop(name)] = None
            if earlier is None or earlier.event != "create":
                self.told.append((key, _last(earlier, change, key)))
        elif earlier is not None:
            self.told[self._changes[name]] = (key, _merged(earlier, change, key))
        else:
            self._changes[name] = len(self.told)
            self.told.append((key, change))

    def _earlier(self, name: tuple[type[PusherBackend], Any], change: Change) -> Change | None:
        """Return what is left of the object's earlier changes, to be one with this."""
        place = self._changes.get(name)
        if place is None:
            return None
        backend, told = change.backend, self.told[place]
        if not isinstance(told, tuple):
            return None
        if not backend.reads_again():
            # An event that was made between them is older than what will be read.
            event = self._events.get(subject_of(backend.model, name[1]))
            if event is not None and event > place:
                return None
        return told[1]


def _last(earlier: Change | None, deletion: Change, key: Any) -> Change:
    """Return a deletion that knows where the object was heard of before the transaction."""
    before = None if earlier is None else earlier.before.get(key)
    return deletion if before is None else replace(deletion, before={key: before})


def _merged(first: Change, later: Change, key: Any) -> Change:
    if first is later:
        return first
    one, other = first.changed_fields, later.changed_fields
    writers = {socket_id_of(each.backend, ignore=each.ignore) for each in (first, later)}
    return replace(
        first,
        # Something may have touched an object before it was told of as created.
        event="create" if "create" in (first.event, later.event) else first.event,
        keys=[key],
        # What two connections wrote is news to both.
        ignore=first.ignore and len(writers) == 1,
        asked=first.asked or later.asked,
        before=first.before or later.before,
        silent=tuple(each for each in first.silent if each in later.silent),
        changed_fields=None if one is None or other is None else one | other,
    )
