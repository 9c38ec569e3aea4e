"""Asking a view whether it would answer a GET: by a GET.

The view is called as its URL calls it, by its own ``as_view()`` and ``dispatch()``, and whatever it
does is done. What it answers with 200 is granted, if that is what the channel is about. A subclass
made here stands before it, which does no more than this: it lets the view know the user whom its
authentication finds in the request that was really sent; it looks on while the view gets its
object, and while it handles errors; it counts no throttles; and it renders nothing of a list that
is sure to show its queryset.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any

from django.db.models import Model, QuerySet
from django.db.models.sql import Query
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from drf_model_pusher.authorization.get_requests import as_get, as_sent
from drf_model_pusher.authorization.refusals import Refused, Refusing, is_inactive
from drf_model_pusher.authorization.trusted import (
    ask_about_objects,
    is_trusted_list,
    is_trusted_serializer,
)
from drf_model_pusher.authorization.view_rules import ViewRule
from drf_model_pusher.channel_templates import value_of
from drf_model_pusher.lookups import same

if TYPE_CHECKING:
    from rest_framework.viewsets import ReadOnlyModelViewSet

    # What is watched: for type checkers only.
    _View = ReadOnlyModelViewSet[Any]
else:
    _View = object


@dataclass(kw_only=True)
class _Question:
    """One GET, and what was seen of it."""

    rule: ViewRule
    asking: Request
    view: Any = None
    found: Any = None
    has_looked: bool = False
    """Whether the view has looked for its object."""
    has_checked: bool = False
    """Whether that was there, so that permissions were asked about it."""
    refusal: str | None = None
    """What the view said no by, whatever it has made of that."""


def ask(rule: ViewRule, asking: Request) -> Request:
    """Return the GET that a view has answered.

    Args:
        rule: The view, and what the GET is about.
        asking: The request for authorization.

    Raises:
        Refused: It has not answered with 200, or not with what the channel is about.
    """
    question = _Question(rule=rule, asking=asking)
    try:
        with Refusing(rule.name):
            _get(question)
            _check_subject(question)
    except Refused:
        with suppress(Refused), Refusing(rule.name):
            _spend_as_much(question)
        raise
    request: Request = question.view.request
    return request


def _get(question: _Question) -> None:
    rule = question.rule
    if problem := rule.problem() or rule.problem_of_kwargs():
        raise Refused(problem)
    request: Any = as_get(question.asking._request, rule.topic)
    request.drf_model_pusher_question = question
    response = _handler(rule.view_class, rule.action)(request, **dict(rule.kwargs))
    if response.status_code != 200:
        raise Refused(f"{rule.name} answers {response.status_code}")
    if question.refusal is not None:
        # Where each answer is a 200, and only its body tells of an error.
        raise Refused(f"{rule.name} answers 200 to {question.refusal}")
    if question.view is None:
        raise Refused(f"{rule.name} has answered without being asked: it has a way of its own")


@cache
def _handler(view_class: Any, action: str) -> Callable[..., HttpResponseBase]:
    """Return what a URLconf would lead to, of the view that is watched."""
    own = {name: getattr(view_class, name) for name in ("__module__", "__qualname__", "__doc__")}
    watch = _WatchedList if action == "list" else _Watched
    watched: Any = type(view_class.__name__, (watch, view_class), own)
    is_set = issubclass(view_class, ViewSetMixin)
    handler: Callable[..., HttpResponseBase] = (
        # As routers give them: a queryset may depend on either. as_view() empties the attributes.
        watched.as_view(
            {"get": action},
            detail=action == "retrieve",
            basename=getattr(view_class, "basename", None),
        )
        if is_set
        else watched.as_view()
    )
    return handler


class _Watched(_View):
    """Stands before the view's own methods."""

    _drf_model_pusher_question: _Question

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        get: Request = super().initialize_request(request, *args, **kwargs)
        question: _Question = request.drf_model_pusher_question  # type: ignore[attr-defined]
        question.view, self._drf_model_pusher_question = self, question
        _identify(self, get, question)
        return get

    def check_throttles(self, request: Request) -> None:
        """Throttles limit work, and count requests: the authorization view has its own."""

    def handle_exception(self, exc: Exception) -> Response:
        self._drf_model_pusher_question.refusal = type(exc).__name__
        return super().handle_exception(exc)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        if (status := getattr(response, "status_code", 200)) != 200:
            self._drf_model_pusher_question.refusal = str(status)
        return super().finalize_response(request, response, *args, **kwargs)

    def get_object(self) -> Any:
        question = self._drf_model_pusher_question
        question.has_looked = True
        question.found = super().get_object()
        return question.found

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        self._drf_model_pusher_question.has_checked = True
        super().check_object_permissions(request, obj)


class _WatchedList(_Watched):
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        rule = self._drf_model_pusher_question.rule
        if is_trusted_list(rule.view_class) and is_trusted_serializer(self.get_serializer_class()):
            # Of nothing: its context may be where a view refuses.
            self.get_serializer([], many=True)
            return Response()
        if not rule.lists_queryset:
            raise Refused(f"{rule.name} has a serializer that may leave objects out")
        return super().list(request, *args, **kwargs)


def _identify(view: Any, get: Any, question: _Question) -> None:
    """Let the view know whom its own authentication finds in the request that was really sent.

    That is a POST, for which SessionAuthentication asks for a CSRF token; for the GET that the
    view is shown it would not.
    """
    known = question.asking
    is_alike = type(view).get_authenticators is APIView.get_authenticators and [
        type(each) for each in known.authenticators or ()
    ] == [type(each) for each in get.authenticators or ()]
    if question.rule.own_identity and not is_alike:
        known = Request(as_sent(known._request), authenticators=get.authenticators)
    user, auth = known.user, known.auth
    if is_inactive(user):
        raise Refused("the user is inactive")
    get.user, get.auth = user, auth
    get._authenticator = known.successful_authenticator


def _check_subject(question: _Question) -> None:
    """Refuse what the view shows if it is not what the channel is about."""
    if not (_is_the_object(question) if question.rule.pin else _is_the_list(question)):
        raise Refused(f"{question.rule.name} does not show all that the channel is about")


def _is_the_object(question: _Question) -> bool:
    """Say whether the view shows an object that is the one in the channel's name."""
    rule, found = question.rule, question.found
    if found is None:  # a retrieve() of the project's own need not look for it
        found = question.view.get_object()
    # A view that does not say its model may show something else under the same key.
    if not isinstance(found, Model) or not same(type(found), rule.model):
        raise Refused(f"the object of {rule.name} is no {rule.model.__name__}")
    # "orders.007" is not the channel of order 7, and no order of another customer's is in
    # "customers.1.orders.7".
    return all(_is(value_of(found, field), given) for field, given in rule.lookups)


def _is_the_list(question: _Question) -> bool:
    """Say whether the view's list shows every object that the channel is about.

    A list that shows some would be a licence to hear of the others. A list that is empty proves
    nothing about objects to come, unless it is one of all objects there are.
    """
    rule, view = question.rule, question.view
    queryset = view.filter_queryset(view.get_queryset())
    if not isinstance(queryset, QuerySet) or not same(queryset.model, rule.model):
        raise Refused(f"the list of {rule.name} is no queryset of {rule.model.__name__}")
    if _is_everything(queryset):
        return True
    fields, wanted = [field for field, _ in rule.lookups], dict(rule.lookups)
    if not isinstance(queryset.query.group_by, (bool, NoneType)):
        raise Refused(f"the list of {rule.name} is one of groups, and of no objects")
    if _compares_rows(queryset.query):
        # "The latest of each" is another one among fewer: these are to be chosen first.
        queryset = queryset.model._base_manager.using(queryset.db).filter(
            pk__in=queryset.values("pk")
        )
    shown = queryset.filter(**wanted).order_by()
    first = next(iter(shown.values_list(*fields or ["pk"])[:1]), None)
    if first is None or not all(map(_is, first, wanted.values())):
        return False
    # By no manager: even the base manager may be one of the project's that hides objects.
    all_there_are: QuerySet[Any] = QuerySet(queryset.model, using=queryset.db).filter(**wanted)
    return not all_there_are.exclude(pk__in=shown.values("pk")).exists()


def _is(value: Any, given: Any) -> bool:
    """Say whether an object's value is the one of a channel's name, in the very spelling."""
    return bool(str(value) == given if isinstance(given, str) else value == given)


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


def _compares_rows(query: Query) -> bool:
    """Say whether a query holds an object or not because of others."""
    return bool(query.distinct_fields or query.where.contains_over_clause)


def _spend_as_much(question: _Question) -> None:
    """Let an object that is absent, or hidden, cost what one costs that permissions refuse.

    Otherwise whoever counts time could tell which names belong to objects: for those that are not
    there the permissions are asked about another one, and the answer is thrown away.
    """
    view = question.view
    if question.has_looked and ask_about_objects(view.get_permissions()):
        for other in question.rule.model._base_manager.all()[:1]:
            if not question.has_checked:
                view.check_object_permissions(view.request, other)
