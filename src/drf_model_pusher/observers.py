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
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from drf_model_pusher.changes import bulk, handling
from drf_model_pusher.changes.changed import changes_between, field_names, values_of
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import set_aside
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.pushing import wrong_settings_logged
from drf_model_pusher.registry import registry
from drf_model_pusher.suppressing import is_suppressed

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

# Attributes of `instance._state` between the signals before a change and those after it.
_OLD, _DELETIONS, _CLEARED, _LOADED = (
    f"_drf_model_pusher_{name}" for name in ("old", "gone", "cleared", "loaded")
)


def follow_registry() -> None:
    """Observe what registered backends ask for, and those that will be registered."""
    registry.follow(_connect, _disconnect)


def _connect(backend: type[PusherBackend]) -> None:
    if backend.touches or backend.observe:
        handling.need()
    if backend.observe:
        for signal, sender, receiver, name in _receivers(backend.model):
            signal.connect(receiver, sender=sender, weak=False, dispatch_uid=_uid(name))


def _disconnect(backend: type[PusherBackend]) -> None:
    if backend.observe:
        for signal, sender, _, name in _receivers(backend.model):
            signal.disconnect(sender=sender, dispatch_uid=_uid(name))
        # Those of a parent, and others of the model, hear of some of them as well.
        for other in registry:
            _connect(other)


def _receivers(model: type[Model]) -> Iterator[tuple[Any, type[Model], Callable[..., None], str]]:
    for sender in _family(model):
        yield pre_save, sender, _before_save, "save"
        yield post_save, sender, _after_save, "save"
        yield pre_delete, sender, _before_delete, "delete"
        yield post_delete, sender, _after_delete, "delete"
    for field in model._meta.many_to_many:
        through: Any = field.remote_field.through
        yield m2m_changed, through, partial(_on_relation, model, field), model._meta.label


def _family(model: type[Model]) -> list[type[Model]]:
    """Return a model, and those whose objects are objects of it too: proxies and children."""
    return [model, *(m for m in apps.get_models() if issubclass(m, model) and m is not model)]


def _uid(name: str) -> str:
    return f"drf_model_pusher.observers.{name}"


def _observing(model: type[Model], kind: str) -> list[type[PusherBackend]]:
    """Return the backends of exactly this model, or of what it is a proxy of."""
    return [each for each in registry.backends_for(model) if kind in each.observe]


def _observing_save(model: type[Model], kind: str) -> Iterator[tuple[type[PusherBackend], Any]]:
    """Go through the backends that hear of a save, each with the parent that it is about."""
    yield from ((each, None) for each in _observing(model, kind))
    # With a child its parents are saved, of which no signal tells; their deletion has one.
    concrete: Any = model._meta.concrete_model
    for parent in concrete._meta.get_parent_list():
        if not parent._meta.proxy:
            yield from ((each, parent) for each in _observing(parent, kind))


def _is_silent(backend: type[PusherBackend]) -> bool:
    try:
        return app_settings.DRF_MODEL_PUSHER_DISABLED or is_suppressed(backend)
    except SettingError:
        return False  # the push logs it


def _before_save(
    sender: type[Model],
    instance: Model,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    """Read the object as it was, for backends to which what changes makes a difference."""
    if raw:
        return
    # A receiver may save the object again: the one that is done first was begun last.
    olds = vars(instance._state).setdefault(_OLD, [])
    olds.append(None)
    if _is_inserted(instance) or handling.owns(instance):
        return
    if any(
        _needs_old(backend, update_fields)
        for backend, _ in _observing_save(sender, "update")
        if not _is_silent(backend)
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


def _needs_old(backend: type[PusherBackend], update_fields: Collection[str] | None) -> bool:
    return backend.asks_what_changed or backend.depends_on(update_fields)


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
        # Its relations follow, of which Django says only from 6.1 on that they are loaded.
        setattr(instance._state, _LOADED, True)
        return
    olds = vars(instance._state).get(_OLD)
    old = olds.pop() if olds else None
    event = "create" if created else "update"
    for backend, parent in _observing_save(sender, event):
        if _is_silent(backend):
            continue
        told, was = (instance, old) if parent is None else (_as(parent, instance), _as(parent, old))
        push = partial(_push_saved, backend, event, told, was, using, update_fields)
        left = parent is None and handling.left_to_view(backend, event, instance, push, using)
        if not left:
            push()


def _push_saved(
    backend_class: type[PusherBackend],
    event: str,
    instance: Model,
    old: Model | None,
    using: str,
    update_fields: Collection[str] | None,
) -> None:
    with wrong_settings_logged:
        backend = handling.backend_for(backend_class, type(instance))
        backend.using = using
        if old is not None:
            backend.previous = values_of(old)
            backend.before = backend.channels_before(old)
            backend.changed_fields = changes_between(backend.previous, instance, update_fields)
        elif event == "update" and update_fields is not None:
            backend.changed_fields = field_names(type(instance), update_fields)
        if handling.tell(backend, event, instance):
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
    """Render the object while it and what belongs to it are there."""
    handling.release(instance)
    gone = []
    for backend_class in _observing(sender, "delete"):
        if _is_silent(backend_class) or handling.owns(instance):
            continue
        if bulk.is_told_of(backend_class, instance):
            continue
        with wrong_settings_logged:
            backend = handling.backend_for(backend_class, sender)
            backend.using = using
            if handling.tell(backend, "delete", instance):
                with set_aside() as held:
                    backend.push_change("delete", instance, pre_destroy=True)
                gone += held
    setattr(instance._state, _DELETIONS, gone)


def _after_delete(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    with wrong_settings_logged:
        for push in vars(instance._state).pop(_DELETIONS, ()):
            push()


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
    if getattr(instance._state, _LOADED, False) if raw is None else raw:
        return
    if action in ("pre_clear", "pre_remove"):
        # What is asked to be removed need not be there.
        lost = _related(field, instance, reverse, using, among=pk_set)
        setattr(instance._state, _CLEARED, lost)
        return
    if action in ("post_clear", "post_remove"):
        pk_set = vars(instance._state).pop(_CLEARED, set())
    if not action.startswith("post_") or not pk_set:
        return
    keys = set(pk_set) if reverse or field.remote_field.symmetrical else set()
    for backend_class in _observing(observed, "m2m"):
        if _is_silent(backend_class):
            continue
        push = partial(_push_related, backend_class, field.name, using)
        if keys:
            push(keys)
        if not reverse:
            push_own = partial(push, {instance.pk})
            if not handling.left_to_view(backend_class, "update", instance, push_own, using):
                push_own()


def _push_related(
    backend_class: type[PusherBackend], field_name: str, using: str, keys: set[Any]
) -> None:
    with wrong_settings_logged:
        backend = handling.backend_for(backend_class, backend_class.model)
        changed = frozenset({field_name})
        bulk.push_keys(
            backend, "update", sorted(keys, key=str), using=using, changed_fields=changed
        )


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
