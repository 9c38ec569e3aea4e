"""Rendering once: when the data of the response is surely the data of the event.

DRF keeps what a serializer has rendered, so whoever asks it first decides what the response says.
Asking early is only harmless where nothing but DRF's own code runs from there to the response, and
nothing of the event's code changes what it is handed. Where any of that is the project's own, each
renders for itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rest_framework import generics, mixins
from rest_framework.generics import GenericAPIView
from rest_framework.viewsets import ViewSetMixin

_ACTIONS: dict[str, tuple[type, tuple[str, ...]]] = {
    "create": (mixins.CreateModelMixin, ("create",)),
    "update": (mixins.UpdateModelMixin, ("update", "partial_update")),
}

# Handlers of generic views that do nothing but call the action.
_HANDLERS = {
    *(view.post for view in (generics.CreateAPIView, generics.ListCreateAPIView)),
    *(
        handler
        for view in (
            generics.UpdateAPIView,
            generics.RetrieveUpdateAPIView,
            generics.RetrieveUpdateDestroyAPIView,
        )
        for handler in (view.put, view.patch)
    ),
}


def is_response_settled(view: Any, action: str, own: type) -> bool:
    """Say whether only DRF's code and ours runs between ``perform_…()`` and the response.

    Args:
        view: The view that handles the request.
        action: ``create`` or ``update``.
        own: Our mixin.
    """
    if isinstance(view, ViewSetMixin):
        is_handled = getattr(view, "action", None) in _ACTIONS[action][1]
    else:
        is_handled = getattr(type(view), view.request.method.lower(), None) in _HANDLERS
    return is_handled and _is_plain_view(
        type(view),  # type: ignore[arg-type] # a class can be hashed
        action,
        own,
    )


# What a class inherits is looked up once: projects have few of them, and push often.
@lru_cache(maxsize=1_000)
def _is_plain_view(view_class: type, action: str, own: type) -> bool:
    mixin, handlers = _ACTIONS[action]
    names = (f"perform_{action}", "push_changes", "push_change", "get_pusher_backends")
    return (
        all(_same(view_class, mixin, name) for name in handlers)
        and all(_same(view_class, own, name) for name in names)
        and _same(view_class, GenericAPIView, "get_serializer")
        and _same(view_class, GenericAPIView, "get_serializer_context")
    )


@lru_cache(maxsize=1_000)
def renders_alike(backend_class: type, base: type) -> bool:
    """Say whether a backend renders with its serializer alone, and leaves alone what it is handed.

    Args:
        backend_class: The class of a backend that makes an event.
        base: The class whose methods are known to do so.
    """
    names = (
        "push_change",
        "should_push",
        "resolve_event",
        "get_packet",
        "get_serializer",
        "get_serializer_context",
        "get_oversize_data",
    )
    return all(_same(backend_class, base, name) for name in names)


def _same(one: type, other: type, name: str) -> bool:
    return getattr(one, name, None) is getattr(other, name, None)
