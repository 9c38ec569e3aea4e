"""The system check of the attributes of backends: each has a value of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pkgutil import resolve_name
from typing import Any

from django.core.checks import CheckMessage, Error
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.serializers import BaseSerializer

from drf_model_pusher.checks.classes import dotted_name, is_subclass
from drf_model_pusher.providers import BaseProvider
from drf_model_pusher.registry import registry


def check_backends(**kwargs: Any) -> list[CheckMessage]:
    """Check what backends declare, each attribute by itself."""
    return [
        Error(
            f"{dotted_name(backend)}: `{name}` is {getattr(backend, name)!r:.100}.",
            hint=f"`{name}` is {wanted}.",
            obj=backend,
            id="drf_model_pusher.E024",
        )
        for backend in registry
        for name, wanted in _wrong_attributes(backend)
    ]


def is_sound(backend: type[Any]) -> bool:
    """Say whether every attribute of a backend has a value of its kind."""
    return not any(_wrong_attributes(backend))


def _wrong_attributes(backend: type[Any]) -> Iterator[tuple[str, str]]:
    """Go through attributes with a value that means nothing, and what they should be."""
    provider, serializer = backend.provider_class, backend.serializer_class
    renderer, permissions = backend.renderer_class, backend.permission_classes
    wrong = {
        "provider_class": (
            not _is_provider(provider),
            "a subclass of BaseProvider, or its dotted path",
        ),
        "renderer_class": (
            renderer is not None and not is_subclass(renderer, BaseRenderer),
            "a renderer's class",
        ),
        "serializer_class": (
            serializer is not None and not is_subclass(serializer, BaseSerializer),
            "a serializer's class",
        ),
        "channels": (
            backend.channels is not None
            and not (
                _all(backend.channels, lambda each: isinstance(each, str))
                and (backend.channels or backend.names_channels_itself())
            ),
            'a list of templates, such as ["orders.{pk}"]',
        ),
        "view_class": (
            backend.view_class is not None and not is_subclass(backend.view_class, GenericAPIView),
            "the class of one of DRF's generic views or viewsets; other views are named by their "
            "route: `view_name`",
        ),
        "view_name": (
            backend.view_name is not None and not isinstance(backend.view_name, str),
            'the name of a route, such as "order-detail"',
        ),
        "permission_classes": (
            # Not only classes: permissions are combined by operators.
            permissions is not None and not _all(permissions, callable),
            "a list of classes of permissions",
        ),
        "oversize": (backend.oversize not in ("refer", "drop"), '"refer" or "drop"'),
        "delete_data": (backend.delete_data not in ("full", "key"), '"full" or "key"'),
        "version_field": (not _is_field(backend), "the name of a field of the model"),
        "conflate": (not isinstance(backend.conflate, bool), "True or False"),
    }
    return ((name, wanted) for name, (is_wrong, wanted) in wrong.items() if is_wrong)


def _is_field(backend: Any) -> bool:
    if backend.version_field is None:
        return True
    fields = backend.model._meta.concrete_fields
    return any(backend.version_field in (field.name, field.attname) for field in fields)


def _is_provider(provider: Any) -> bool:
    if isinstance(provider, str):
        try:
            provider = resolve_name(provider)
        except (ImportError, AttributeError, ValueError):
            return False
    return provider is None or is_subclass(provider, BaseProvider)


def _all(found: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(found, Iterable) and all(map(fits, found))
