"""System check for public channels that say more than an anonymous GET does."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from rest_framework.permissions import DjangoModelPermissions, IsAdminUser, IsAuthenticated
from rest_framework.serializers import ModelSerializer, Serializer
from rest_framework.utils.model_meta import get_field_info

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.channels import ChannelKind
from drf_model_pusher.checks.backends import is_sound
from drf_model_pusher.checks.classes import dotted_name
from drf_model_pusher.lookups import same, view_model
from drf_model_pusher.registry import registry
from drf_model_pusher.routes import RoutedView, is_of_drf, routed_views
from drf_model_pusher.views import ModelPusherViewMixin

#: What stands for everything that a view shows.
_ALL = frozenset({"*"})


def check_leaks(**kwargs: Any) -> list[CheckMessage]:
    """Compare public backends with the views of their models, as far as declarations tell."""
    public = [
        backend
        for backend in registry
        if backend.channel_prefix == ChannelKind.PUBLIC.value and is_sound(backend)
    ]
    if not public:
        return []
    views = [view for view in routed_views() if "get" in view.methods]
    found: list[CheckMessage] = []
    for backend in public:
        try:
            found += _leaks(backend, views)
        except Exception:  # noqa: BLE001, S112 - what cannot be told is not told
            continue
    return found


def _leaks(backend: type[PusherBackend], views: Iterable[RoutedView]) -> Iterator[CheckMessage]:
    showing = [view for view in views if _is_about(view, backend)]
    pushing = [view for view in showing if issubclass(view.view_class, ModelPusherViewMixin)]
    hidden = {view.view_class: _hidden(view, backend) for view in showing}
    # What one view hides another may show to everybody.
    if not pushing or not all(hidden.values()):
        return
    name, names = pushing[0].view_class.__qualname__, hidden[pushing[0].view_class]
    if names == _ALL:
        what = f"everybody hears what {name} shows to signed-in users only"
    else:
        what = f"everybody hears {', '.join(sorted(names))}, which {name} does not show"
    yield CheckWarning(
        f"{dotted_name(backend)} pushes to public channels: {what}.",
        hint="Make it a PrivatePusherBackend with this view as `view_class`, or give it a "
        "`serializer_class` of what everybody may know.",
        obj=backend,
        id="drf_model_pusher.W024",
    )


def _is_about(view: RoutedView, backend: type[PusherBackend]) -> bool:
    model = view_model(view.view_class)
    return model is not None and same(model, backend.model)


def _hidden(view: RoutedView, backend: type[PusherBackend]) -> frozenset[str]:
    """Return the fields that are sure to be hidden from an anonymous GET."""
    view_class = view.view_class
    if "get_permissions" not in _own_names(view_class) and any(
        _refuses_strangers(permission) for permission in view.get("permission_classes") or ()
    ):
        return _ALL
    told = _field_names(backend.serializer_class)
    shown = _field_names(view.get("serializer_class"))
    own = (
        backend.get_serializer_class is not PusherBackend.get_serializer_class
        or "get_serializer_class" in _own_names(view_class)
    )
    return frozenset() if own or told is None or shown is None else told - shown


def _own_names(view_class: type[Any]) -> set[str]:
    return {name for base in view_class.__mro__ if not is_of_drf(base) for name in vars(base)}


def _refuses_strangers(permission: Any) -> bool:
    """Say whether a permission is sure to refuse a GET of nobody."""
    operator = getattr(permission, "operator_class", None)
    if operator is not None:
        sides = [
            _refuses_strangers(getattr(permission, name))
            for name in ("op1_class", "op2_class")
            if hasattr(permission, name)
        ]
        if operator.__name__ == "AND":
            return any(sides)
        return operator.__name__ == "OR" and all(sides)
    method = getattr(permission, "has_permission", None)
    if method is DjangoModelPermissions.has_permission:
        return bool(permission.authenticated_users_only)
    return method in (IsAuthenticated.has_permission, IsAdminUser.has_permission)


def _field_names(serializer_class: Any) -> frozenset[str] | None:
    """Return the fields that a serializer shows by its declaration; None where code decides."""
    if not (isinstance(serializer_class, type) and issubclass(serializer_class, Serializer)):
        return None
    is_plain = serializer_class.get_fields in (Serializer.get_fields, ModelSerializer.get_fields)
    if not is_plain or serializer_class.to_representation is not Serializer.to_representation:
        return None
    declared = serializer_class._declared_fields
    hidden = {name for name, field in declared.items() if field.write_only}
    if not issubclass(serializer_class, ModelSerializer):
        return frozenset(declared) - hidden
    info = get_field_info(serializer_class.Meta.model)
    serializer: Any = serializer_class()
    names = serializer.get_field_names(copy.copy(declared), info)
    extra = getattr(serializer_class.Meta, "extra_kwargs", {})
    hidden |= {name for name, options in extra.items() if options.get("write_only")}
    return frozenset(names) - hidden
