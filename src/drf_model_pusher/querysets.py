"""A queryset whose bulk operations push: what Django sends no signal for.

``objects = PushingQuerySet.as_manager()`` on a model, or a base of a queryset of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, transaction

from drf_model_pusher.change import Change, PreviousChannels
from drf_model_pusher.change_rules import field_names
from drf_model_pusher.changes.block import Block
from drf_model_pusher.changes.current_view import current_view
from drf_model_pusher.changes.failures import reported
from drf_model_pusher.changes.recording import (
    change_of_many,
    is_silent,
    previous_of_many,
    record_keys,
)
from drf_model_pusher.changes.snapshots import previous_channels
from drf_model_pusher.registry import registry

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

logger = logging.getLogger("drf_model_pusher")

_Model = TypeVar("_Model", bound=models.Model)

# Whether an operation that pushes is under way; it may be made of others.
_under_way: ContextVar[bool] = ContextVar("under_way", default=False)

# Those of `bulk_create()` that may be given by position.
_ARGUMENTS = ("batch_size", "ignore_conflicts", "update_conflicts", "update_fields")


class PushingQuerySet(models.QuerySet[_Model]):
    """Pushes what ``bulk_create``, ``bulk_update``, ``update`` and ``delete`` change.

    Through every backend of the model, with the socket id of the request that a view handles
    meanwhile. ``create``, ``get_or_create`` and ``update_or_create`` are not bulk: they call
    ``save()``, which a backend may observe.
    """

    def bulk_create(self, objs: Iterable[_Model], *args: Any, **kwargs: Any) -> list[_Model]:
        """Create, and push ``create``; ``update`` with ``update_conflicts``, for it may be either.

        Nothing is pushed of objects whose keys the database does not return, nor with
        ``ignore_conflicts``, since nobody knows then what is new.
        """
        objs = list(objs)
        given = dict(zip(_ARGUMENTS, args, strict=False)) | kwargs
        updates = given.get("update_conflicts")
        with _pushing(self) as operation:
            keys = [each.pk for each in objs if each.pk is not None] if updates else []
            operation.begin(keys, given.get("update_fields") or ())
            created = super().bulk_create(objs, *args, **kwargs)
            if not given.get("ignore_conflicts"):
                operation.end("update" if updates else "create", self._known(created, operation))
        return created

    def bulk_update(
        self, objs: Iterable[_Model], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Update, and push ``update``."""
        objs, fields = list(objs), list(fields)
        with _pushing(self) as operation:
            keys = [each.pk for each in objs]
            operation.begin(keys, fields)
            count = super().bulk_update(objs, fields, batch_size)
            operation.end("update", keys, fields)
        return count

    def update(self, **kwargs: Any) -> int:
        """Update, and push ``update`` of the objects that were selected just before."""
        with _pushing(self) as operation:
            keys = self._keys() if operation.backends else []
            operation.begin(keys, kwargs)
            count = super().update(**kwargs)
            operation.end("update", keys, kwargs)
        return count

    update.alters_data = True  # type: ignore[attr-defined] # as Django marks it

    def delete(self) -> tuple[int, dict[str, int]]:
        """Render, delete, and push ``delete``.

        Through backends that observe, observers do it, up to their ``bulk_limit``.
        """
        # It is made of no other operation; receivers of its signals may have some of their own.
        with _pushing(self, made_of_others=False) as operation:
            for backend in operation.backends:
                observes = "delete" in backend.observe
                if observes and not self._exceeds(backend.bulk_limit):
                    continue
                if observes:
                    operation.own(type(backend), self._keys())
                backend.push_many("delete", self.all())
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _keys(self) -> list[Any]:
        """Return the keys of what is selected, without locks that no update asks for."""
        rows = self.order_by().values_list("pk", flat=True)
        rows.query.select_for_update = False
        return list(rows)

    def _exceeds(self, limit: int | None) -> bool:
        return limit is not None and self.order_by()[limit:].exists()

    def _known(self, created: list[_Model], operation: _Operation) -> list[Any]:
        keys = [each.pk for each in created if each.pk is not None]
        if operation.backends and len(keys) < len(created):
            logger.warning(
                "creations not pushed reason=keys model=%s count=%d",
                self.model._meta.label,
                len(created) - len(keys),
            )
        return keys


class _Operation:
    """A bulk operation at work, and the backends that push it."""

    def __init__(self, backends: Sequence[PusherBackend] = (), inner: Block | None = None) -> None:
        self.backends = backends
        self._block = inner
        self._using = inner.using if inner else ""
        self._before: dict[Any, dict[Any, PreviousChannels]] = {}
        self._touched: dict[Any, list[Change]] = {}

    def begin(self, keys: Sequence[Any], fields: Iterable[str]) -> None:
        """Learn where the objects are shown, and which parents they may leave."""
        fields = list(fields)
        for backend in self.backends:
            if not (backend.depends_on(fields) or backend.touches):
                continue
            with reported(type(backend), "update"):
                before = self._before.setdefault(backend, {})
                touched = self._touched.setdefault(backend, [])
                change = change_of_many(backend, "update", keys, self._using)
                for key, instance, parents in previous_of_many(backend, change):
                    if (was := previous_channels(backend, instance)) is not None:
                        before[key] = was
                    touched += parents

    def end(self, verb: str, keys: Sequence[Any], fields: Iterable[str] | None = None) -> None:
        """Record what has changed."""
        for backend in self.backends:
            with reported(type(backend), verb):
                names = None if fields is None else field_names(backend.model, list(fields))
                before = self._before.get(backend, {})
                change = change_of_many(
                    backend, verb, keys, self._using, before=before, changed_fields=names
                )
                record_keys(change, self._touched.get(backend, ()))

    def own(self, backend: type[PusherBackend], keys: Iterable[Any]) -> None:
        """Let observers leave objects to the operation."""
        if self._block is not None:
            self._block.own |= {(backend, key) for key in keys}


@contextmanager
def _pushing(
    queryset: PushingQuerySet[Any], *, made_of_others: bool = True
) -> Iterator[_Operation]:
    """Give an operation, whose changes leave when it is done."""
    queryset._for_write = True  # type: ignore[attr-defined]
    if _under_way.get() or not (backends := _backends(queryset)):
        yield _Operation()
        return
    token = _under_way.set(made_of_others)
    try:
        # What is written and what is recorded of it belong together, whatever the delivery.
        with transaction.atomic(queryset.db, savepoint=False), Block(queryset.db) as inner:
            yield _Operation(backends, inner)
    finally:
        _under_way.reset(token)


def _backends(queryset: PushingQuerySet[Any]) -> list[PusherBackend]:
    with reported(None):
        kinds = [each for each in registry.backends_for(queryset.model) if not is_silent(each)]
        backends = [kind.for_view(current_view()) for kind in kinds]
        for backend in backends:
            backend.prepare(using=queryset.db)
        return backends
    return []
