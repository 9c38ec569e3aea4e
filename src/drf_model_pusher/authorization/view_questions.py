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
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from drf_model_pusher.authorization.get_requests import as_get, as_sent
from drf_model_pusher.authorization.refusals import Refused, Refusing, is_inactive
from drf_model_pusher.authorization.subjects import check_subject
from drf_model_pusher.authorization.trusted import (
    ask_about_objects,
    is_trusted_list,
    is_trusted_serializer,
)
from drf_model_pusher.authorization.view_rules import ViewRule

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
            check_subject(rule, question.view, question.found)
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
