"""Saying no: code whose changes push nothing."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

# The backends that are silent, by their classes; `object` for all.
_silent: ContextVar[tuple[type, ...]] = ContextVar("silent", default=())


class suppress_pushes:  # noqa: N801 - read as a statement: `with suppress_pushes():`
    """Push nothing of what changes in a block, or in a function that this decorates.

    It counts where the change is made, whatever the time of the commit, in this thread or task and
    in those that inherit its context, such as tasks started in the block.

    Args:
        *backends: Backends that are silent, with their subclasses; by default all, and a view's
            ``push()``.

    Raises:
        TypeError: It is given what is no class, as ``@suppress_pushes`` without parentheses is; or
            it decorates a generator, which leaves its block at each ``yield``.
    """

    def __init__(self, *backends: type) -> None:
        for backend in backends:
            if not isinstance(backend, type):
                raise TypeError(
                    f"suppress_pushes() takes backends, and {backend!r} is no class: decorate a "
                    "function by `@suppress_pushes()`, with the parentheses."
                )
        self._backends = backends or (object,)
        self._tokens: list[Token[tuple[type, ...]]] = []

    def __enter__(self) -> None:
        self._tokens.append(_silent.set((*_silent.get(), *self._backends)))

    def __exit__(self, *error: object) -> None:
        _silent.reset(self._tokens.pop())

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Decorate a function, sync or async."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__qualname__}() is a generator, which suppress_pushes() cannot "
                "decorate: write `with suppress_pushes():` around what changes something."
            )
        backends = self._backends
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def silent_later(*args: Any, **kwargs: Any) -> Any:
                with suppress_pushes(*backends):
                    return await function(*args, **kwargs)

            return silent_later  # type: ignore[return-value] # a function of the same kind

        @functools.wraps(function)
        def silent(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with suppress_pushes(*backends):
                return function(*args, **kwargs)

        return silent


def is_suppressed(backend: type | None = None) -> bool:
    """Say whether a backend, or what belongs to none, is silent here."""
    silent = _silent.get()
    return bool(silent) and issubclass(backend or object, silent)


def silent_backends() -> tuple[type, ...]:
    """Return the classes that are silent here, with their subclasses."""
    return _silent.get()
