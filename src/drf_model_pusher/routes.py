"""What the URLs of a project lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

#: How many things a search for the view inside a callback looks at.
_MANY = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One entry of a URLconf that ends at a callback."""

    path: str
    """As the URLconf writes it."""
    callback: Callable[..., Any]
    view: Any
    """What ``as_view()`` made, inside whatever wraps it; None for other functions."""
    name: str | None
    """Its own name, without namespaces."""
    target: Any
    """What ``reverse()`` takes; None if nothing does."""
    parameters: frozenset[str]
    """The names of what the path captures."""

    @property
    def view_class(self) -> type[Any] | None:
        """Return the class of the view, if it has one."""
        # DRF's as_view() names the class in one way, Django's in another.
        return getattr(self.view, "cls", None) or getattr(self.view, "view_class", None)

    @property
    def initkwargs(self) -> dict[str, Any]:
        """Return the arguments of ``as_view()``, as far as they can be seen."""
        return getattr(self.view, "initkwargs", None) or {}

    @property
    def action(self) -> str | None:
        """Return what a viewset does for a GET, or "" for nothing; None if nobody can tell."""
        actions = getattr(self.view, "actions", None)
        return actions.get("get", "") if actions else None


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


def routes(urlconf: Any = None) -> Sequence[Route]:
    """Return all routes of a URLconf, by default of ROOT_URLCONF, which is read once."""
    return _all_routes(get_resolver(urlconf))


# Django itself keeps one resolver for each URLconf.
@lru_cache(maxsize=1_000)
def _all_routes(resolver: URLResolver) -> Sequence[Route]:
    return list(_walk(resolver, "", (), frozenset()))


def routes_to(view_class: Any, urlconf: Any = None) -> Sequence[Route]:
    """Return the routes of a URLconf that lead to a view."""
    return _routes_to(get_resolver(urlconf), view_class)


@lru_cache(maxsize=1_000)
def _routes_to(resolver: URLResolver, view_class: Any) -> Sequence[Route]:
    return [route for route in _all_routes(resolver) if route.view_class is view_class]


def routed(base: type) -> Iterator[tuple[str, Any]]:
    """Go through the path and the class of each route to a view of this kind."""
    if getattr(settings, "ROOT_URLCONF", None):
        for route in routes():
            if isinstance(route.view_class, type) and issubclass(route.view_class, base):
                yield route.path, route.view_class


def known_routes() -> Sequence[Route] | None:
    """Return the routes of ROOT_URLCONF, or None where they cannot be read."""
    # What is wrong with the URLs is for Django's own checks to say.
    if not getattr(settings, "ROOT_URLCONF", None):
        return None
    try:
        return routes()
    except Exception:  # noqa: BLE001 - the project's modules may raise anything
        return None


def routed_views() -> list[RoutedView]:
    """Return every class of API views once."""
    views: dict[type[Any], RoutedView] = {}
    for route in known_routes() or []:
        view_class = getattr(route.view, "cls", None)
        if not isinstance(view_class, type):
            continue
        new = RoutedView(view_class=view_class, initkwargs=route.initkwargs)
        view = views.setdefault(view_class, new)
        actions = getattr(route.view, "actions", None)  # a viewset's
        names = getattr(view_class, "http_method_names", ())
        view.methods.update(actions or [name for name in names if hasattr(view_class, name)])
    return list(views.values())


def is_of_drf(base: type[Any]) -> bool:
    """Say whether a base of a view is the framework's, or that of its async views."""
    return base.__module__.partition(".")[0] in ("rest_framework", "adrf")


def _walk(
    route: URLPattern | URLResolver,
    before: str,
    namespaces: tuple[str, ...],
    captured: frozenset[str],
) -> Iterator[Route]:
    # Those of DRF's routers are regular expressions.
    path = before + str(route.pattern).removeprefix("^").removesuffix("$")
    captured |= set(route.pattern.regex.groupindex)
    if isinstance(route, URLResolver):
        if route.namespace:
            namespaces = (*namespaces, route.namespace)
        for each in route.url_patterns:
            yield from _walk(each, path, namespaces, captured)
        return
    # By the callback, which is of this route alone; reverse() finds none in a namespace.
    target: Any = route.callback
    if namespaces:
        target = ":".join([*namespaces, route.name]) if route.name else None
    yield Route(
        path=path,
        callback=route.callback,
        view=_view_within(route.callback),
        name=route.name,
        target=target,
        parameters=captured,
    )


def _view_within(callback: Any) -> Any:
    """Return what ``as_view()`` made, also where something wraps it.

    A wrapper need not say what it wraps, so this looks at all that it holds. It only says which
    routes to ask: whether one really leads to the view, its answer shows.
    """
    met: list[Any] = []
    ahead = [callback]
    while ahead and len(met) < _MANY:
        found = ahead.pop(0)
        if any(found is each for each in met):
            continue
        if any(isinstance(getattr(found, name, None), type) for name in ("cls", "view_class")):
            return found
        met.append(found)
        ahead += [each for each in _held_by(found) if callable(each) and not isinstance(each, type)]
    return None


def _held_by(wrapper: Any) -> Iterator[Any]:
    """Go through what a function, a partial or another object holds."""
    if isinstance(wrapper, partial):
        yield from (wrapper.func, *wrapper.args, *wrapper.keywords.values())
    yield getattr(wrapper, "__self__", None)
    yield from getattr(wrapper, "__dict__", {}).values()
    for cell in getattr(wrapper, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # nothing is in it yet
            continue
