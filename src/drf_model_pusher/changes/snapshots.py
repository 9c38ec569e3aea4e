"""What an object was before an update: where it was shown, and the values of its columns."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from drf_model_pusher.change import PreviousChannels
from drf_model_pusher.exceptions import InvalidEventError
from drf_model_pusher.rendering.keys import object_key

if TYPE_CHECKING:
    from drf_model_pusher.declarations import BackendDeclaration


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """An object before an update, as far as one backend asks for it."""

    channels: PreviousChannels | None
    """Where it was shown; None for the channels of a view."""

    values: Mapping[str, Any] | None
    """The columns that were loaded; None where the backend does not ask what changed."""

    @classmethod
    def of(cls, backend: BackendDeclaration, instance: Model) -> Snapshot:
        """Return what a backend must know of an object that is about to be updated."""
        return cls(
            channels=previous_channels(backend, instance),
            values=loaded_values(instance) if backend.asks_what_changed else None,
        )

    def compare(
        self,
        backend: type[BackendDeclaration],
        instance: Model,
        *,
        among: Collection[str] | None = None,
        related: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """Return the fields of a ``Change`` that follow from what the object is now.

        Args:
            backend: The class of the backend.
            instance: The object after the update.
            among: Names of the fields that were saved; None for all.
            related: Names of many-to-many fields that were written.
        """
        found: dict[str, Any] = {}
        if self.channels is not None:
            found["before"] = {instance.pk: self.channels}
        if self.values is not None:
            found["changed_fields"] = _changed(self.values, instance, among) | related
            columns = [backend.first_step(path).attname for path in backend.touches]
            found["previous"] = {name: self.values[name] for name in columns if name in self.values}
        return found


def previous_channels(backend: BackendDeclaration, instance: Model) -> PreviousChannels | None:
    """Return where an object is shown before it is updated; None for the view's channels."""
    if backend.channels is None and not backend.names_channels_itself():
        return None
    try:
        channels = backend.full_names(instance)
    except InvalidEventError:
        channels = []  # it was in no channel that there is
    key = object_key(instance, backend.view, backend.version_field)
    return PreviousChannels(channels=channels, key=key)


def loaded_values(instance: Model) -> dict[str, Any]:
    """Return the values of an object's columns that are at hand, without a query."""
    return {
        field.attname: _kept(instance.__dict__[field.attname])
        for field in instance._meta.concrete_fields
        if field.attname in instance.__dict__
    }


def _changed(
    before: Mapping[str, Any], instance: Model, among: Collection[str] | None
) -> frozenset[str]:
    # A field whose value was not at hand counts as changed if it is now.
    return frozenset(
        field.name
        for field in instance._meta.concrete_fields
        if field.attname in instance.__dict__
        and (among is None or field.name in among or field.attname in among)
        and _differs(field, before, instance.__dict__[field.attname])
    )


def _kept(value: Any) -> Any:
    # What a JSON field holds may be changed in its place.
    return copy.deepcopy(value) if isinstance(value, (list, dict)) else value


def _differs(field: Any, before: Mapping[str, Any], value: Any) -> bool:
    if field.attname not in before:
        return True
    old = before[field.attname]
    if old == value:
        return False
    try:
        # What was assigned may be text, as from a form.
        return bool(old != field.to_python(value))
    except (ValidationError, TypeError, ValueError):
        return True  # an expression, say
