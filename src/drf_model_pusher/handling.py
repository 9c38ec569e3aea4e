"""Which view handles the request, so that what changes meanwhile is pushed as its own, once.

What ``perform_create()``, ``perform_update()`` and ``perform_destroy()`` change is the view's to
push. Whatever else is saved or deleted meanwhile is pushed by observers, with the request's socket
id; a push of the view's that tells of the same again is left out.
"""

from __future__ import annotations

from asyncio import iscoroutine
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import ref

from django.db import models, transaction

from drf_model_pusher.lookups import same

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend


@dataclass(slots=True, eq=False)
class _Scope:
    """What a ``perform_…()`` changes."""

    known: bool
    """Whether the objects are known from the beginning; those that it creates are not."""

    own: set[Any] = field(default_factory=set)
    """The objects that the view pushes."""

    waiting: list[tuple[Any, Callable[[], bool], Callable[[], None]]] = field(default_factory=list)
    """Objects saved meanwhile, whether that still holds, and what pushes them."""


@dataclass(slots=True, eq=False)
class _Handled:
    """A view at work."""

    view: Any
    scope: _Scope | None = None
    told: set[Any] = field(default_factory=set)
    """What observers have pushed, or the view; the other one leaves it out, once."""


_handled: ContextVar[_Handled | None] = ContextVar("handled", default=None)

#: Whether anything but views pushes in this project; if not, none of this is done.
needed = False


def need() -> None:
    """Say that something besides views pushes."""
    global needed
    needed = True


def handle(view: Any, dispatch: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Let a view handle the request, as the one that does; what it awaits too if it is async."""
    with _at_work(view):
        response = dispatch(*args, **kwargs)
    return _handle_later(view, response) if iscoroutine(response) else response


async def _handle_later(view: Any, response: Coroutine[Any, Any, Any]) -> Any:
    with _at_work(view):
        return await response


@contextmanager
def _at_work(view: Any) -> Iterator[None]:
    token = _handled.set(_Handled(view))
    try:
        yield
    finally:
        _handled.reset(token)


def backend_for(
    backend_class: type[PusherBackend], model: type[models.Model], *, view: Any = None
) -> PusherBackend:
    """Return a backend for a change that no view pushes itself.

    It has the view that handles the request if that is a view of the model, else its request.
    """
    handled = _handled.get()
    view = handled.view if handled is not None else view
    shown = None if view is None else view.get_pusher_model()
    if shown is not None and same(shown, model):
        return backend_class(view=view)
    backend = backend_class()
    backend.request = getattr(view, "request", None)
    return backend


@contextmanager
def own_changes(view: Any, instances: Any, result: Callable[[], Any]) -> Iterator[None]:
    """Let objects that change in the block be the view's own.

    Args:
        view: The view that pushes them.
        instances: The objects; None where only the result tells them.
        result: Returns them at the end of the block.
    """
    outer = _handled.get()
    handled = outer if outer is not None and outer.view is view else _Handled(view)
    token = _handled.set(handled)
    before, scope = handled.scope, _Scope(known=instances is not None)
    handled.scope = scope
    scope.own.update(map(_key, instances or ()))
    try:
        yield
    finally:
        handled.scope = before
        scope.own.update(map(_key, result()))
        try:
            for key, holds, push in scope.waiting:
                if key not in scope.own and holds():
                    push()
        finally:
            _handled.reset(token)


def left_to_view(instance: Any, push: Callable[[], None], using: str) -> bool:
    """Say whether a view pushes an object itself, or may; if it does not after all, do it then."""
    handled = _handled.get()
    scope = handled.scope if handled is not None else None
    if scope is None:
        return False
    key = _key(instance)
    if key in scope.own:
        return True
    if scope.known:
        return False
    scope.waiting.append((key, _holds(using), push))
    return True


def tell(backend: PusherBackend, event: str, instance: Any, *, view: Any = None) -> bool:
    """Say whether a change is to be told of now; not if the other one of view and observer has.

    Args:
        backend: What tells.
        event: The change.
        instance: The object.
        view: The view that pushes it; None for an observer.
    """
    handled = _handled.get()
    if handled is None or (view is not None and handled.view is not view):
        return True
    if view is not None and handled.scope is not None:
        return True  # what observers see of its own changes they leave to it
    change = (type(backend), event, _key(instance))
    if (view is None, *change) in handled.told:
        handled.told.discard((view is None, *change))
        return False
    # A save is told of before the view's push, a deletion after it.
    if (view is None) == (event != "delete"):
        handled.told.add((view is not None, *change))
    return True


def release(instance: Any) -> None:
    """Push what waits of an object that is about to be deleted, while it is there."""
    handled = _handled.get()
    scope = handled.scope if handled is not None else None
    if scope is None or not scope.waiting:
        return
    key, waiting = _key(instance), scope.waiting
    scope.waiting = [each for each in waiting if each[0] != key]
    for waiting_key, holds, push in waiting:
        if waiting_key == key and holds():
            push()


def owns(instance: Any) -> bool:
    """Say whether the view that is at work pushes this object itself."""
    handled = _handled.get()
    scope = handled.scope if handled is not None else None
    return scope is not None and _key(instance) in scope.own


class _Marker:
    """A hook of a transaction that shows whether it was committed, or may be still."""

    __slots__ = ("__weakref__", "committed")

    def __init__(self, committed: list[bool]) -> None:
        self.committed = committed

    def __call__(self) -> None:
        self.committed.append(True)


def _holds(using: str) -> Callable[[], bool]:
    """Return what says whether the savepoint of this moment has not been rolled back."""
    connection = transaction.get_connection(using)
    if not connection.in_atomic_block:
        return lambda: True
    committed: list[bool] = []
    marker = _Marker(committed)
    connection.on_commit(marker)
    # Django alone holds it, and drops it with its savepoint.
    alive = ref(marker)
    del marker
    return lambda: bool(committed) or (alive() is not None and not connection.needs_rollback)


def _key(instance: Any) -> Any:
    if not isinstance(instance, models.Model):
        return id(instance)
    return instance._meta.concrete_model, instance.pk
