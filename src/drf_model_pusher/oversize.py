"""What is sent of an object that is too large for an event: where to fetch it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.urls import NoReverseMatch
from rest_framework.settings import api_settings


def reference(event: str, instance: Any, data: Any, view: Any) -> dict[str, Any]:
    """Return the primary key, the API's URL of the object where it can be told, and a mark.

    Args:
        event: What happened; a deleted object has no URL any more.
        instance: The object.
        data: What was rendered of it.
        view: The view that made the change, or None.
    """
    referred: dict[str, Any] = {"truncated": True}
    if isinstance(instance, models.Model):
        referred = {instance._meta.pk.name: instance.pk, **referred}
        url = _own_url(data) or _view_url(instance, view)
        if url and event != "delete":
            referred["url"] = url
    return referred


def _own_url(data: Any) -> Any:
    """Return the URL that a hyperlinked serializer has rendered."""
    return data.get(api_settings.URL_FIELD_NAME) if isinstance(data, dict) else None


def _view_url(instance: models.Model, view: Any) -> str | None:
    """Return the URL of the view's detail route, or of the request where that is the object's."""
    if view is None or not isinstance(instance, view.get_pusher_model()):
        return None
    argument = view.lookup_url_kwarg or view.lookup_field
    value = getattr(instance, view.lookup_field)
    try:
        # Arguments of the request's own route stay: those of a nested router name the parents.
        return str(view.reverse_action("detail", kwargs={**view.kwargs, argument: value}))
    except (AttributeError, NoReverseMatch):
        # Not a viewset, or one without a router. An action of one's own has a URL of its own.
        own = getattr(view, "action", None) in (None, "update", "partial_update")
        if own and str(view.kwargs.get(argument)) == str(value):
            return str(view.request.build_absolute_uri(view.request.path))
        return None
