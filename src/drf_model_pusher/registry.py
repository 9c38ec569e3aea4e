"""Which backends push the changes of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.models import Model

    from drf_model_pusher.backends import PusherBackend


class Registry:
    """Backends by model class; two models of one name share nothing."""

    def __init__(self) -> None:
        self._backends: dict[type[Model], list[type[PusherBackend]]] = {}

    def register(self, backend: type[PusherBackend], model: type[Model]) -> None:
        """Let a backend push the changes of a model."""
        self._backends.setdefault(model, []).append(backend)

    def unregister(self, backend: type[PusherBackend]) -> None:
        """Forget a backend; for tests that declare one."""
        for backends in self._backends.values():
            if backend in backends:
                backends.remove(backend)

    def __iter__(self) -> Iterator[type[PusherBackend]]:
        """Go through all backends."""
        return (backend for backends in self._backends.values() for backend in backends)

    def backends_for(self, model: type[Model]) -> list[type[PusherBackend]]:
        """Return the backends of this model, in the order of their declaration.

        A proxy that has none of its own is pushed by those of the model that it stands for.
        """
        if backends := self._backends.get(model):
            return backends
        # What views change need not be a model at all.
        meta = getattr(model, "_meta", None)
        return self._backends.get(getattr(meta, "concrete_model", model), [])


registry = Registry()
