"""What the project's URLs lead to."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import isfunction
from typing import Any, TypeAlias, cast

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

#: What routers tell a viewset about the action, by which it knows it anyway.
_BY_ROUTERS = {"name", "suffix", "description", "detail"}

#: The name of what a URL holds, and the pattern of its values where that is known.
_Parameter: TypeAlias = tuple[str, "str | None"]

#: A path as the URLconf writes it, what it leads to, and what it gives to that.
_Route: TypeAlias = tuple[str, Callable[..., Any], frozenset[_Parameter]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutedView:
    """A class of views, and what all routes to it make of it."""

    view_class: type[Any]
    initkwargs: dict[str, Any] = field(default_factory=dict)
    """What the first route overrides."""
    methods: set[str] = field(default_factory=set)
    """The HTTP methods that it answers, in lower case."""

    def get(self, name: str) -> Any:
        """Return an attribute, which a route may have overridden."""
        return self.initkwargs.get(name, getattr(self.view_class, name, None))


def routed(base: type) -> Iterator[tuple[str, Any]]:
    """Go through the routes that lead to a class-based view of this kind.

    Yields:
        The route as the URLconf writes it, and the class.
    """
    if getattr(settings, "ROOT_URLCONF", None):
        for path, callback, _ in _routes(get_resolver(), ""):
            # Django's own as_view() names the class in one way, DRF's for viewsets in another.
            view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
            if isinstance(view, type) and issubclass(view, base):
                yield path, view


def callbacks() -> list[Callable[..., Any]] | None:
    """Return all that the URLs lead to, or None where they cannot be read."""
    found = _all_routes()
    return None if found is None else [callback for _, callback, _ in found]


def _all_routes() -> list[_Route] | None:
    # What is wrong with the URLs is for Django's own checks to say.
    if not getattr(settings, "ROOT_URLCONF", None):
        return None
    try:
        return list(_routes(get_resolver(), "/"))
    except Exception:  # noqa: BLE001 - the project's modules may raise anything
        return None


def routed_views() -> list[RoutedView]:
    """Return every class of API views once."""
    views: dict[type[Any], RoutedView] = {}
    for callback in callbacks() or []:
        view_class = getattr(callback, "cls", None)
        if not isinstance(view_class, type):
            continue
        initkwargs = getattr(callback, "initkwargs", None) or {}
        new = RoutedView(view_class=view_class, initkwargs=initkwargs)
        view = views.setdefault(view_class, new)
        actions = getattr(callback, "actions", None)  # a viewset's
        names = getattr(view_class, "http_method_names", ())
        view.methods.update(actions or [name for name in names if hasattr(view_class, name)])
    return list(views.values())


def is_of_drf(base: type[Any]) -> bool:
    """Say whether a base of a view is the framework's, or that of its async views."""
    return base.__module__.partition(".")[0] in ("rest_framework", "adrf")


def routed_get_actions(viewset: type[Any]) -> frozenset[str] | None:
    """Return what URLs make of a GET to a viewset; None where none is known to lead to it."""
    actions = [route.action for route in _gets(viewset) if route.action is not None]
    return frozenset(filter(None, actions)) if actions else None


def is_routed_alike(view_class: type[Any], action: str) -> bool:
    """Say whether all URLs of a GET give the same arguments to ``as_view()``."""
    return len(_arguments(view_class, action)) <= 1


def as_routed(view_class: type[Any], action: str) -> type[Any]:
    """Return a view with what the URLs of a GET give to its ``as_view()`` as its own attributes."""
    routed_class: type[Any] = _as_routed(_urlconf(), cast("Hashable", view_class), action)
    return routed_class


# By the URLs' module, which tests change. Each question needs the same class again.
@lru_cache(maxsize=1_000)
def _as_routed(urlconf: Hashable, view_class: Any, action: str) -> Any:
    found = _arguments(view_class, action)
    if len(found) != 1 or not found[0]:
        return view_class
    own = {name: getattr(view_class, name) for name in ("__module__", "__qualname__", "__doc__")}
    given = {
        name: staticmethod(value) if isfunction(value) else value
        for name, value in found[0].items()
    }
    return type(view_class.__name__, (view_class,), own | given)


def has_wrapped_route(view_class: type[Any], action: str) -> bool:
    """Say whether a URL of a GET leads to a view that something was, or may be, put around."""
    is_wrapped: bool = _has_wrapped_route(_urlconf(), cast("Hashable", view_class), action)
    return is_wrapped


@lru_cache(maxsize=1_000)
def _has_wrapped_route(urlconf: Hashable, view_class: Any, action: str) -> bool:
    try:
        return any(
            route.action in (None, action) and _layers(route.callback) > _layers(route.as_made())
            for route in _gets(view_class)
        )
    except Exception:  # noqa: BLE001 - an as_view() of the project's own may raise anything
        return True


def _layers(callback: Any) -> int:
    layers = 0
    while callback := getattr(callback, "__wrapped__", None):
        layers += 1
    return layers


def _arguments(view_class: type[Any], action: str) -> list[dict[str, Any]]:
    """Return the arguments that routes of a GET give, each once."""
    found: list[dict[str, Any]] = []
    for route in _gets(view_class):
        if route.action in (None, action) and route.arguments not in found:
            found.append(route.arguments)
    return found


def may_be_given(view_class: type[Any], action: str, kwargs: Mapping[str, Any]) -> bool:
    """Say whether some URL of a GET, if any is known, can give these keyword arguments.

    It need not hold all of them; and None is a value that is not known.
    """
    routes = [route for route in _gets(view_class) if route.action in (None, action)]
    return not routes or any(
        all(name in kwargs and _holds(pattern, kwargs[name]) for name, pattern in route.parameters)
        for route in routes
    )


def _holds(pattern: str | None, value: Any) -> bool:
    return pattern is None or value is None or bool(re.fullmatch(pattern, str(value)))


@dataclass(frozen=True, slots=True)
class _Get:
    callback: Any
    parameters: frozenset[_Parameter]
    """What the URL gives to it."""

    @property
    def action(self) -> str | None:
        """What a viewset makes of it, empty for a refusal; None of another view."""
        actions = getattr(self.callback, "actions", None)
        return actions.get("get", "") if actions else None

    @property
    def arguments(self) -> dict[str, Any]:
        given = getattr(self.callback, "initkwargs", None) or {}
        return {name: value for name, value in given.items() if name not in _BY_ROUTERS}

    def as_made(self) -> Any:
        """Return what ``as_view()`` itself makes of the view."""
        actions = getattr(self.callback, "actions", None)
        return self.callback.cls.as_view(*([actions] if actions else []), **self.arguments)


def _gets(view_class: type[Any]) -> Sequence[_Get]:
    return _all_gets(_urlconf(), cast("Hashable", view_class))


# Looking through all of them takes its time.
@lru_cache(maxsize=1_000)
def _all_gets(urlconf: Hashable, view_class: Hashable) -> Sequence[_Get]:
    return [
        _Get(callback, parameters)
        for _, callback, parameters in _all_routes() or []
        if getattr(callback, "cls", None) is view_class
    ]


def _urlconf() -> Hashable:
    return getattr(settings, "ROOT_URLCONF", None)


def _routes(
    route: URLPattern | URLResolver, before: str, given: frozenset[_Parameter] = frozenset()
) -> Iterator[_Route]:
    # Those of DRF's routers are regular expressions.
    path = before + str(route.pattern).removeprefix("^").removesuffix("$")
    given |= _parameters(route.pattern)
    if isinstance(route, URLPattern):
        yield path, route.callback, given
    else:
        for each in route.url_patterns:
            yield from _routes(each, path, given)


def _parameters(pattern: Any) -> frozenset[_Parameter]:
    if isinstance(pattern, RegexPattern):
        return frozenset((name, None) for name in pattern.regex.groupindex)
    return frozenset((name, each.regex) for name, each in pattern.converters.items())
