"""The GET for a backend's own ``permission_classes``: that of a read-only view of all objects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from drf_model_pusher.authorization.asking import ask_about_objects
from drf_model_pusher.authorization.gets import Get
from drf_model_pusher.authorization.refusals import Refused
from drf_model_pusher.authorization.subjects import Subject, permission_subject

if TYPE_CHECKING:
    from drf_model_pusher.rules import ChannelRules


def permission_get(backend: ChannelRules, fields: Mapping[str, Any], asking: Request) -> Get:
    """Return the GET that a backend's ``permission_classes`` are asked by.

    Raises:
        Refused: They cannot be asked about a list.
    """
    subject = permission_subject(backend, fields)
    if problem := permission_problem(backend, subject):
        raise Refused(problem)
    lookups = dict(subject.lookups)
    pin = subject.pin if subject.pin in lookups else "pk"
    # A composite key is all its fields.
    kwargs = {pin: lookups[pin]} if pin in lookups else lookups if subject.pin else {}
    view_class = _read_only(cast("Hashable", type(backend)), pin)
    return Get(
        subject=subject,
        # No URL leads there; the class and the look-ups tell one question from another.
        path=f"/{subject.source}/{id(view_class)}/{subject.lookups}",
        callback=view_class.as_view({"get": subject.action}, asking=asking),
        kwargs=kwargs,
        view_class=view_class,
    )


def permission_problem(backend: ChannelRules, subject: Subject) -> str | None:
    """Return why ``permission_classes`` will never grant what a template is about, or None."""
    if subject.pin is None and ask_about_objects(backend.permission_classes or ()):
        return "a permission that decides by object cannot answer for a list of them"
    return None


@cache
def _read_only(backend: Any, lookup: str | None) -> type[Any]:
    """Return the viewset of all objects that a backend's ``permission_classes`` are asked about."""
    return type(
        f"{backend.__qualname__}.permission_classes",
        (_Objects,),
        {
            "model": backend.model,
            "permission_classes": backend.permission_classes,
            "lookup_field": lookup,
        },
    )


class _Objects(ReadOnlyModelViewSet[Any]):
    """Answers who may read objects, and shows nothing of them."""

    model: type[Model]
    asking: Any = None

    filter_backends = ()
    throttle_classes = ()
    versioning_class = None
    serializer_class = Serializer

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Let whoever asks for authorization be who asks for the object."""
        get: Request = super().initialize_request(request, *args, **kwargs)
        get.user, get.auth = self.asking.user, self.asking.auth
        return get

    def get_queryset(self) -> QuerySet[Any]:
        # Anew each time: a manager may know whose objects there are at all, such as a tenant's.
        return self.model._default_manager.all()

    def get_object(self) -> Any:
        found = get_object_or_404(self.get_queryset(), **self.kwargs)
        self.check_object_permissions(self.request, found)
        return found

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response([])
