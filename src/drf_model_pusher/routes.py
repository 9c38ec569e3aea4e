"""What the project's URLs lead to."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver


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
        for path, callback in _routes(get_resolver(), ""):
            # Django's own as_view() names the class in one way, DRF's for viewsets in another.
            view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
            if isinstance(view, type) and issubclass(view, base):
                yield path, view


def callbacks() -> list[Callable[..., Any]] | None:
    """Return all that the URLs lead to, or None where they cannot be read.

    What is wrong with the URLs is for Django's own checks to say.
    """
    if not getattr(settings, "ROOT_URLCONF", None):
        return None
    try:
        return [callback for _, callback in _routes(get_resolver(), "/")]
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
    return _get_actions(getattr(settings, "ROOT_URLCONF", None), cast("Hashable", viewset))


# By the URLs' module, which tests change. Looking through all of them takes its time.
@lru_cache(maxsize=1_000)
def _get_actions(urlconf: Hashable, viewset: Hashable) -> frozenset[str] | None:
    found = [
        callback.actions.get("get")  # type: ignore[attr-defined]
        for callback in callbacks() or []
        if getattr(callback, "cls", None) is viewset and getattr(callback, "actions", None)
    ]
    return frozenset(filter(None, found)) if found else None


def _routes(route: URLPattern | URLResolver, before: str) -> Iterator[tuple[str, Any]]:
    # Those of DRF's routers are regular expressions.
    path = before + str(route.pattern).removeprefix("^").removesuffix("$")
    if isinstance(route, URLPattern):
        yield path, route.callback
    else:
        for each in route.url_patterns:
            yield from _routes(each, path)
