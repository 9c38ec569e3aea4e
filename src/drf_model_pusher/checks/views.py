"""System checks of the views that push, found through the project's URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from drf_model_pusher.async_views import AsyncPusherViewMixin
from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.checks.classes import dotted_name
from drf_model_pusher.lookups import view_model
from drf_model_pusher.registry import registry
from drf_model_pusher.routes import RoutedView, routed_views
from drf_model_pusher.views import ModelPusherViewMixin

#: The hooks of the mixin, `perform_acreate` and its like too, each with the flag that turns it off
#: and the methods that lead to it.
_HOOKS = {
    f"perform_{prefix}{verb}": reached_by
    for verb, reached_by in {
        "create": ("push_creations", {"post"}),
        "update": ("push_updates", {"put", "patch"}),
        "destroy": ("push_deletions", {"delete"}),
    }.items()
    for prefix in ("", "a")
}


def check_views(**kwargs: Any) -> list[CheckMessage]:
    """Check every view with the mixin that a URL leads to."""
    found: list[CheckMessage] = []
    for view in routed_views():
        if issubclass(view.view_class, ModelPusherViewMixin):
            for check in (_channels, _backends, _annotations):
                found += _without_failing(check, view)
    return found


def _without_failing(
    check: Callable[[RoutedView], Iterator[CheckMessage]], view: RoutedView
) -> list[CheckMessage]:
    try:
        return list(check(view))
    except Exception:  # noqa: BLE001 - views may be anything; what cannot be told is not told
        return []


def _channels(view: RoutedView) -> Iterator[CheckMessage]:
    """Find backends that would ask the view for channels which it has not."""
    view_class = view.view_class
    if (
        view_class.get_pusher_channels is not ModelPusherViewMixin.get_pusher_channels
        or not _writes(view)
    ):
        return
    for backend in _backends_of(view):
        own = (backend.get_channels, backend.get_packet, backend.push_change)
        if backend.channels is None and own == (
            PusherBackend.get_channels,
            PusherBackend.get_packet,
            PusherBackend.push_change,
        ):
            yield Error(
                f"{dotted_name(view.view_class)} and {backend.__qualname__} name no channels: each "
                "write will be an error.",
                hint='Give the backend `channels`, such as ["orders.{pk}"], or the view a '
                "`get_pusher_channels()`.",
                obj=view_class,
                id="drf_model_pusher.E023",
            )


def _backends(view: RoutedView) -> Iterator[CheckMessage]:
    """Find views whose model nobody pushes."""
    view_class = view.view_class
    model = view_model(view_class)
    own = view_class.get_pusher_backends is not ModelPusherViewMixin.get_pusher_backends
    if model is None or own or not _writes(view) or registry.backends_for(model):
        return
    yield CheckWarning(
        f"{dotted_name(view.view_class)} pushes nothing: {model.__name__} has no backend.",
        hint="Declare one in the `pusher_backends.py` of an installed app, with a "
        f"`serializer_class` of {model.__name__}; silence this for a view that pushes by hand.",
        obj=view_class,
        id="drf_model_pusher.W022",
    )


def _annotations(view: RoutedView) -> Iterator[CheckMessage]:
    """Find fields that a GET takes from the view's queryset, and a push has not."""
    queryset = getattr(view.view_class, "queryset", None)
    annotated = set(queryset.query.annotations) if queryset is not None else set()
    for backend in _backends_of(view) if annotated and _writes(view) else []:
        serializer_class: Any = backend.serializer_class or view.view_class.serializer_class
        sources = {field.source for field in serializer_class().fields.values()}
        own_queryset = backend.get_queryset is not PusherBackend.get_queryset
        if (missing := sorted(annotated & sources)) and not (backend.refetch and own_queryset):
            yield CheckWarning(
                f"{backend.__qualname__} pushes no {', '.join(missing)}, which the queryset of "
                f"{dotted_name(view.view_class)} annotates.",
                hint="Set `refetch = True` on the backend, and let its `get_queryset()` annotate "
                "the same.",
                obj=view.view_class,
                id="drf_model_pusher.W025",
            )


def _backends_of(view: RoutedView) -> list[type[PusherBackend]]:
    if view.view_class.get_pusher_backends is not ModelPusherViewMixin.get_pusher_backends:
        return []
    model = view_model(view.view_class)
    return registry.backends_for(model) if model is not None else []


def _writes(view: RoutedView) -> bool:
    """Say whether some request to the view makes the mixin push."""
    return any(
        view.get(flag)
        and methods & view.methods
        and hasattr(super(AsyncPusherViewMixin, view.view_class), hook)
        for hook, (flag, methods) in _HOOKS.items()
    )
