"""What the project's URLs lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver


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


def _routes(route: URLPattern | URLResolver, before: str) -> Iterator[tuple[str, Any]]:
    # Those of DRF's routers are regular expressions.
    path = before + str(route.pattern).removeprefix("^").removesuffix("$")
    if isinstance(route, URLPattern):
        yield path, route.callback
    else:
        for each in route.url_patterns:
            yield from _routes(each, path)
