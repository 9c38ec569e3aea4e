"""Which backends push the changes of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from django.db.models import Model


_Follow: TypeAlias = "Callable[[type[Any]], None]"


class Registry:
    """Backends by model class; two models of one name share nothing."""

    def __init__(self) -> None:
        self._backends: dict[type[Model], list[type[Any]]] = {}
        self._followers: list[tuple[_Follow, _Follow]] = []
        #: Models with backends to whose objects ``touches`` of any backend leads.
        self.touched: set[type[Model]] = set()

    def register(self, backend: type[Any], model: type[Model]) -> None:
        """Let a backend push the changes of a model."""
        self._backends.setdefault(model, []).append(backend)
        self._find_touched()
        for registered, _ in self._followers:
            registered(backend)

    def unregister(self, backend: type[Any]) -> None:
        """Forget a backend; for tests that declare one."""
        for backends in self._backends.values():
            if backend in backends:
                backends.remove(backend)
        self._find_touched()
        for _, unregistered in self._followers:
            unregistered(backend)

    def follow(self, registered: _Follow, unregistered: _Follow) -> None:
        """Call a function for each backend, and another one when it is forgotten."""
        if (registered, unregistered) in self._followers:
            return
        self._followers.append((registered, unregistered))
        for backend in self:
            registered(backend)

    def _find_touched(self) -> None:
        touched = {
            backend.touched_model(path)._meta.concrete_model
            for backend in self
            for path in backend.touches
        }
        models = {backend.model for backend in self}
        self.touched = {model for model in models if model._meta.concrete_model in touched}

    def __iter__(self) -> Iterator[type[Any]]:
        """Go through all backends."""
        return (backend for backends in self._backends.values() for backend in backends)

    def backends_for(self, model: type[Model]) -> list[type[Any]]:
        """Return the backends of this model, in the order of their declaration.

        A proxy that has none of its own is pushed by those of the model that it stands for.
        """
        if backends := self._backends.get(model):
            return backends
        # What views change need not be a model at all.
        meta = getattr(model, "_meta", None)
        return self._backends.get(getattr(meta, "concrete_model", model), [])


def same_model(one: type[Model], other: type[Model]) -> bool:
    """Say whether two models have the same rows, as proxies have."""
    return one._meta.concrete_model is other._meta.concrete_model


registry = Registry()
