"""Template fields as look-ups on a model: the backend's, or one that its foreign keys lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model

from drf_model_pusher.exceptions import DeclarationError


def view_model(view_class: Any) -> type[Model] | None:
    """Return the model of a view, without making the view; None where it does not say."""
    queryset = getattr(view_class, "queryset", None)
    if queryset is not None:
        model: type[Model] | None = queryset.model
        return model
    serializer_class = getattr(view_class, "serializer_class", None)
    return getattr(getattr(serializer_class, "Meta", None), "model", None)


def lookups_on(
    target: type[Model], model: type[Model], fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Return fields of one model as look-ups on it, or on one that its foreign keys lead to.

    Raises:
        DeclarationError: They do not lead there.
        ValueError: Two of them are one look-up, and have different values.
    """
    if not fields and not leads_to(target, model):
        raise DeclarationError(
            f"A list of {target.__name__} objects, which the view shows, says nothing about a "
            f"{model.__name__}: no foreign key leads there."
        )
    lookups: dict[str, Any] = {}
    for field, value in fields.items():
        lookup = _lookup_on(target, model, field)
        if lookups.setdefault(lookup, value) != value:
            raise ValueError(lookup)
    return lookups


def _lookup_on(target: type[Model], model: type[Model], field: str) -> str:
    if same(target, model):
        return plain(target, field)
    if (rest := path_to(target, model, field)) is None:
        raise DeclarationError(
            f"The channel field {field!r} of {model.__name__} is not about a "
            f"{target.__name__}, which the view shows: give the backend a `view_class` for "
            f"{model.__name__}, or write a `has_channel_permission()`."
        )
    return rest


def path_to(target: type[Model], model: type[Model], field: str) -> str | None:
    """Return what is left of a look-up such as ``board__slug`` where it reaches the target."""
    head, _, rest = field.partition("__")
    if head == "pk":
        return None
    relation: Any = model._meta.get_field(head)
    related = relation.related_model
    if related is None or not relation.concrete:
        return None
    if head == relation.attname:  # "board_id"
        return plain(target, relation.target_field.name) if same(related, target) else None
    if same(related, target):
        return plain(target, rest or "pk")
    return path_to(target, related, rest) if rest else None


def leads_to(target: type[Model], model: type[Model]) -> bool:
    """Say whether a model is the target, or has foreign keys that lead there."""
    met, ahead = set(), [model]
    while ahead:
        each = ahead.pop()
        if same(each, target):
            return True
        if each not in met:
            met.add(each)
            fields: Any = each._meta.concrete_fields
            ahead += [field.related_model for field in fields if field.related_model]
    return False


def plain(model: type[Model], field: str) -> str:
    """Return a look-up, ``pk`` for the primary key by whatever name."""
    return "pk" if field == model._meta.pk.name else field


def field_at(model: type[Model], path: str) -> tuple[Any, bool]:
    """Return the field at the end of a path such as ``board__slug``, and whether it may be null.

    Raises:
        FieldDoesNotExist: The path leads to no column.
    """
    head, _, rest = path.partition("__")
    field: Any = model._meta.pk if head == "pk" else model._meta.get_field(head)
    if not field.concrete or field.many_to_many:
        raise FieldDoesNotExist(path)
    if field.is_relation and (rest or head in ("pk", field.attname)):
        last, null = field_at(field.related_model, rest or field.target_field.name)
        return last, null or field.null
    if rest:
        raise FieldDoesNotExist(path)
    return field, field.null


def python_value(model: type[Model], path: str, value: Any) -> Any:
    """Return the text of a field as its value; anything else, or of no field, as it is.

    Raises:
        ValidationError: No object has such a value.
    """
    if not isinstance(value, str):
        return value
    try:
        field, _ = field_at(model, path)
    except FieldDoesNotExist:
        return value
    return value if field.is_relation else field.to_python(value)


def is_unique(model: type[Model], field: str) -> bool:
    """Say whether a value of the field names one object at most."""
    if "__" in field:
        return False
    if field == "pk":
        return True
    found: Any = model._meta.get_field(field)
    return bool(found.concrete and found.unique)


def has_composite_key(model: type[Model], lookups: Iterable[str]) -> bool:
    """Say whether look-ups hold every field of a primary key that consists of several."""
    # Django 5.2 is the first that knows such keys, and tells their fields.
    fields: Any = model._meta.pk_fields
    given = set(lookups)
    return len(fields) > 1 and all(
        given & {field.name, field.attname, f"{field.name}__pk"} for field in fields
    )


def same(one: type[Model], other: type[Model]) -> bool:
    """Say whether two models are one, but for proxies."""
    return one._meta.concrete_model is other._meta.concrete_model
