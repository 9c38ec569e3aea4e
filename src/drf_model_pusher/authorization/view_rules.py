"""Which GET a channel stands for: the view, and the object or the list that it would be about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from rest_framework import generics
from rest_framework.viewsets import ViewSetMixin

from drf_model_pusher.authorization.trusted import (
    ask_about_objects,
    is_trusted_list,
    is_trusted_serializer,
)
from drf_model_pusher.lookups import has_composite_key, lookups_on, plain, view_model
from drf_model_pusher.routes import (
    as_routed,
    has_wrapped_route,
    is_routed_alike,
    may_be_given,
    routed_get_actions,
)

if TYPE_CHECKING:
    from drf_model_pusher.rules import ChannelRules


#: The look-up of an object whose primary key several fields of the channel are together.
COMPOSITE = "the fields of the primary key"

#: What a URL may hold, and need not: the suffix of a format.
_OPTIONAL = {"format": None}


@dataclass(frozen=True)
class ViewRule:
    """A view, and what a GET to it would be about."""

    view_class: type[generics.GenericAPIView[Any]]

    model: type[Model]
    """What it shows."""

    lookups: tuple[tuple[str, Any], ...]
    """The channel's fields as look-ups on the view's model, each with its text or value."""

    kwargs: tuple[tuple[str, Any], ...]
    """The keyword arguments that its URL would give to the view."""

    pin: str | None
    """The look-up that names one object; without one it is a list."""

    lists_queryset: bool = False
    """Whether a list that is not trusted shows its queryset all the same: the project says so."""

    declared: type[Any] | None = None
    """The view without what its URLs give to it, if it has some."""

    own_identity: bool = True
    """Whether the view authenticates by itself."""

    @property
    def name(self) -> str:
        """Return the name of the view."""
        return self.view_class.__qualname__

    @property
    def action(self) -> str:
        """Return what a viewset calls the GET."""
        return "list" if self.pin is None else "retrieve"

    @property
    def topic(self) -> str:
        """Return an address for the GET; no two questions share one."""
        view = f"{self.view_class.__module__}.{self.name}"
        return "/".join([view, *(f"{field}={value}" for field, value in self.lookups)])

    def problem(self) -> str | None:
        """Return why this rule will never grant anything, or None."""
        view = self.view_class
        if getattr(view, "view_is_async", False):
            return f"{self.name} is async, and only views that are not can be asked"
        if not hasattr(view, self.action) or "get" not in view.http_method_names:
            return f"{self.name} answers no GET with {self.action}()"
        if problem := self._problem_of_urls():
            return problem
        if self.pin is not None:
            return None
        if not self.own_identity and ask_about_objects(view.permission_classes):
            return "a permission that decides by object cannot answer for a list of them"
        if self.lists_queryset:
            return None
        if not is_trusted_list(view):
            return f"{self.name} lists in a way of its own, and may not show its queryset"
        # One that a method chooses is looked at when it is asked.
        if view.serializer_class and not is_trusted_serializer(view.serializer_class):
            return f"{self.name} has a serializer that may leave objects out of a list"
        return None

    def _problem_of_urls(self) -> str | None:
        view: Any = self.view_class
        declared = self.declared or view
        actions = routed_get_actions(declared) if issubclass(view, ViewSetMixin) else None
        if actions is not None and self.action not in actions:
            return f"no URL leads to {self.name}.{self.action}()"
        if not is_routed_alike(declared, self.action):
            return f"URLs give different arguments to {self.name}.as_view()"
        if has_wrapped_route(declared, self.action):
            return (
                f"the URLconf puts something around {self.name}, which is not asked: put it on the "
                'class, by `method_decorator(…, name="dispatch")`'
            )
        return None

    def problem_of_kwargs(self) -> str | None:
        """Return why no URL is sure to give these keyword arguments to the view, or None."""
        view: Any = self.view_class
        kwargs = dict(self.kwargs)
        version = getattr(view.versioning_class, "version_param", "version")
        if not may_be_given(
            self.declared or view, self.action, {**_OPTIONAL, version: None, **kwargs}
        ):
            return f"no URL of {self.name} holds this and no more: see `get_view_kwargs()`"
        # What routers make of it: a URL of their own cannot hold another look-up.
        pattern = getattr(view, "lookup_value_regex", None)
        value = kwargs.get(view.lookup_url_kwarg or view.lookup_field)
        if pattern and value is not None and not re.fullmatch(pattern, str(value)):
            return f"no URL of {self.name} can hold this look-up"
        return None


def view_rule(backend: ChannelRules, fields: Mapping[str, Any]) -> ViewRule:
    """Return the rule of a backend's ``view_class`` for the fields of a channel name.

    Raises:
        DeclarationError: The fields are not about objects of that view.
    """
    rule = view_rule_of(backend, fields)
    kwargs = dict(backend.get_view_kwargs(**fields))
    if rule.pin is COMPOSITE:
        # Which names the URL has for the parts only the project can tell, if not the fields' own.
        kwargs = kwargs or dict(rule.lookups)
    elif rule.pin is not None:
        view_class, value = rule.view_class, dict(rule.lookups)[rule.pin]
        lookup = view_class.lookup_field
        kwargs[view_class.lookup_url_kwarg or lookup] = (
            value
            if rule.pin == plain(rule.model, lookup)
            else _translate(rule.model, rule.pin, value, lookup)
        )
    return replace(rule, kwargs=tuple(kwargs.items()))


def view_rule_of(backend: ChannelRules, fields: Mapping[str, Any]) -> ViewRule:
    """Return the rule without its keyword arguments: what the declaration alone can tell.

    Raises:
        DeclarationError: The fields are not about objects of that view.
    """
    declared: Any = backend.view_class
    view_class: Any = as_routed(declared, "retrieve")
    model = view_model(view_class) or backend.model
    lookups = lookups_on(model, backend.model, fields)
    pin = pin_of(view_class, model, lookups)
    return ViewRule(
        view_class=view_class if pin else as_routed(declared, "list"),
        model=model,
        lookups=tuple(lookups.items()),
        kwargs=(),
        pin=pin,
        lists_queryset=backend.lists_queryset,
        declared=declared,
    )


def pin_of(view_class: Any, model: type[Model], lookups: Iterable[str]) -> str | None:
    """Return the look-up that names one object of the view: the view's own, or the primary key."""
    lookup = plain(model, view_class.lookup_field)
    found = next((each for each in (lookup, "pk") if each in lookups), None)
    return found or (COMPOSITE if has_composite_key(model, lookups) else None)


def _translate(model: type[Model], pin: str, value: Any, lookup: str) -> Any:
    """Return what the URL of an object holds, where the channel holds its primary key."""
    try:
        return model._base_manager.filter(**{pin: value}).values_list(lookup, flat=True).first()
    except (ValueError, ValidationError):
        return None
