"""Observers: changes count wherever they are made, if a backend says ``Meta.observe``.

Signals are connected for the models of such backends only. They do not tell of ``raw`` saves, which
load fixtures, nor of what goes past ``save()`` and ``delete()``; see ``querysets`` for that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save

from drf_model_pusher.change_rules import field_names
from drf_model_pusher.changes.block import current_block
from drf_model_pusher.changes.current_view import current_view
from drf_model_pusher.changes.failures import reported
from drf_model_pusher.changes.recording import change_of_many, is_silent, record_keys
from drf_model_pusher.changes.snapshots import Snapshot
from drf_model_pusher.instances import InstanceNotes
from drf_model_pusher.registry import registry

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

# Rows as they were, between the signals before a save and those after it.
_old: InstanceNotes[list[Model | None]] = InstanceNotes()

# Keys of the objects that are about to lose their relation.
_cleared: InstanceNotes[set[Any]] = InstanceNotes()

# Objects of a fixture, whose relations follow: Django says only from 6.1 on that they are loaded.
_loaded: InstanceNotes[bool] = InstanceNotes()


def follow_registry() -> None:
    """Observe what registered backends ask for, and those that will be registered."""
    registry.follow(_connect, _disconnect)


def _connect(backend: type[PusherBackend]) -> None:
    if backend.observe:
        for signal, sender, receiver, name in _receivers(backend.model):
            signal.connect(receiver, sender=sender, weak=False, dispatch_uid=_uid(name))


def _disconnect(backend: type[PusherBackend]) -> None:
    if backend.observe:
        for signal, sender, _, name in _receivers(backend.model):
            signal.disconnect(sender=sender, dispatch_uid=_uid(name))
        # Those of a parent, and others of the model, observe some of them as well.
        for other in registry:
            _connect(other)


def _receivers(model: type[Model]) -> Iterator[tuple[Any, type[Model], Callable[..., None], str]]:
    for sender in _family(model):
        yield pre_save, sender, _before_save, "save"
        yield post_save, sender, _after_save, "save"
        yield pre_delete, sender, _before_delete, "delete"
    for field in model._meta.many_to_many:
        through: Any = field.remote_field.through
        yield m2m_changed, through, partial(_on_relation, model, field), model._meta.label


def _family(model: type[Model]) -> list[type[Model]]:
    """Return a model, and those whose objects are objects of it too: proxies and children."""
    return [model, *(m for m in apps.get_models() if issubclass(m, model) and m is not model)]


def _uid(name: str) -> str:
    return f"drf_model_pusher.observers.{name}"


def _observing(model: type[Model], kind: str) -> Iterator[type[PusherBackend]]:
    """Go through the backends of exactly this model, or of what it is a proxy of."""
    for backend in registry.backends_for(model):
        if kind in backend.observe and not is_silent(backend):
            yield backend


def _observing_save(
    model: type[Model], kind: str
) -> Iterator[tuple[type[PusherBackend], type[Model] | None]]:
    """Go through the backends that observe a save, each with the parent that it is about."""
    yield from ((each, None) for each in _observing(model, kind))
    # With a child its parents are saved, of which no signal tells; their deletion has one.
    concrete: Any = model._meta.concrete_model
    for parent in concrete._meta.get_parent_list():
        if not parent._meta.proxy:
            yield from ((each, parent) for each in _observing(parent, kind))


def _is_own(backend: type[PusherBackend], instance: Model, using: str) -> bool:
    """Say whether the view or the bulk operation at work pushes an object itself."""
    block = current_block(using)
    return block is not None and (backend, instance.pk) in block.own


def _before_save(
    sender: type[Model],
    instance: Model,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    """Read the row as it was, for backends to which what changes makes a difference."""
    if raw:
        return
    # A receiver may save the object again: the one that is done first was begun last.
    olds = _old.setdefault(instance, [])
    olds.append(None)
    with reported(None, "update"):
        if not _is_inserted(instance) and any(
            not _is_own(backend, instance, using)
            and (backend.asks_what_changed or backend.depends_on(update_fields))
            for backend, _ in _observing_save(sender, "update")
        ):
            olds[-1] = sender._base_manager.using(using).filter(pk=instance.pk).first()


def _is_inserted(instance: Model) -> bool:
    """Say whether a save inserts for sure; with a key of one's own it may update a row."""
    fields = instance._meta.pk_fields
    if any(getattr(instance, field.attname) is None for field in fields):
        return True
    # As Django decides.
    return instance._state.adding and all(
        field.has_default() or field.has_db_default() for field in fields
    )


def _after_save(
    sender: type[Model],
    instance: Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    if raw:
        _loaded.set(instance, True)
        return
    olds = _old.get(instance)
    old = olds.pop() if olds else None
    event = "create" if created else "update"
    with reported(None, event):
        for backend, parent in _observing_save(sender, event):
            if _is_own(backend, instance, using):
                continue
            now, was = instance, old
            if parent is not None:
                now, was = _as(parent, instance), _as(parent, old)
            with reported(backend, event):
                _push_saved(backend, event, now, was, using, update_fields)


def _push_saved(
    kind: type[PusherBackend],
    event: str,
    instance: Model,
    old: Model | None,
    using: str,
    update_fields: Collection[str] | None,
) -> None:
    backend = kind.for_view(current_view())
    known: dict[str, Any] = {}
    if old is not None:
        known = Snapshot.of(backend, old).compare(kind, instance, among=update_fields)
    elif event == "update" and update_fields is not None:
        known = {"changed_fields": field_names(type(instance), update_fields)}
    backend.prepare(using=using, observed=True, **known)
    backend.push_change(event, instance)


def _as(parent: type[Model], instance: Model | None) -> Any:
    """Return what a child is as its parent, with the values that are at hand."""
    if instance is None:
        return None
    values = {
        field.attname: instance.__dict__[field.attname]
        for field in parent._meta.concrete_fields
        if field.attname in instance.__dict__
    }
    return parent.from_db(instance._state.db, list(values), list(values.values()))


def _before_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    """Render the object while it and what belongs to it are there.

    Django sends this within the transaction of the deletion: if that fails, nothing is pushed.
    """
    with reported(None, "delete"):
        for kind in _observing(sender, "delete"):
            if not _is_own(kind, instance, using):
                backend = kind.for_view(current_view())
                backend.prepare(using=using, observed=True)
                backend.push_change("delete", instance, pre_destroy=True)


def _on_relation(
    observed: type[Model],
    field: Any,
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str,
    raw: bool | None = None,
    **kwargs: Any,
) -> None:
    """Push the update of objects whose many-to-many field has changed."""
    if _loaded.get(instance) if raw is None else raw:
        return
    with reported(None, "update"):
        if action in ("pre_clear", "pre_remove"):
            # What is asked to be removed need not be there.
            _cleared.set(instance, _related(field, instance, reverse, using, among=pk_set))
            return
        if action in ("post_clear", "post_remove"):
            pk_set = _cleared.pop(instance)
        if not action.startswith("post_") or not pk_set:
            return
        keys = set(pk_set) if reverse or field.remote_field.symmetrical else set()
        if not reverse:
            keys.add(instance.pk)
        for kind in _observing(observed, "m2m"):
            backend = kind.for_view(current_view())
            changed = frozenset({field.name})
            backend.prepare(observed=True, changed_fields=changed)
            ordered = sorted(keys, key=str)
            record_keys(change_of_many(backend, "update", ordered, using))


def _related(
    field: Any, instance: Model, reverse: bool, using: str, *, among: set[Any] | None
) -> set[Any]:
    """Return the keys of the objects that are about to lose their relation; None for all."""
    near, far = field.m2m_field_name(), field.m2m_reverse_field_name()
    if reverse:
        near, far = far, near
    rows = field.remote_field.through._base_manager.using(using).filter(**{near: instance.pk})
    if among is not None:
        rows = rows.filter(**{f"{far}__in": among})
    return set(rows.values_list(far, flat=True))
