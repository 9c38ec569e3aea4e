"""What is sent of an object that is too large for an event: where to fetch it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.urls import NoReverseMatch
from rest_framework.relations import Hyperlink
from rest_framework.settings import api_settings

from drf_model_pusher.channel_templates import value_of
from drf_model_pusher.rendering.keys import primary_key, version_of


def reference(
    event: str, instance: Any, data: Any, view: Any, version_field: str | None = None
) -> dict[str, Any]:
    """Return the primary key, the API's URL of the object where it can be told, and a mark.

    Args:
        event: What happened; a deleted object has no URL any more.
        instance: The object.
        data: What was rendered of it.
        view: The view that made the change, or None.
        version_field: The field of the object's version, which is told as well.
    """
    if not isinstance(instance, models.Model):
        return {"truncated": True}
    version = version_of(instance, version_field)
    referred = {**primary_key(instance), **version, "truncated": True}
    if event != "delete" and (url := _view_url(instance, view) or _own_url(instance, data)):
        referred["url"] = url
    return referred


def _own_url(instance: models.Model, data: Any) -> str | None:
    """Return the URL that a hyperlinked serializer has rendered, and not what somebody typed."""
    url = data.get(api_settings.URL_FIELD_NAME) if isinstance(data, dict) else None
    return str(url) if isinstance(url, Hyperlink) and url.obj == instance else None


def _view_url(instance: models.Model, view: Any) -> str | None:
    """Return the URL of the view's detail route, or of the request where that is the object's."""
    if view is None:
        return None
    try:
        if not isinstance(instance, view.get_pusher_model()):
            return None
        value = value_of(instance, view.lookup_field)
        if value is None:
            return None
        argument = view.lookup_url_kwarg or view.lookup_field
        return _detail_url(view, argument, value) or _request_url(view, argument, value)
    except Exception:  # noqa: BLE001 - a view may lack anything, and no URL is worth a request
        return None


def _detail_url(view: Any, argument: str, value: Any) -> str | None:
    """Return the URL that the router of a viewset gives the object."""
    if not getattr(view, "basename", None):
        return None
    try:
        # Arguments of the request's own route stay: those of a nested router name the parents.
        return str(view.reverse_action("detail", kwargs={**view.kwargs, argument: value}))
    except NoReverseMatch:
        return None


def _request_url(view: Any, argument: str, value: Any) -> str | None:
    """Return the URL of a request that updates the object; actions and lists have other URLs."""
    updates = view.request.method in ("PUT", "PATCH") and getattr(view, "action", None) in (
        None,  # not a viewset
        "update",
        "partial_update",
        "aupdate",  # adrf's
        "partial_aupdate",
    )
    if not updates or str(view.kwargs.get(argument)) != str(value):
        return None
    return str(view.request.build_absolute_uri(view.request.path))
