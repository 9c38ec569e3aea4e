"""Parents: objects of which the change of another is an update."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from drf_model_pusher.changes import handling
from drf_model_pusher.changes.netting import Change
from drf_model_pusher.registry import registry
from drf_model_pusher.suppressing import silent_backends

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend


def parents_of(
    backend: PusherBackend,
    instance: Any,
    *,
    ignore: bool,
    using: str,
    silent: tuple[type, ...] | None = None,
) -> Iterator[Change]:
    """Go through the updates that a change is to the objects which ``touches`` names.

    An object that the change has taken from one parent to another is news to both.

    Args:
        backend: What tells of the change.
        instance: The changed object.
        ignore: Whether to leave out the connection whose id the request carries.
        using: The alias of the database.
        silent: The backends that were silent at the change; by default those that are now.
    """
    silent = silent_backends() if silent is None else silent
    for path in backend.touches:
        model = backend.touched_model(path)
        field: Any = backend.model._meta.get_field(path.split("__")[0])
        previous = backend.previous or {}
        # One that is deferred is read, unless it was before the change.
        if field.attname in previous:
            values = [instance.__dict__.get(field.attname), previous[field.attname]]
        else:
            values = [getattr(instance, field.attname)]
        keys = {_key(field, value, path, using) for value in values if value is not None}
        if keys := keys - {None}:
            # Of one that was saved just before it is told first.
            handling.release_keys(model, keys, using)
            for parent in registry.backends_for(model):
                if issubclass(parent, silent):
                    continue
                yield Change(
                    backend=handling.backend_for(parent, model, view=backend.view),
                    event="update",
                    keys=sorted(keys, key=str),
                    ignore=ignore,
                    using=using,
                    silent=silent,
                )


def _key(field: Any, value: Any, path: str, using: str) -> Any:
    """Return the primary key of the object at the end of a path, from the value at its start."""
    target = field.target_field
    rest = path.split("__")[1:]
    if not rest and target.primary_key:
        return value
    objects = field.related_model._base_manager.using(using).filter(**{target.attname: value})
    return objects.values_list("__".join([*rest, "pk"]), flat=True).first()
