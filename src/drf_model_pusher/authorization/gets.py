"""Which GETs stand for a channel: their paths, and what those lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import NoReverseMatch, Resolver404, ResolverMatch, get_script_prefix, reverse
from django.urls import resolve as resolve_path
from rest_framework.settings import api_settings

from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.authorization.subjects import COMPOSITE, Subject, is_generic, view_subject
from drf_model_pusher.lookups import plain, python_value
from drf_model_pusher.routes import Route, routes, routes_to

if TYPE_CHECKING:
    from drf_model_pusher.rules import ChannelRules


@dataclass(frozen=True, kw_only=True, slots=True)
class Get:
    """A GET that the project itself would answer."""

    subject: Subject
    """What it has to be about."""
    path: str
    """Below the script's own, and not quoted."""
    callback: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    match: ResolverMatch | None = None
    view_class: type[Any] | None = None
    """The view that has to answer; None if that cannot be told."""


def resolve_get(
    backend: ChannelRules, fields: Mapping[str, Any], request: HttpRequest
) -> Sequence[Get]:
    """Return the GETs that a backend's ``view_class`` or ``view_name`` stands for.

    The URLconf is that of the request. Of several routes those count that take the most of what
    the channel says.

    Args:
        backend: The backend.
        fields: The fields of the channel, by name.
        request: The request for authorization.

    Raises:
        Refused: No URL leads there.
        DeclarationError: The fields are not about objects of the view.
    """
    urlconf = getattr(request, "urlconf", None)
    shared = _shared(request)
    values = _values(backend, fields)
    callbacks = []
    found: dict[str, tuple[int, Get]] = {}
    for route, subject in candidates(backend, fields, urlconf):
        callbacks.append(route.callback)
        own = values | _look_up(route, subject, values)
        known = {name: value for name, value in (shared | own).items() if name in route.parameters}
        get = _reversed(route, subject, known, urlconf)
        if get is not None:
            found.setdefault(get.path, (len(known.keys() & own.keys()), get))
    most = max((taken for taken, _ in found.values()), default=0)
    gets = [get for taken, get in found.values() if taken == most]
    # What comes first in the URLconf may be another route's.
    if not gets or any(get.callback not in callbacks for get in gets):
        raise Refused(no_url(backend, view_subject(backend, fields, backend.view_class)))
    return gets


def candidates(
    backend: ChannelRules, fields: Mapping[str, Any], urlconf: Any = None
) -> Iterator[tuple[Route, Subject]]:
    """Go through the routes that may lead to a backend's view, and what they would show."""
    name, view_class = backend.view_name, backend.view_class
    if name is None:
        subject = view_subject(backend, fields, view_class)
        for route in routes_to(view_class, urlconf):
            if route.action in (None, subject.action):
                yield route, subject
        return
    for route in routes(urlconf):
        if route.name == name.rpartition(":")[2] and view_class in (None, route.view_class):
            of_route = route.view_class if is_generic(route.view_class) else view_class
            yield replace(route, target=name), view_subject(backend, fields, of_route)


def no_url(backend: ChannelRules, subject: Subject) -> str:
    """Return the reason where no route takes what a channel says."""
    what = backend.view_name or f"{subject.source}.{subject.action}()"
    return f"no URL leads to {what} with what the channel says"


def _shared(request: HttpRequest) -> dict[str, Any]:
    """Return what the endpoint's own URL says, such as a tenant or a version."""
    version = {api_settings.VERSION_PARAM: api_settings.DEFAULT_VERSION}
    match: Any = request.resolver_match
    shared = version if api_settings.DEFAULT_VERSION else {}
    return shared | (match.captured_kwargs or {} if match else {})


def _values(backend: ChannelRules, fields: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: python_value(backend.model, name, value) for name, value in fields.items()}
    return own | dict(backend.get_view_kwargs(**fields))


def _look_up(route: Route, subject: Subject, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what names the object in the URL of its view."""
    if subject.model is None or subject.pin is None:
        return {}
    if subject.pin is COMPOSITE:
        return {name: value for name, value in subject.lookups if name not in values}
    options = {
        name: route.initkwargs.get(name, getattr(route.view_class, name, None))
        for name in ("lookup_field", "lookup_url_kwarg")
    }
    lookup = options["lookup_field"] or "pk"
    value = python_value(subject.model, subject.pin, dict(subject.lookups)[subject.pin])
    if subject.pin != plain(subject.model, lookup):
        value = _translated(subject.model, subject.pin, value, lookup)
    return {options["lookup_url_kwarg"] or lookup: value}


def _translated(model: Any, pin: str, value: Any, lookup: str) -> Any:
    """Return what the URL of an object holds, where the channel holds something else."""
    try:
        found = model._base_manager.filter(**{pin: value}).values_list(lookup, flat=True).first()
    except (ValueError, ValidationError):
        found = None
    # An object that is absent costs a GET as well, though one that finds nothing.
    return value if found is None else found


def _reversed(route: Route, subject: Subject, kwargs: dict[str, Any], urlconf: Any) -> Get | None:
    if route.target is None:
        return None
    try:
        url = reverse(route.target, urlconf, kwargs=kwargs)
    except NoReverseMatch:
        return None
    path = unquote(url)[len(get_script_prefix()) - 1 :]
    try:
        match = resolve_path(path, urlconf)
    except Resolver404:
        return None
    return Get(
        subject=subject,
        path=path,
        callback=match.func,
        args=match.args,
        kwargs=match.kwargs,
        match=match,
        view_class=route.view_class,
    )
