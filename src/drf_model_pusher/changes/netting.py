"""What is left of the changes of one transaction. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from drf_model_pusher.change import Change
from drf_model_pusher.events import PusherEvent


@dataclass(frozen=True, slots=True)
class Pending:
    """A change of one object, whose verb is known."""

    key: Any
    verb: str
    change: Change
    sources: tuple[Change, ...] = ()
    """What was recorded, of which this is what is left."""


Netted: TypeAlias = "Pending | PusherEvent"


def net(pending: Iterable[Netted], *, forget: bool = True) -> list[Netted]:
    """Return what is left to push, in order.

    Changes of an object through one backend that have the same verb are one; a creation absorbs
    updates, a deletion everything before it, and what was created and deleted again was never
    there. Each stands where the first of them did, a deletion where it was made.

    Args:
        pending: The changes, in order.
        forget: Whether nobody can have heard of what was created and deleted again.
    """
    netting = _Netting(forget=forget)
    for each in pending:
        netting.add(each)
    return [each for each in netting.left if each is not None]


class _Netting:
    def __init__(self, *, forget: bool) -> None:
        self._forget = forget
        self.left: list[Netted | None] = []
        # Where the changes of an object through a backend stand, by verb.
        self._places: dict[tuple[type, Any], dict[str, int]] = {}

    def add(self, each: Netted) -> None:
        if isinstance(each, PusherEvent) or each.key is None:
            self.left.append(each)
            return
        places = self._places.setdefault((each.change.backend, each.key), {})
        if each.verb == "delete":
            self._add_deletion(each, places)
        elif (place := _place_of(each.verb, places)) is None:
            places[each.verb] = len(self.left)
            self.left.append(each)
        else:
            self._merge(each, place, places)

    def _add_deletion(self, deletion: Pending, places: dict[str, int]) -> None:
        before, sources = None, deletion.sources
        for place in places.values():
            earlier = self.left[place]
            if isinstance(earlier, Pending):
                sources = (*earlier.sources, *sources)
                before = before or earlier.change.before.get(deletion.key)
            self.left[place] = None
        created = "create" in places
        places.clear()
        if created and self._forget:
            return
        if before is not None:
            # Whoever knew it before the transaction must hear of the deletion, too.
            change = replace(deletion.change, before={deletion.key: before})
            deletion = replace(deletion, change=change)
        self.left.append(replace(deletion, sources=sources))

    def _merge(self, later: Pending, place: int, places: dict[str, int]) -> None:
        first = self.left[place]
        if not isinstance(first, Pending):
            return
        merged = _merged(first, later)
        if merged is None:  # neither can be read again
            self.left.append(later)
            return
        self.left[place] = merged
        if merged.verb != first.verb:
            places[merged.verb] = places.pop(first.verb)


def _place_of(verb: str, places: dict[str, int]) -> int | None:
    if verb in places:
        return places[verb]
    # Something may have touched an object before its creation was recorded.
    partner = {"create": "update", "update": "create"}.get(verb, "")
    return places.get(partner)


def _merged(first: Pending, later: Pending) -> Pending | None:
    one, other = first.change, later.change
    if one is other:
        return first
    events = None
    if one.events is not None and other.events is not None:
        if first.verb == later.verb and not one.before and not other.before:
            events = other.events
        elif one.backend.asked_at_once and one.view is None:
            return None
    fields = (one.changed_fields, other.changed_fields)
    change = replace(
        one,
        before=one.before or other.before,
        previous={**other.previous, **one.previous},
        changed_fields=None if None in fields else fields[0] | fields[1],  # type: ignore[operator]
        # What two connections wrote is news to both.
        socket_id=one.socket_id if one.socket_id == other.socket_id else None,
        silent=tuple(each for each in one.silent if each in other.silent),
        events=events,
        touches=one.touches or other.touches,
    )
    verb = "create" if "create" in (first.verb, later.verb) else first.verb
    return Pending(first.key, verb, change, (*first.sources, *later.sources))
