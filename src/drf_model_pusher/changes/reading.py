"""Reading changed objects again, many by one query."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

BATCH = 400
"""Objects that are read by one query: SQLite takes 999 values, and a key may have two."""


def read(backend: PusherBackend, keys: Collection[Any], using: str) -> dict[Any, Any]:
    """Return the objects that there are, by their keys, as the backend's queryset shows them."""
    if not keys:
        return {}
    found = backend.get_queryset().using(using).filter(pk__in=keys)
    return {instance.pk: instance for instance in found}


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Go through items so many at a time as one query reads."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
