"""What is left to tell of the changes of one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from drf_model_pusher.composing import socket_id_of
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.moves import Before
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
    """Where objects were heard of before an update, by their keys."""

    changed_fields: frozenset[str] | None = None
    """What an update has changed, if that is known."""

    events: Sequence[PusherEvent] | None = None
    """What tells of objects that cannot be read again; None where they can."""

    silent: tuple[type, ...] = field(default_factory=silent_backends)
    """The backends that push nothing of what this touches."""


def gone_change(
    backend: PusherBackend, event: str, instance: Any, events: Sequence[PusherEvent], *, using: str
) -> Change:
    """Return a change that was rendered while the object was there, or that is about none."""
    key = getattr(instance, "pk", None)
    return Change(backend=backend, event=event, keys=[key], using=using, events=events)


def net(changes: Sequence[Change]) -> dict[type[PusherBackend], list[tuple[Any, Change]]]:
    """Return keys of objects with what is to be told of each, by backend, in order.

    Several updates are one, a creation stays one, a deletion is all that counts; what was created
    and deleted again was never there. Verbs of one's own stay as they are.
    """
    groups: dict[type[PusherBackend], dict[Any, tuple[Any, Change]]] = {}
    for change in changes:
        group = groups.setdefault(type(change.backend), {})
        to_python = change.backend.model._meta.pk.to_python
        for key in change.keys:
            _put(group, to_python(key), change)
    return {backend: list(group.values()) for backend, group in groups.items()}


def _put(group: dict[Any, tuple[Any, Change]], key: Any, change: Change) -> None:
    if change.event not in _KINDS:
        group[object()] = (key, change)
    elif change.event == "delete":
        _, earlier = group.pop(key, (key, None))
        if earlier is None or earlier.event != "create":
            group[object()] = (key, change)
    elif key in group:
        group[key] = (key, _merged(group[key][1], change, key))
    else:
        group[key] = (key, change)


def _merged(first: Change, later: Change, key: Any) -> Change:
    if first is later:
        return first
    one, other = first.changed_fields, later.changed_fields
    writers = {socket_id_of(each.backend, ignore=each.ignore) for each in (first, later)}
    return replace(
        first,
        keys=[key],
        # What two connections wrote is news to both.
        ignore=first.ignore and len(writers) == 1,
        asked=first.asked or later.asked,
        before=first.before or later.before,
        silent=tuple(each for each in first.silent if each in later.silent),
        changed_fields=None if one is None or other is None else one | other,
    )
