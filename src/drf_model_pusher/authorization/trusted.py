"""What is sure of lists, serializers and permissions: where the code of them that counts is DRF's.

A method is trusted by what it is, not by its name or module: a decorated one is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

from django.views import View
from rest_framework import generics, mixins, pagination, serializers
from rest_framework.permissions import BasePermission
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

F = TypeVar("F", bound=Callable[..., Any])

#: What objects, or the response about them, pass through on their way out of a view.
_TRUSTED: dict[str, set[Any]] = {
    "list": {mixins.ListModelMixin.list},
    "paginator": {vars(generics.GenericAPIView)["paginator"]},
    "paginate_queryset": {generics.GenericAPIView.paginate_queryset},
    "get_paginated_response": {generics.GenericAPIView.get_paginated_response},
    "get_serializer": {generics.GenericAPIView.get_serializer},
    "finalize_response": {APIView.finalize_response},
    "dispatch": {APIView.dispatch},
    "as_view": {vars(each)["as_view"].__func__ for each in (View, APIView, ViewSetMixin)},
}
#: Of views that are no viewsets.
_TRUSTED_GET = {generics.ListAPIView.get, generics.ListCreateAPIView.get}

#: Methods of our own that give what the next class's method gives, unchanged.
_PASSING_ON: set[Any] = set()

#: What decides which objects a page has, and which pages there are.
_TRUSTED_PAGINATION = {
    pagination.PageNumberPagination: ("paginate_queryset", "get_page_number"),
    pagination.LimitOffsetPagination: ("paginate_queryset", "get_offset"),
    pagination.CursorPagination: ("paginate_queryset", "decode_cursor"),
}
_TRUSTED_RENDERING = {
    serializers.Serializer.to_representation,
    serializers.ListSerializer.to_representation,
}

#: What chooses the objects before they are rendered.
_TRUSTED_MAKING = {
    serializers.Serializer: ("__new__", "many_init"),
    serializers.ListSerializer: ("__new__", "__init__", "data"),
}


def passes_on(method: F) -> F:
    """Say of a method that trust depends on the one that it calls by ``super()``."""
    _PASSING_ON.add(method)
    return method


@cache
def is_trusted_list(view_class: Any) -> bool:
    """Say whether a view's list is sure to show each object of its filtered queryset."""
    return (
        all(_function(view_class, name) in trusted for name, trusted in _TRUSTED.items())
        and (issubclass(view_class, ViewSetMixin) or _function(view_class, "get") in _TRUSTED_GET)
        and (
            view_class.pagination_class is None
            or _is_trusted_pagination(view_class.pagination_class)
        )
    )


def _is_trusted_pagination(pagination_class: Any) -> bool:
    return any(
        all(_function(pagination_class, name) is getattr(known, name) for name in names)
        for known, names in _TRUSTED_PAGINATION.items()
    )


def is_trusted_serializer(serializer_class: Any) -> bool:
    """Say whether a serializer is sure to render each object that it is given."""
    meta = getattr(serializer_class, "Meta", None)
    many = getattr(meta, "list_serializer_class", serializers.ListSerializer)
    return all(
        kind.to_representation in _TRUSTED_RENDERING
        and all(_function(kind, name) is _function(known, name) for name in _TRUSTED_MAKING[known])
        for kind, known in (
            (serializer_class, serializers.Serializer),
            (many, serializers.ListSerializer),
        )
    )


def ask_about_objects(permissions: Iterable[Any]) -> bool:
    """Say whether one of these permissions, or a part of a combined one, decides by object."""
    parts = list(permissions)
    while parts:
        part = parts.pop()
        # Of a combined class, or of what that makes for a request.
        names = ("op1_class", "op2_class", "op1", "op2")
        if operands := [getattr(part, name) for name in names if hasattr(part, name)]:
            parts += operands
        elif _function(part, "has_object_permission") is not BasePermission.has_object_permission:
            return True
    return False


def _function(owner: Any, name: str) -> Any:
    kind = owner if isinstance(owner, type) else type(owner)
    methods = (vars(each)[name] for each in kind.__mro__ if name in vars(each))
    functions = (getattr(method, "__func__", method) for method in methods)
    return next((each for each in functions if each not in _PASSING_ON), None)
