"""Who may GET it may subscribe to it: the question that a view would be asked, without its answer.

A view is made as DRF makes it for a GET, up to the object or the filtered queryset; nothing is
serialized. What cannot be seen from outside is never guessed: a handler that is not DRF's own is
really called, and must answer 200.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import NotSupportedError
from django.db.models import Model, QuerySet
from django.db.models.sql import Query
from django.http import Http404
from django.views import View
from rest_framework import generics, mixins
from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import ReadOnlyModelViewSet, ViewSetMixin

from drf_model_pusher.channel_templates import value_of
from drf_model_pusher.get_requests import as_get, as_sent
from drf_model_pusher.lookups import is_unique, lookups_on, plain, same, view_model

if TYPE_CHECKING:
    from drf_model_pusher.rules import ChannelRules

#: What says no. A ValueError comes of a name's text that is no value of the field that it is for.
REFUSALS = (
    APIException,
    Http404,
    PermissionDenied,
    ObjectDoesNotExist,
    ValidationError,
    ValueError,
    TypeError,
    # A queryset that cannot be filtered any more: a union, or a slice.
    NotSupportedError,
)

_OWN_HANDLERS = {"retrieve": mixins.RetrieveModelMixin.retrieve, "list": mixins.ListModelMixin.list}

_OWN_GETS = {
    view.get
    for view in (
        generics.ListAPIView,
        generics.RetrieveAPIView,
        generics.ListCreateAPIView,
        generics.RetrieveUpdateAPIView,
        generics.RetrieveDestroyAPIView,
        generics.RetrieveUpdateDestroyAPIView,
    )
}


# Besides the handlers: hooks of a GET that are not called here, and could say no.
_HOOKS = {
    "retrieve": ("as_view", "setup", "finalize_response", "get_serializer", "get_serializer_class"),
    "list": ("as_view", "setup", "finalize_response", "paginate_queryset"),
}


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A subscription is not granted; the text is the reason, for developers only."""


@dataclass(frozen=True)
class ViewRule:
    """A view, and what a GET to it would be about."""

    view_class: type[generics.GenericAPIView[Any]]

    model: type[Model]
    """What it shows."""

    lookups: tuple[tuple[str, str], ...]
    """The template's fields as look-ups on the view's model, each with its text."""

    kwargs: tuple[tuple[str, Any], ...]
    """The keyword arguments that its URL would give to the view."""

    pin: str | None
    """The look-up that names one object; without one it is a list."""

    lists_queryset: bool = False

    own_identity: bool = True
    """Whether the view authenticates by itself."""

    @property
    def action(self) -> str:
        """Return what a viewset calls the GET."""
        return "list" if self.pin is None else "retrieve"

    def problem(self) -> str | None:
        """Return why this rule will never grant anything, or None."""
        view = self.view_class
        if not hasattr(view, self.action) or "get" not in view.http_method_names:
            return f"{view.__qualname__} answers no GET with {self.action}()"
        if self.pin is None and not self.own_identity and _asks_about_objects(view):
            return "a permission that decides by object cannot answer for a list of them"
        if self.pin is None and self._is_opaque() and not self.lists_queryset:
            return f"{view.__qualname__} lists in a way of its own, and may not show its queryset"
        return None

    def ask(self, asking: Request) -> Request:
        """Return the GET that would be answered.

        Args:
            asking: The request for authorization.

        Raises:
            Refused: It would not be answered.
        """
        if problem := self.problem():
            raise Refused(problem)
        view = self._view(asking)
        try:
            if self._is_opaque():
                self._really_get(asking)
            request: Request = view.request
            view.initial(request, *view.args, **view.kwargs)
            found = self._object(view) if self.pin else self._list(view)
        except REFUSALS as error:
            raise Refused(f"{self.view_class.__qualname__}: {error!r}") from error
        if not found:
            raise Refused(
                f"{self.view_class.__qualname__} does not show all that the channel is about"
            )
        return request

    def _view(self, asking: Request) -> Any:
        view: Any = self.view_class()
        view.args, view.kwargs = (), dict(self.kwargs)
        # Throttles limit work and count requests; this one is counted by the authorization view.
        view.check_throttles = lambda request: None
        if issubclass(self.view_class, ViewSetMixin):
            view.action_map = {"get": self.action}
            view.detail, view.basename = self.pin is not None, None
            view.get = getattr(view, self.action)
        view.request = view.initialize_request(
            as_get(asking._request, self._topic()), **view.kwargs
        )
        view.headers = view.default_response_headers
        self._identify(view, asking)
        return view

    def _topic(self) -> str:
        view = f"{self.view_class.__module__}.{self.view_class.__qualname__}"
        return "/".join([view, *(f"{field}={text}" for field, text in self.lookups)])

    def _identify(self, view: Any, asking: Request) -> None:
        """Let the view's own authentication see the request that was really sent.

        That is a POST, for which SessionAuthentication asks for a CSRF token; for the GET that
        the view is shown it would not.
        """
        known = asking
        if self.own_identity and not _authenticates_alike(view, asking):
            posted = as_sent(asking._request)
            known = Request(posted, authenticators=view.get_authenticators())
        try:
            user, auth = known.user, known.auth
        except APIException as error:
            raise Refused(f"{self.view_class.__qualname__}: {error}") from error
        if is_inactive(user):
            raise Refused("the user is inactive")
        view.request.user, view.request.auth = user, auth
        view.request._authenticator = known.successful_authenticator

    def _object(self, view: Any) -> bool:
        """Say whether the view shows an object that is the one in the channel's name."""
        instance = view.get_object()
        # A view that does not say its model may show something else under the same key.
        if not isinstance(instance, Model) or not same(type(instance), self.model):
            raise TypeError(f"the view's object is no {self.model.__name__}")
        # "orders.007" is not the channel of order 7, and no order of another customer's is in
        # "customers.1.orders.7".
        return all(str(value_of(instance, field)) == text for field, text in self.lookups)

    def _list(self, view: Any) -> bool:
        """Say whether the view's list shows every object that the channel is about.

        A list that shows some would be a licence to hear of the others. A list that is empty
        proves nothing about objects to come, unless it is one of all objects there are.
        """
        queryset = view.filter_queryset(view.get_queryset())
        if not isinstance(queryset, QuerySet) or not same(queryset.model, self.model):
            raise TypeError(f"the view's list is no queryset of {self.model.__name__}")
        if _is_everything(queryset):
            return True
        fields, wanted = [field for field, _ in self.lookups], dict(self.lookups)
        shown = queryset.filter(**wanted).order_by()
        values = shown.values_list(*fields or ["pk"])[:1]
        if not values or (fields and [str(value) for value in values[0]] != list(wanted.values())):
            return False
        all_there_are = queryset.model._base_manager.using(queryset.db).filter(**wanted)
        return not all_there_are.exclude(pk__in=shown.values("pk")).exists()

    def _is_opaque(self) -> bool:
        """Say whether the answer to a GET depends on code that only a GET runs."""
        view: Any = self.view_class
        return (
            getattr(view, self.action) is not _OWN_HANDLERS[self.action]
            or view.dispatch is not APIView.dispatch
            or (not issubclass(view, ViewSetMixin) and view.get not in _OWN_GETS)
            or any(_is_overridden(view, hook) for hook in _HOOKS[self.action])
        )

    def _really_get(self, asking: Request) -> None:
        view: Any = self.view_class
        is_set = issubclass(view, ViewSetMixin)
        handler = view.as_view({"get": self.action}) if is_set else view.as_view()
        status = handler(as_get(asking._request, self._topic()), **dict(self.kwargs)).status_code
        if status != 200:
            raise PermissionDenied(f"its own handler answers {status}")


def view_rule(backend: ChannelRules, fields: Mapping[str, str]) -> ViewRule:
    """Return the rule of a backend's ``view_class`` for the fields of a channel name.

    Raises:
        DeclarationError: The fields are not about objects of that view.
    """
    rule = view_rule_of(backend, fields)
    kwargs = backend.get_view_kwargs(**fields)
    if rule.pin is not None:
        view_class, text = rule.view_class, dict(rule.lookups)[rule.pin]
        lookup = view_class.lookup_field
        kwargs[view_class.lookup_url_kwarg or lookup] = (
            text
            if rule.pin == plain(rule.model, lookup)
            else _translate(rule.model, rule.pin, text, lookup)
        )
    return replace(rule, kwargs=tuple(kwargs.items()))


def view_rule_of(backend: ChannelRules, fields: Mapping[str, str]) -> ViewRule:
    """Return the rule without its keyword arguments: what the declaration alone can tell.

    Raises:
        DeclarationError: The fields are not about objects of that view.
    """
    view_class: Any = backend.view_class
    model = view_model(view_class) or backend.model
    lookups = lookups_on(model, backend.model, fields)
    return ViewRule(
        view_class=view_class,
        model=model,
        lookups=tuple(lookups.items()),
        kwargs=(),
        pin=pin_of(view_class, model, lookups),
        lists_queryset=backend.lists_queryset,
    )


def permission_rule(backend: ChannelRules, fields: Mapping[str, str]) -> ViewRule:
    """Return the rule of a backend's own ``permission_classes``."""
    model = backend.model
    lookups = lookups_on(model, model, fields)
    # There is no URL that says which look-up it takes: each that names one object will do.
    pin = next((field for field in lookups if is_unique(model, field)), None)
    return ViewRule(
        view_class=_read_only(cast("Hashable", type(backend)), pin or "pk"),
        model=model,
        lookups=tuple(lookups.items()),
        kwargs=((pin, lookups[pin]),) if pin else (),
        pin=pin,
        own_identity=False,
    )


def pin_of(view_class: Any, model: type[Model], lookups: Iterable[str]) -> str | None:
    """Return the look-up that names one object of the view: the view's own, or the primary key."""
    lookup = plain(model, view_class.lookup_field)
    return next((each for each in (lookup, "pk") if each in lookups), None)


def is_inactive(user: Any) -> bool:
    """Say whether this is a user who may not sign in any more, whatever let them through."""
    return getattr(user, "is_authenticated", False) and not getattr(user, "is_active", True)


@cache
def _read_only(backend: Any, lookup: str) -> type[Any]:
    """Return the viewset of all objects that a backend's ``permission_classes`` are asked about."""
    return type(
        f"{backend.__qualname__}.permission_classes",
        (ReadOnlyModelViewSet,),
        {
            "queryset": backend.model._default_manager.all(),
            "permission_classes": backend.permission_classes,
            "lookup_field": lookup,
            "filter_backends": [],
            "versioning_class": None,
        },
    )


def _is_overridden(view_class: Any, hook: str) -> bool:
    own = {
        getattr(getattr(each, hook, None), "__func__", getattr(each, hook, None))
        for each in (generics.GenericAPIView, ViewSetMixin, APIView, View)
    }
    method = getattr(view_class, hook)
    return getattr(method, "__func__", method) not in own


def _asks_about_objects(view_class: Any) -> bool:
    """Say whether a permission, or a part of a combined one, decides by object."""
    parts = list(view_class.permission_classes)
    while parts:
        part = parts.pop()
        operands = [getattr(part, name, None) for name in ("op1_class", "op2_class")]
        if any(operands):
            parts += filter(None, operands)
        elif part.has_object_permission is not BasePermission.has_object_permission:
            return True
    return False


def _authenticates_alike(view: Any, asking: Request) -> bool:
    return type(view).get_authenticators is APIView.get_authenticators and [
        type(each) for each in asking.authenticators or ()
    ] == list(view.authentication_classes)


def _is_everything(queryset: QuerySet[Any]) -> bool:
    """Say whether a queryset is sure to hold each object that there is, or will be."""
    query = queryset.query
    return (
        type(query) is Query
        and not query.where
        and not query.is_sliced
        and not query.combinator
        and not query.distinct_fields
        and not query.extra_tables
        and query.group_by is None
        and len(query.alias_map) <= 1
        and not query.is_empty()
    )


def _translate(model: type[Model], pin: str, text: str, lookup: str) -> Any:
    """Return what the URL of an object holds, where the channel holds its primary key."""
    try:
        return model._base_manager.filter(**{pin: text}).values_list(lookup, flat=True).first()
    except (ValueError, TypeError, ValidationError):
        return None
