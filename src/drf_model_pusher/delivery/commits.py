"""Events of one transaction leave together, and only those that it commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import ref

from django.db import DEFAULT_DB_ALIAS, connections

# An event, or what events will be made of.
Item = TypeVar("Item")

# The attribute of a connection, which is one thread's, with the link of the last hook: of this
# transaction or, where it leads to nothing that lives, of an earlier one.
_LAST = "_drf_model_pusher_last_hook"


def after_commit(
    send: Callable[[Sequence[Item]], None],
    events: Sequence[Item],
    *,
    using: str | None = None,
    instead_of: Callable[[Sequence[Any]], None] | None = None,
) -> None:
    """Send events once the current transaction is committed, in one call with its later ones.

    Outside a transaction they are sent at once.

    Args:
        send: Called in the thread that commits, with the events of all calls with an equal `send`.
        events: What to send, in order.
        using: The alias of the database whose transaction decides.
        instead_of: Another `send`, whose later events are left to this one, to keep their order.
    """
    connection = connections[using or DEFAULT_DB_ALIAS]
    if not connection.in_atomic_block and connection.autocommit:
        send(list(events))  # as a hook would, without the detour
        return
    hook = _Hook(send, events, instead_of)
    if connection.in_atomic_block:
        kept = vars(connection)
        if (last := kept.get(_LAST)) is not None:
            last[1] = hook.place
        kept[_LAST] = hook.place
    connection.on_commit(hook)


class _Hook:
    """What a transaction calls after its commit.

    The first of them that is called takes the events of those behind it, which find nothing to do
    when their turn comes; should a hook of somebody else's raise in between, nothing is lost.
    Django alone holds hooks, and drops those of a savepoint that is rolled back: what is dead was
    not committed. Those before it have had their turn, or are to have none, as in a test that
    captures what is called on commit.
    """

    __slots__ = ("__weakref__", "events", "instead_of", "place", "send")

    def __init__(
        self,
        send: Callable[[Sequence[Any]], None],
        events: Sequence[Any],
        instead_of: Callable[[Sequence[Any]], None] | None,
    ) -> None:
        self.send = send
        self.events = events
        self.instead_of = instead_of
        # A link of a chain: the hook, weakly, and the next link. It outlives a hook that is dropped
        # for as long as a hook before it lives.
        self.place: list[Any] = [ref(self), None]

    def __call__(self) -> None:
        if not self.events:
            return
        taken: list[Any] = []
        place = self.place
        while place is not None:
            hook: _Hook | None = place[0]()
            if hook is not None and hook.events:
                if hook.instead_of == self.send:
                    break
                if hook.send == self.send or hook.send == self.instead_of:
                    taken += hook.events
                    hook.events = ()
            place = place[1]
        self.send(taken)
