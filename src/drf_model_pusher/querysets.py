"""A queryset whose bulk operations push: what Django sends no signal for.

``objects = PushingQuerySet.as_manager()`` on a model, or a base of a queryset of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models, transaction

from drf_model_pusher.changes import bulk, handling
from drf_model_pusher.changes.changed import field_names
from drf_model_pusher.changes.moves import Before
from drf_model_pusher.changes.netting import Change
from drf_model_pusher.changes.reading import batches, read
from drf_model_pusher.changes.touching import parents_of
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import held_back
from drf_model_pusher.pushing import wrong_settings_logged
from drf_model_pusher.registry import registry
from drf_model_pusher.suppressing import is_suppressed

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

logger = logging.getLogger("drf_model_pusher")

_Model = TypeVar("_Model", bound=models.Model)

# Whether an operation that pushes is under way; it may be made of others.
_under_way: ContextVar[bool] = ContextVar("under_way", default=False)

# Those of `bulk_create()` that may be given by position.
_ARGUMENTS = ("batch_size", "ignore_conflicts", "update_conflicts", "update_fields")

# Such a queryset may be used while a view handles a request.
handling.need()


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
        with _pushing(self) as backends:
            keys = [each.pk for each in objs if each.pk is not None] if updates else []
            before, touched = self._before(backends, keys, given.get("update_fields") or ())
            created = super().bulk_create(objs, *args, **kwargs)
            if not given.get("ignore_conflicts"):
                event, known = "update" if updates else "create", self._known(created, backends)
                self._push(backends, event, known, before, touched=touched)
        return created

    def bulk_update(
        self, objs: Iterable[_Model], fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        """Update, and push ``update``."""
        objs, fields = list(objs), list(fields)
        with _pushing(self) as backends:
            keys = [each.pk for each in objs]
            before, touched = self._before(backends, keys, fields)
            count = super().bulk_update(objs, fields, batch_size)
            self._push(backends, "update", keys, before, fields, touched)
        return count

    def update(self, **kwargs: Any) -> int:
        """Update, and push ``update`` of the objects that were selected just before."""
        with _pushing(self) as backends:
            keys = self._keys() if backends else []
            before, touched = self._before(backends, keys, kwargs)
            count = super().update(**kwargs)
            self._push(backends, "update", keys, before, kwargs, touched)
        return count

    update.alters_data = True  # type: ignore[attr-defined] # as Django marks it

    def delete(self) -> tuple[int, dict[str, int]]:
        """Render, delete, and push ``delete``.

        Through backends that observe, observers do it, up to their ``bulk_limit``.
        """
        # It is made of no other operation; receivers of its signals may have some of their own.
        with _pushing(self, made_of_others=False) as backends:
            gone = {}
            for backend in backends:
                observes = "delete" in backend.observe
                if observes and not self._exceeds(backend.bulk_limit):
                    continue
                if observes:
                    gone[type(backend)] = frozenset(self._keys())
                backend.push_many("delete", self.all())
            with bulk.told_of(gone):
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

    def _before(
        self, backends: Collection[PusherBackend], keys: list[Any], fields: Iterable[str]
    ) -> tuple[dict[PusherBackend, dict[Any, Before]], dict[PusherBackend, list[Change]]]:
        """Return where objects are heard of before, and updates of parents that they may leave."""
        fields = list(fields)
        before: dict[PusherBackend, dict[Any, Before]] = {}
        touched: dict[PusherBackend, list[Change]] = {}
        for backend in backends:
            if not (backend.depends_on(fields) or backend.touches):
                continue
            found, parents = before.setdefault(backend, {}), touched.setdefault(backend, [])
            for batch in batches(keys):
                for key, instance in read(backend, batch, self.db).items():
                    if (was := backend.channels_before(instance)) is not None:
                        found[key] = was
                    parents += parents_of(backend, instance, ignore=True, using=self.db)
        return before, touched

    def _push(
        self,
        backends: Iterable[PusherBackend],
        event: str,
        keys: list[Any],
        before: dict[PusherBackend, dict[Any, Before]] | None = None,
        fields: Iterable[str] | None = None,
        touched: dict[PusherBackend, list[Change]] | None = None,
    ) -> None:
        changed = None if fields is None else field_names(self.model, list(fields))
        for backend in backends:
            bulk.push_keys(
                backend,
                event,
                keys,
                using=self.db,
                before=(before or {}).get(backend),
                changed_fields=changed,
                touched=(touched or {}).get(backend, ()),
            )

    def _known(self, created: list[_Model], backends: Collection[PusherBackend]) -> list[Any]:
        keys = [each.pk for each in created if each.pk is not None]
        if backends and len(keys) < len(created):
            logger.warning(
                "creations not pushed reason=keys model=%s count=%d",
                self.model._meta.label,
                len(created) - len(keys),
            )
        return keys


@contextmanager
def _pushing(
    queryset: PushingQuerySet[Any], *, made_of_others: bool = True
) -> Iterator[list[PusherBackend]]:
    """Give the backends that push an operation, which leaves when it is done."""
    queryset._for_write = True  # type: ignore[attr-defined]
    if _under_way.get() or not (backends := _backends(queryset)):
        yield []
        return
    token = _under_way.set(made_of_others)
    try:
        # What is written and what is told of it belong together, whatever the delivery.
        with transaction.atomic(queryset.db, savepoint=False), held_back():
            yield backends
    finally:
        _under_way.reset(token)


def _backends(queryset: PushingQuerySet[Any]) -> list[PusherBackend]:
    backends = []
    with wrong_settings_logged:
        if app_settings.DRF_MODEL_PUSHER_DISABLED:
            return []
        for backend_class in registry.backends_for(queryset.model):
            if is_suppressed(backend_class):
                continue
            backend = handling.backend_for(backend_class, queryset.model)
            backend.using = queryset.db
            backends.append(backend)
    return backends
