"""What an update has changed of an object."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model


def values_of(instance: Model) -> dict[str, Any]:
    """Return the values of an object's columns that are at hand, without a query."""
    return {
        field.attname: _kept(instance.__dict__[field.attname])
        for field in instance._meta.concrete_fields
        if field.attname in instance.__dict__
    }


def changes_between(
    before: Mapping[str, Any], instance: Model, among: Collection[str] | None = None
) -> frozenset[str]:
    """Return the names of the fields whose values differ from what they were.

    A field whose value was not at hand counts as changed if it is now.

    Args:
        before: What ``values_of()`` returned.
        instance: The object as it is now.
        among: Names of the fields that were saved; None for all.
    """
    return frozenset(
        field.name
        for field in instance._meta.concrete_fields
        if field.attname in instance.__dict__
        and (among is None or field.name in among or field.attname in among)
        and _differs(field, before, instance.__dict__[field.attname])
    )


def field_names(model: type[Model], names: Collection[str]) -> frozenset[str]:
    """Return names of fields, for those of columns such as ``customer_id`` too, and for ``pk``."""
    columns = {field.attname: field.name for field in model._meta.concrete_fields}
    columns["pk"] = model._meta.pk.name
    return frozenset(columns.get(name, name) for name in names)


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
