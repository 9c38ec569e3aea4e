"""Many changes at once: read in batches, rendered once each, or one "fetch anew" for them all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.db import models, router

from drf_model_pusher.changes.moves import Before
from drf_model_pusher.changes.netting import Change, gone_change
from drf_model_pusher.changes.reading import batches, read
from drf_model_pusher.changes.refetching import add
from drf_model_pusher.changes.settling import invalidation
from drf_model_pusher.changes.touching import parents_of
from drf_model_pusher.composing import compose
from drf_model_pusher.pushing import push_events

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend


# Objects whose deletion is told of in bulk, by their keys: what observers leave out.
_gone: ContextVar[Mapping[type[PusherBackend], Collection[Any]]] = ContextVar("gone")


@contextmanager
def told_of(gone: Mapping[type[PusherBackend], Collection[Any]]) -> Iterator[None]:
    """Let observers leave out the deletion of objects, of which backends tell in bulk."""
    token = _gone.set({**_gone.get({}), **gone})
    try:
        yield
    finally:
        _gone.reset(token)


def is_told_of(backend: type[PusherBackend], instance: models.Model) -> bool:
    """Say whether a backend tells of the deletion of an object in bulk."""
    return instance.pk in _gone.get({}).get(backend, ())


def push_many(
    backend: PusherBackend,
    event: str,
    instances: Iterable[Any],
    *,
    ignore: bool = True,
    using: str | None = None,
) -> None:
    """Push the same change of many objects; see ``PusherBackend.push_many()``."""
    if not isinstance(instances, models.QuerySet):
        instances = list(instances)
    using = using or _alias(backend, instances)
    if backend.events.get(event, event) == "delete":
        _push_deletions(backend, event, instances, ignore=ignore, using=using)
    else:
        push_keys(backend, event, list(_keys(instances)), ignore=ignore, using=using)


def push_keys(
    backend: PusherBackend,
    event: str,
    keys: list[Any],
    *,
    using: str,
    ignore: bool = True,
    before: Mapping[Any, Before] | None = None,
    changed_fields: frozenset[str] | None = None,
    touched: Sequence[Change] = (),
) -> None:
    """Push a change of objects that are named by their primary keys, once it is committed.

    Args:
        backend: The backend that says how the change looks.
        event: ``create``, ``update``, ``delete`` or a verb of one's own.
        keys: The primary keys.
        using: The alias of the database.
        ignore: Whether to leave out the connection whose id the request carries.
        before: Where objects were heard of before an update, by their keys.
        changed_fields: What an update has changed, if that is known.
        touched: Updates of parents that the objects may have left.
    """
    if keys:
        change = Change(
            backend=backend,
            event=event,
            keys=keys,
            using=using,
            ignore=ignore,
            before=before or {},
            changed_fields=changed_fields,
        )
        add([change, *touched])


def _push_deletions(
    backend: PusherBackend, event: str, instances: Any, *, ignore: bool, using: str
) -> None:
    """Render objects while they are there; above the limit only their channels are kept."""
    gone: list[Change] = []
    touched: list[Change] = []
    channels: dict[str, None] = {}
    count, limit = 0, backend.bulk_limit
    for instance in _stream(backend, instances, using):
        resolved = backend.resolve_event(event, instance)
        if not backend.should_push(resolved, instance):
            continue
        touched += parents_of(backend, instance, ignore=ignore, using=using)
        count += 1
        if limit is not None:
            channels |= dict.fromkeys(backend.full_names(instance))
        if limit is None or count <= limit:
            made = compose(backend, resolved, instance, ignore=ignore, using=using)
            gone.append(gone_change(backend, resolved, instance, made, using=using))
        else:
            gone.clear()
    if limit is not None and count > limit:
        push_events(invalidation(backend, channels, ignore=ignore), using=using)
    elif backend.reads_again():
        add(gone)
    else:
        push_events([event for change in gone for event in change.events or ()], using=using)
    add(touched)


def _stream(backend: PusherBackend, instances: Any, using: str) -> Iterator[Any]:
    if not isinstance(instances, models.QuerySet):
        yield from instances
        return
    for batch in batches(list(_keys(instances))):
        found = read(backend, batch, using)
        yield from (found[key] for key in batch if key in found)


def _keys(instances: Any) -> Iterator[Any]:
    if isinstance(instances, models.QuerySet):
        yield from instances.values_list("pk", flat=True)
        return
    for instance in instances:
        key = instance.pk if isinstance(instance, models.Model) else instance
        if key is None:
            raise ValueError(f"{instance!r} has no primary key, and so cannot be read again.")
        yield key


def _alias(backend: PusherBackend, instances: Any) -> str:
    """Return the database that the objects were, or are about to be, written to."""
    if backend.using:
        return backend.using
    if isinstance(instances, models.QuerySet):
        chosen: str | None = instances._db  # type: ignore[attr-defined] # by using()
        return chosen or router.db_for_write(instances.model)
    first = instances[0] if instances else None
    if isinstance(first, models.Model) and first._state.db:
        return first._state.db
    return router.db_for_write(backend.model)
