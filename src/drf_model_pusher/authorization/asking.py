"""Asking a project by a GET: the callback of a URL is called as Django's handler calls it."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, QueryDict
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from drf_model_pusher.authorization.gets import Get
from drf_model_pusher.authorization.refusals import Refused, Refusing, is_inactive

#: What a request finds out about its own headers, once it is asked.
_OWN = {"headers", "accepted_types"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer of 200, and the view that gave it."""

    response: Any
    view: Any


def ask(get: Get, asking: Request) -> Answer:
    """Return what a view answers to a GET.

    Args:
        get: What the URLs of the project lead to.
        asking: The request for authorization.

    Raises:
        Refused: It is no 200, or another view's, or for a user whom the request does not prove.
    """
    source = get.subject.source
    view = None
    try:
        with Refusing(source):
            _check_sync(get)
            response: Any = get.callback(_as_get(asking, get), *get.args, **get.kwargs)
            view = (getattr(response, "renderer_context", None) or {}).get("view")
            _check_response(response, view, get)
            _check_user(view, asking)
    except Refused:
        if view is not None:
            with suppress(Refused), Refusing(source):
                _spend_as_much(view, get)
        raise
    return Answer(response=response, view=view)


def _check_sync(get: Get) -> None:
    if iscoroutinefunction(get.callback) or _is_async(cast("Hashable", get.view_class)):
        raise Refused(f"{get.subject.source} is async, and only views that are not can be asked")


@cache
def _is_async(view_class: Any) -> bool:
    return bool(getattr(view_class, "view_is_async", False))


def _check_response(response: Any, view: Any, get: Get) -> None:
    source = get.subject.source
    if response.status_code != 200:
        raise Refused(f"{source} answers {response.status_code}")
    if view is None or not isinstance(view, get.view_class or object):
        raise Refused(f"something else has answered in the place of {source}")
    if response.exception:
        raise Refused(f"{source} answers 200 to an error")


def remember_session_user(request: Any) -> None:
    """Remember the user whom Django's middleware found.

    DRF writes whomever it authenticates into Django's request. A view that takes sessions only
    would find the user of a token there, and take it for that of a session.
    """
    request.drf_model_pusher_user = getattr(request, "user", None)


def _as_sent(asking: Request) -> Any:
    """Return a copy of the request for authorization with the user of its session, or nobody."""
    sent: Any = copy.copy(asking._request)
    sent.user = getattr(sent, "drf_model_pusher_user", None)
    return sent


def _as_get(asking: Request, get: Get) -> HttpRequest:
    """Return a GET of the same client, with its headers and what middleware has found out.

    Query and body of the request are its sender's choice and no part of what is asked.
    """
    sent = _as_sent(asking)
    environ = {
        **sent.META,
        "REQUEST_METHOD": "GET",
        "PATH_INFO": get.path.encode().decode("latin-1"),
        # An address of its own, so that a cached answer to one is none to another.
        "QUERY_STRING": secrets.token_hex(8),
        "wsgi.input": BytesIO(),
        "wsgi.url_scheme": sent.scheme,
    }
    # The last two are of the path that was rewritten.
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_CONTENT_ENCODING", "SCRIPT_URL",
                 "REDIRECT_URL"):  # fmt: skip
        environ.pop(name, None)
    request: Any = WSGIRequest(environ)
    request.GET = QueryDict()
    # Once it has a body of its own, the rest of what the other has is what middleware put there.
    _ = request.body, request.POST
    others = vars(sent).keys() - vars(request) - _OWN
    vars(request).update({name: vars(sent)[name] for name in others})
    request.resolver_match = get.match
    return request  # type: ignore[no-any-return]


def _check_user(view: Any, asking: Request) -> None:
    """Refuse a user who is inactive, or whom only the GET and not the real request would prove.

    That is a POST, for which SessionAuthentication asks for a CSRF token; for a GET it does not.
    A view that has decided itself who asks has no authenticator to name.
    """
    seen = view.request
    if is_inactive(seen.user):
        raise Refused("the user is inactive")
    used = seen.successful_authenticator
    if used is None:
        return
    proven: Any = asking
    if _kinds(asking.authenticators) != _kinds(seen.authenticators):
        proven = Request(_as_sent(asking), authenticators=seen.authenticators)
    if type(proven.successful_authenticator) is not type(used):
        raise Refused("the request does not prove who the GET would be by")


def _kinds(authenticators: Iterable[Any] | None) -> list[type[Any]]:
    return [type(each) for each in authenticators or ()]


def _spend_as_much(view: Any, get: Get) -> None:
    """Let an object that is absent, or hidden, cost what one costs that permissions refuse.

    Otherwise whoever counts time could tell which names belong to objects. The view is asked for
    its object again, and for one that is not there the permissions are asked about another.
    """
    if get.subject.pin is None or not ask_about_objects(view.get_permissions()):
        return
    view.check_permissions(view.request)
    checked, check = [], view.check_object_permissions
    view.check_object_permissions = lambda request, found: checked.append(found)
    with suppress(Exception):
        view.get_object()
    for other in get.subject.model._base_manager.all()[:1] if get.subject.model else ():
        if not checked:
            check(view.request, other)


def ask_about_objects(permissions: Iterable[Any]) -> bool:
    """Say whether one of these permissions, or a part of a combined one, decides by object."""
    parts = list(permissions)
    while parts:
        part = parts.pop()
        # Of a combined class, or of what that makes for a request.
        names = ("op1_class", "op2_class", "op1", "op2")
        if operands := [getattr(part, name) for name in names if hasattr(part, name)]:
            parts += operands
            continue
        kind = part if isinstance(part, type) else type(part)
        own = getattr(kind, "has_object_permission", None)
        if own is not BasePermission.has_object_permission:
            return True
    return False
