"""Parents: objects of which the change of another is an update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from drf_model_pusher.change import Change
from drf_model_pusher.registry import registry

if TYPE_CHECKING:
    from drf_model_pusher.declarations import BackendDeclaration


def parents_of(backend: BackendDeclaration, change: Change, instance: Any) -> Iterator[Change]:
    """Go through the updates that a change is to the objects which ``touches`` names.

    An object that goes from one parent to another is news to both.

    Args:
        backend: The backend of the change.
        change: The change, with the foreign keys that the object had before.
        instance: The changed object.
    """
    for path in backend.touches:
        field = backend.first_step(path)
        values = [getattr(instance, field.attname), change.previous.get(field.attname)]
        keys = {
            _key(field, value, path, change.using)
            for value in dict.fromkeys(values)
            if value is not None
        }
        if keys := keys - {None}:
            yield from updates_of(backend.touched_model(path), keys, change)


def updates_of(model: Any, keys: set[Any], cause: Change) -> Iterator[Change]:
    """Go through the updates of touched objects, by each backend that is not silent."""
    for backend in registry.backends_for(model):
        if not issubclass(backend, cause.silent):
            yield Change(
                backend=backend,
                verb="update",
                keys=sorted(keys, key=str),
                using=cause.using,
                socket_id=cause.socket_id,
                base_url=cause.base_url,
                silent=cause.silent,
                view=cause.view,
            )


def _key(field: Any, value: Any, path: str, using: str) -> Any:
    """Return the primary key of the object at the end of a path, from the value at its start."""
    target = field.target_field
    rest = path.split("__")[1:]
    if not rest and target.primary_key:
        return target.to_python(value)
    objects = field.related_model._base_manager.using(using).filter(**{target.attname: value})
    return objects.values_list("__".join([*rest, "pk"]), flat=True).first()
