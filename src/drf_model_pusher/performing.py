"""What a ``perform_…()`` of a view changes is pushed once, whatever the method does.

The mixin puts itself around each of them, in whatever order they call each other: the outermost
opens a block of the journal, and pushes the view's own change at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial, wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.db import DEFAULT_DB_ALIAS, models, router, transaction

from drf_model_pusher.async_code import awaited_in_sync_code, in_sync_thread
from drf_model_pusher.changes.block import Block
from drf_model_pusher.changes.failures import reported
from drf_model_pusher.changes.snapshots import Snapshot
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import get_delivery
from drf_model_pusher.exceptions import SettingError
from drf_model_pusher.rendering.response import Response

MANY = (list, tuple, models.QuerySet)

_SWITCHES = {"create": "push_creations", "update": "push_updates", "delete": "push_deletions"}

_SYNC = {"perform_create": "create", "perform_update": "update", "perform_destroy": "delete"}
_ASYNC = {"perform_acreate": "create", "perform_aupdate": "update", "perform_adestroy": "delete"}


class Performing:
    """One ``perform_…()`` at work.

    Args:
        view: The view.
        verb: ``create``, ``update`` or ``delete``.
        target: The serializer, or the object to delete.
        inner: The block of the journal.
    """

    def __init__(self, view: Any, verb: str, target: Any, inner: Block) -> None:
        self.view = view
        self.verb = verb
        self.target = target
        self.block = inner
        self._pushes: bool = getattr(view, _SWITCHES[verb])
        self._snapshots: dict[Any, Snapshot] = {}

    def begin(self) -> None:
        """Learn what is there, and render what is about to be deleted."""
        instance = self.target if self.verb == "delete" else self.target.instance
        # Reading a queryset now would leave it with what was before the update.
        if self.verb == "create" or (
            self.verb == "update" and isinstance(instance, models.QuerySet)
        ):
            return
        for each in each_of(instance):
            for backend in self._own(each):
                if self.verb == "update" and self._pushes:
                    self._snapshots[type(backend), each.pk] = Snapshot.of(backend, each)
        if self.verb == "delete" and self._pushes:
            self._push(instance, pre_destroy=True)

    def end(self) -> None:
        """Push what was saved."""
        if self.verb == "delete" or self.target.instance is None:
            return  # the serializer has left the saving to somebody else
        instance = self.target.instance
        for each in each_of(instance):
            if not self.block.is_empty:
                self._own(each)
            if self.verb == "update" and getattr(each, "_prefetched_objects_cache", None):
                each._prefetched_objects_cache = {}  # as DRF does before it renders the response
        if self._pushes:
            self._push(instance, pre_destroy=False)

    def prepare(self, backend: Any, instance: Any) -> None:
        """Tell a backend what is known of the view's own change."""
        if not self.block.records_own or not isinstance(instance, models.Model):
            return
        known: dict[str, Any] = {}
        if snapshot := self._snapshots.get((type(backend), instance.pk)):
            known = snapshot.compare(type(backend), instance, related=self._related(instance))
        if self.verb == "delete":
            known["using"] = self.block.using
            backend.prepare(**known)
        else:
            known["using"] = instance._state.db or self.block.using
            response = Response.of(self.view, self.verb, self.target, instance)
            backend.prepare(response, **known)

    def _push(self, instance: Any, *, pre_destroy: bool) -> None:
        self.block.records_own = True
        try:
            self.view.push_changes(self.verb, instance, pre_destroy=pre_destroy)
        finally:
            self.block.records_own = False

    def _own(self, instance: Any) -> list[Any]:
        """Return the backends through which the view pushes an object itself."""
        if not isinstance(instance, models.Model):
            return []
        backends: list[Any] = self.view.get_pusher_backends(type(instance))
        self.block.own |= {(type(backend), instance.pk) for backend in backends}
        return backends

    def _related(self, instance: models.Model) -> frozenset[str]:
        """Return the many-to-many fields for which the request had a value."""
        given = getattr(self.target, "validated_data", None)
        if not isinstance(given, dict):
            return frozenset()
        return frozenset(field.name for field in instance._meta.many_to_many if field.name in given)


def perform(view: Any, verb: str, target: Any, call: Callable[[], Any]) -> Any:
    """Run a ``perform_…()``, and push what it has changed; within another it only runs.

    Args:
        view: The view.
        verb: ``create``, ``update`` or ``delete``.
        target: The serializer, or the object to delete.
        call: Runs the method.
    """
    outer: Performing | None = view.performing
    if outer is not None and (outer.verb, outer.target) == (verb, target):
        outer.block.begin_own()
        return call()
    if is_disabled():
        return call()
    using = _database(view, target)
    with _transaction(using), Block(using) as inner:
        view.performing = performing = Performing(view, verb, target, inner)
        try:
            with reported(None, verb):
                performing.begin()
            result = call()
            with reported(None, verb):
                performing.end()
        finally:
            view.performing = outer
    return result


def put_around(view_class: type) -> None:
    """Put the mixin around those ``perform_…()`` of a class that it is not around yet."""
    for name, verb in (_SYNC | _ASYNC).items():
        found = next((base for base in view_class.__mro__ if name in vars(base)), None)
        if found is None or getattr(vars(found)[name], "_pushes", False):
            continue
        method = vars(found)[name] if found is view_class else _Next(view_class, name)
        setattr(view_class, name, _around(method, name, verb))


def _around(method: Any, name: str, verb: str) -> Callable[..., Any]:
    """Return a ``perform_…()`` that pushes what another one changes."""

    def performing(self: Any, *args: Any, **kwargs: Any) -> Any:
        target = args[0] if args else kwargs.get("serializer", kwargs.get("instance"))
        call = partial(method.__get__(self, type(self)), *args, **kwargs)
        if name in _SYNC:
            return perform(self, verb, target, call)
        return in_sync_thread(perform, self, verb, target, awaited_in_sync_code(call))

    if callable(method):
        wraps(method)(performing)
    performing.__name__ = name
    performing._pushes = True  # type: ignore[attr-defined]
    # adrf asks which methods of a view are async; ours never are, the project's may be.
    if iscoroutinefunction(method):
        markcoroutinefunction(performing)
    return performing


class _Next:
    """The method that a class inherits, looked up when it is called."""

    def __init__(self, view_class: type, name: str) -> None:
        self._class = view_class
        self._name = name

    def __get__(self, view: Any, kind: type) -> Any:
        return getattr(super(self._class, view), self._name)


def each_of(instance: Any) -> Iterable[Any]:
    """Return the objects of a change: many, or the one."""
    return instance if isinstance(instance, MANY) else [instance]


def is_disabled() -> bool:
    """Say whether the settings turn all pushes off."""
    try:
        return app_settings.DRF_MODEL_PUSHER_DISABLED
    except SettingError:
        return False  # which the push logs


def _database(view: Any, target: Any) -> str:
    instance = target if isinstance(target, models.Model) else getattr(target, "instance", None)
    if isinstance(instance, models.Model):
        return router.db_for_write(type(instance), instance=instance)
    model = view.get_pusher_model()
    return router.db_for_write(model) if model else DEFAULT_DB_ALIAS


def _transaction(using: str) -> AbstractContextManager[Any]:
    """Commit a change and its events together, where the delivery stores them with it."""
    try:
        stores = get_delivery().joins_transaction
    except SettingError:  # which the push logs
        stores = False
    if not stores or transaction.get_connection(using).in_atomic_block:
        return nullcontext()
    return transaction.atomic(using=using)
