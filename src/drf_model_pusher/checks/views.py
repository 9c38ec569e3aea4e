"""System checks of the views that push, found through the project's URLs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from drf_model_pusher.async_views import AsyncPusherViewMixin
from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.checks.classes import dotted_name
from drf_model_pusher.lookups import view_model
from drf_model_pusher.registry import registry
from drf_model_pusher.routes import RoutedView, is_of_drf, routed_views
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

_SAVES = {"save", "delete", "asave", "adelete"}

_PUSHES = {
    f"{prefix}{name}"
    for name in ("push", "push_change", "push_changes", "push_many")
    for prefix in ("", "a")
}


def check_views(**kwargs: Any) -> list[CheckMessage]:
    """Check every view with the mixin that a URL leads to."""
    found: list[CheckMessage] = []
    for view in routed_views():
        if issubclass(view.view_class, ModelPusherViewMixin):
            for check in (_order_of_bases, _own_hooks, _channels, _backends):
                found += _without_failing(check, view)
    return found


def _without_failing(
    check: Callable[[RoutedView], Iterator[CheckMessage]], view: RoutedView
) -> list[CheckMessage]:
    try:
        return list(check(view))
    except Exception:  # noqa: BLE001 - views may be anything; what cannot be told is not told
        return []


def _order_of_bases(view: RoutedView) -> Iterator[CheckMessage]:
    """Find what DRF's own hooks keep from being pushed, as they call no other."""
    before = [base.__name__ for base in _before_mixin(view) if is_of_drf(base) and _hooks_in(base)]
    if before:
        name = view.view_class.__name__
        yield Error(
            f"{dotted_name(view.view_class)} pushes nothing: ModelPusherViewMixin stands "
            f"behind {before[0]}.",
            hint=f"Let it stand first: `class {name}(ModelPusherViewMixin, …)`.",
            obj=view.view_class,
            id="drf_model_pusher.E022",
        )


def _own_hooks(view: RoutedView) -> Iterator[CheckMessage]:
    """Find hooks that save by themselves and never reach the mixin's."""
    for base in _before_mixin(view):
        for hook in [] if is_of_drf(base) else _hooks_in(base):
            names = _names_in(vars(base)[hook])
            reaches = {"super", ModelPusherViewMixin.__name__, *_PUSHES}
            if view.get(_HOOKS[hook][0]) and names & _SAVES and not names & reaches:
                is_async = hook.startswith("perform_a")
                wait, push = ("await ", "apush_change") if is_async else ("", "push_change")
                yield CheckWarning(
                    f"{dotted_name(base)}.{hook}() saves without the mixin, so "
                    "that nothing is pushed.",
                    hint=f"Call `{wait}super().{hook}(…)`, which saves and pushes; where it has to "
                    f"save by itself, let it call `{wait}self.{push}(…)` too.",
                    obj=view.view_class,
                    id="drf_model_pusher.W023",
                )


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
    if not any(_names_in(member) & _PUSHES for member in _own_members(view_class)):
        yield CheckWarning(
            f"{dotted_name(view.view_class)} pushes nothing: {model.__name__} has no backend.",
            hint="Declare one in the `pusher_backends.py` of an installed app, with a "
            f"`serializer_class` of {model.__name__}.",
            obj=view_class,
            id="drf_model_pusher.W022",
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


def _before_mixin(view: RoutedView) -> list[type[Any]]:
    mro = list(view.view_class.__mro__)
    return mro[: mro.index(ModelPusherViewMixin)]


def _hooks_in(base: type[Any]) -> list[str]:
    return [hook for hook in _HOOKS if hook in vars(base)]


def _own_members(view_class: type[Any]) -> list[Any]:
    return [
        member
        for base in view_class.__mro__
        if not is_of_drf(base) and base not in ModelPusherViewMixin.__mro__
        for member in vars(base).values()
    ]


def _names_in(function: Any) -> set[str]:
    """Return the names that the code of a function mentions, and of the functions in it."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return _names_in_code(code) if code else set()


def _names_in_code(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names_in_code, inner))
