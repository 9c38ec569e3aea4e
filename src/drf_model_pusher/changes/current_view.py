"""The view that handles the request, for what changes meanwhile without its doing."""

from __future__ import annotations

from asyncio import iscoroutine
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_view: ContextVar[Any] = ContextVar("current_view", default=None)


def current_view() -> Any:
    """Return the view with the mixin that handles the request, or None."""
    return _view.get()


def handle(view: Any, dispatch: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Let a view handle the request, as the current one; what an async view awaits, too."""
    with _current(view):
        response = dispatch(*args, **kwargs)
    return _handle_later(view, response) if iscoroutine(response) else response


async def _handle_later(view: Any, response: Coroutine[Any, Any, Any]) -> Any:
    with _current(view):
        return await response


@contextmanager
def _current(view: Any) -> Iterator[None]:
    token = _view.set(view)
    try:
        yield
    finally:
        _view.reset(token)
