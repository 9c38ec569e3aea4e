"""What a view remembers of objects before it updates them: their channels and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.db import models

from drf_model_pusher.changes.changed import changes_between, values_of

if TYPE_CHECKING:
    from rest_framework.serializers import BaseSerializer

    from drf_model_pusher.backends import PusherBackend
    from drf_model_pusher.changes.moves import Before


class Memory:
    """Objects as they were, for the backends that will tell of their update."""

    def __init__(
        self,
        instances: Iterable[Any],
        backends_for: Callable[[type[models.Model]], Iterable[PusherBackend]],
    ) -> None:
        self._before: dict[Any, Before] = {}
        self._values: dict[Any, dict[str, Any]] = {}
        self._related: frozenset[str] = frozenset()
        for each in instances:
            if isinstance(each, models.Model):
                for backend in backends_for(type(each)):
                    if before := backend.channels_before(each):
                        self._before[type(backend), each.pk] = before
                    if backend.asks_what_changed:
                        self._values[type(each), each.pk] = values_of(each)

    def __bool__(self) -> bool:
        """Say whether a backend asked for any of it."""
        return bool(self._before or self._values)

    def note_saved(self, serializer: BaseSerializer[Any]) -> None:
        """Remember for which many-to-many fields the request had a value."""
        instance, given = serializer.instance, getattr(serializer, "validated_data", None)
        if self._values and isinstance(instance, models.Model) and isinstance(given, dict):
            relations = instance._meta.many_to_many
            self._related = frozenset(field.name for field in relations if field.name in given)

    def tell(self, backend: PusherBackend, instance: Any) -> None:
        """Tell a backend what an object was before its update."""
        pk = getattr(instance, "pk", None)
        # Once: another push of the same update is no second move.
        backend.before = self._before.pop((type(backend), pk), None)
        if backend.asks_what_changed and (values := self._values.get((type(instance), pk))):
            backend.previous = values
            backend.changed_fields = changes_between(values, instance) | self._related
