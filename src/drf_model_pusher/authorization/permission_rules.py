"""Which GET stands for a backend's own ``permission_classes``: that of a view of all objects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from drf_model_pusher.authorization.view_rules import ViewRule
from drf_model_pusher.lookups import is_unique, lookups_on

if TYPE_CHECKING:
    from drf_model_pusher.rules import ChannelRules


def permission_rule(backend: ChannelRules, fields: Mapping[str, Any]) -> ViewRule:
    """Return the rule of a backend's own ``permission_classes``."""
    model = backend.model
    lookups = lookups_on(model, model, fields)
    # There is no URL that says which look-up it takes: each that names one object will do.
    pin = next((field for field in lookups if is_unique(model, field)), None)
    return ViewRule(
        view_class=_read_only(cast("Hashable", type(backend)), pin or "pk"),
        model=model,
        lookups=tuple(lookups.items()),
        kwargs=((pin, lookups[pin]),) if pin else (),
        pin=pin,
        lists_queryset=True,
        own_identity=False,
    )


@cache
def _read_only(backend: Any, lookup: str) -> type[Any]:
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
    """Answers who may read objects, and renders none."""

    model: type[Model]

    filter_backends = ()
    versioning_class = None

    def get_queryset(self) -> QuerySet[Any]:
        # Anew each time: a manager may know whose objects there are at all, such as a tenant's.
        return self.model._default_manager.all()

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.get_object()
        return Response()

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response()
