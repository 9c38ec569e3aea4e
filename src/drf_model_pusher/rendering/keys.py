"""What an object is known by to those who hear of it, and nothing else of it."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from drf_model_pusher.channel_templates import value_of


def object_key(instance: Any, view: Any = None, version_field: str | None = None) -> dict[str, Any]:
    """Return what an object is known by: the view's look-up if it is its view, or primary key.

    Its version comes with it, where the backend has a field of one.
    """
    if not isinstance(instance, Model):
        return {}
    return {**_look_up(instance, view), **version_of(instance, version_field)}


def version_of(instance: Model, field: str | None) -> dict[str, Any]:
    """Return the version by which a client tells the newer of two; nothing if there is none."""
    return {field: value_of(instance, field)} if field else {}


def _look_up(instance: Model, view: Any) -> dict[str, Any]:
    lookup = getattr(view, "lookup_field", "pk")
    # A view that cannot tell its model has none whose look-up this could be.
    if lookup == "pk" or not isinstance(instance, view.get_pusher_model() or ()):
        return primary_key(instance)
    value = value_of(instance, lookup)
    return {lookup: value.pk if isinstance(value, Model) else value}


def primary_key(instance: Model) -> dict[str, Any]:
    """Return the primary key as DRF's serializers name it; a composite one by its fields.

    That of a child of another model is the parent's own.
    """
    options = instance._meta
    if len(options.pk_fields) > 1:
        return {field.name: value_of(instance, field.attname) for field in options.pk_fields}
    pk: Any = options.pk
    while pk.remote_field and pk.remote_field.parent_link:
        pk = pk.remote_field.model._meta.pk
    return {pk.name: value_of(instance, "pk")}
