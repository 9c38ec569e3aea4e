"""One change of one model's objects: the value that every producer records."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from drf_model_pusher.events import PusherEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviousChannels:
    """Where an object was shown before its update, and what it was known by there."""

    channels: Sequence[str]
    """Full channel names."""

    key: Mapping[str, Any]
    """The data of a deletion for subscribers who may not read what the object has become."""

    def without(self, channels: Collection[str]) -> PreviousChannels:
        """Return the same for the other channels."""
        left = [name for name in self.channels if name not in channels]
        return PreviousChannels(channels=left, key=self.key)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Change:
    """A change of objects of one model, through one backend.

    It is plain data but for ``view``, which stays within the process.
    """

    backend: type[Any]
    """The class of the backend."""

    verb: str
    """``create``, ``update``, ``delete`` or a verb of the project's own."""

    keys: Sequence[Any]
    """The objects' primary keys; None for a change of no object."""

    using: str
    """The alias of the database that was written to."""

    before: Mapping[Any, PreviousChannels] = field(default_factory=dict)
    """Where objects were shown before the change, by key; only of those that may have moved."""

    previous: Mapping[str, Any] = field(default_factory=dict)
    """Earlier values of the foreign keys that ``touches`` names, by column; of one object."""

    changed_fields: frozenset[str] | None = None
    """Names of the fields that an update changed; None where nobody knows them."""

    socket_id: str | None = None
    """The connection that made the change and is left out."""

    base_url: str = ""
    """Where absolute URLs begin: the host of the request that made the change."""

    silent: tuple[type, ...] = ()
    """Backends that ``suppress_pushes()`` silenced at the time, touched ones too."""

    events: Sequence[PusherEvent] | None = None
    """What was rendered at the time; None where the rows are read after the commit."""

    touches: bool = True
    """Whether parents are still to be updated; those of a rendered change are already."""

    observed: bool = False
    """Whether an observer saw it, rather than a view or the project's code pushing it."""

    view: Any = None
    """The view that handled the request, for backends that ask it; not stored by the outbox."""

    def each(self) -> Iterator[Change]:
        """Go through the changes of single objects."""
        if len(self.keys) == 1:
            yield self
            return
        for key in self.keys:
            known = {key: self.before[key]} if key in self.before else {}
            yield replace(self, keys=[key], before=known)


Recorded: TypeAlias = "Change | PusherEvent"
"""What a journal holds: a change, or an event that is about no object."""
