"""Reading the rows of changed objects, many by one query."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drf_model_pusher.declarations import BackendDeclaration

BATCH = 400
"""Objects that are read by one query: SQLite takes 999 values, and a key may have two."""


def read(backend: BackendDeclaration, keys: Collection[Any], using: str) -> dict[Any, Any]:
    """Return the objects that there are, by their keys, as the backend's queryset shows them."""
    if not keys:
        return {}
    found = backend.get_queryset().using(using).filter(pk__in=keys)
    return {instance.pk: instance for instance in found}


def read_hidden(backend: BackendDeclaration, key: Any, using: str) -> Any:
    """Return a row that the model's default manager hides, as a soft deletion does; or None."""
    model = backend.model
    if model._default_manager.using(using).filter(pk=key).exists():
        return None
    return model._base_manager.using(using).filter(pk=key).first()


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Go through items so many at a time as one query reads."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


class Rows:
    """The rows of one backend's objects, read a batch at a time as they are taken."""

    def __init__(self, backend: Callable[[], BackendDeclaration], using: str) -> None:
        self._backend = backend
        self._using = using
        self._expected: list[Any] = []
        self._found: dict[Any, Any] = {}
        #: Whether the database or the backend's queryset has failed.
        self.failed = False

    def expect(self, keys: Iterable[Any]) -> None:
        """Say which rows will be taken, in which order."""
        self._expected += [key for key in dict.fromkeys(keys) if key not in self._found]

    def get(self, key: Any) -> Any:
        """Return a row, or None where there is none."""
        if key not in self._found:
            batch, self._expected = self._expected[:BATCH], self._expected[BATCH:]
            if key not in batch:
                batch.append(key)
            self.failed = True
            found = read(self._backend(), batch, self._using)
            self.failed = False
            self._found |= {each: found.get(each) for each in batch}
        return self._found[key]

    def take(self, key: Any) -> Any:
        """Return a row, and keep it no longer."""
        instance = self.get(key)
        del self._found[key]
        return instance
