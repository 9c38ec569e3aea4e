"""Which view handles the request, so that what changes meanwhile is pushed as its own, once.

What ``perform_create()``, ``perform_update()`` and ``perform_destroy()`` change is the view's to
push. Whatever else is saved or deleted meanwhile is pushed by observers, with the request's socket
id; a push of the view's that tells of the same again is left out.
"""

from __future__ import annotations

from asyncio import iscoroutine
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import models

from drf_model_pusher.changes.moments import Moment
from drf_model_pusher.changes.scopes import Scope, Waiting, alias_of, key_of
from drf_model_pusher.lookups import same

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend


@dataclass(slots=True, eq=False)
class _Handled:
    """A view at work."""

    view: Any
    scope: Scope | None = None
    told: dict[Any, list[Moment]] = field(default_factory=dict)
    """What observers have pushed, or the view, and when; the other one leaves it out, once."""

    def note(self, change: Any, using: str) -> None:
        """Note that a change is pushed; what is rolled back was never told of."""
        moments = [each for each in self.told.get(change, ()) if each.holds()]
        now = Moment(using)
        if not any(each.outlasts(now) for each in moments):
            moments.append(now)
        self.told[change] = moments

    def was_told(self, change: Any) -> bool:
        """Say, once, whether a change has been pushed."""
        return any(each.holds() for each in self.told.pop(change, ()))


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
    before, scope = handled.scope, Scope(known=instances is not None, result=result)
    handled.scope = scope
    scope.own.update(map(key_of, instances or ()))
    try:
        yield
    finally:
        handled.scope = before
        scope.find_own()
        try:
            scope.push(scope.waiting)
        finally:
            _handled.reset(token)


def left_to_view(
    backend: type[PusherBackend], event: str, instance: Any, push: Callable[[], None], using: str
) -> bool:
    """Say whether a view pushes an object itself, or may; if it does not after all, do it then."""
    scope = _scope()
    if scope is None:
        return False
    key = key_of(instance)
    if key in scope.own:
        return True
    if scope.known:
        return False
    scope.add(Waiting(backend, event, key, Moment(using), push))
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
    key = key_of(instance)
    if view is not None and (scope := handled.scope) is not None:
        own = scope.is_own(key)
        scope.push_before(key)
        scope.forget(type(backend), event, key)
        if own:
            return True  # what observers see of its own changes they leave to it
    change = (type(backend), event, key)
    if handled.was_told((view is None, *change)):
        return False
    # A save is told of before the view's push, a deletion after it.
    if (view is None) == (event != "delete"):
        handled.note((view is not None, *change), alias_of(instance))
    return True


def release(instance: Any) -> None:
    """Push what waits of an object that is about to be deleted, while it is there."""
    scope = _scope()
    if scope is not None and scope.waiting:
        scope.push_now({key_of(instance)})


def release_keys(model: type[models.Model], keys: Collection[Any], using: str) -> None:
    """Push what waits of objects before something else is told of them."""
    scope = _scope()
    if scope is not None and scope.waiting:
        to_python = model._meta.pk.to_python
        scope.push_now({(model._meta.concrete_model, to_python(key), using) for key in keys})


def owns(instance: Any) -> bool:
    """Say whether the view that is at work pushes this object itself."""
    scope = _scope()
    return scope is not None and key_of(instance) in scope.own


def _scope() -> Scope | None:
    handled = _handled.get()
    return None if handled is None else handled.scope
