"""The serializer of a view's response, which renders the view's own event as well."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rest_framework.fields import empty
from rest_framework.generics import GenericAPIView
from rest_framework.serializers import BaseSerializer


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """What a view is about to answer with."""

    serializer: Any
    """The serializer of one object, made by DRF's own ``get_serializer()``."""

    is_settled: bool
    """Whether DRF's own code answers next, with the serializer's ``data``."""

    @classmethod
    def of(cls, view: Any, verb: str, serializer: Any, instance: Any) -> Response | None:
        """Return the response to a change of an object; None where the event must not share it.

        A ``get_serializer()`` of the view's own may show more than all readers may see.

        Args:
            view: The view.
            verb: ``create`` or ``update``.
            serializer: What has saved the object, or several.
            instance: The object.
        """
        is_settled = serializer.instance is instance
        if not is_settled:
            serializer = getattr(serializer, "child", None)
        # An adrf serializer may render by `adata` alone.
        if serializer is None or hasattr(serializer, "adata"):
            return None
        if type(view).get_serializer is not GenericAPIView.get_serializer:
            return None
        return cls(serializer=serializer, is_settled=is_settled and _answers_next(view, verb))

    def data_of(self, instance: Any) -> Any:
        """Return the object as a GET shows it: rendered once where DRF keeps it for the response.

        A partial serializer leaves out fields with a default that a GET has.
        """
        root = self.serializer.root
        if self.is_settled and (not root.partial or _has_no_defaults(self.serializer)):
            return self.serializer.data
        partial, root.partial = root.partial, False
        try:
            return self.serializer.to_representation(instance)
        finally:
            root.partial = partial


def _answers_next(view: Any, verb: str) -> bool:
    handler = getattr(view, "action", None) or view.request.method.lower()
    kind: Any = type(view)
    return _is_plain(kind, (handler, verb, "push_changes", "push_change"))


@lru_cache(maxsize=1_000)
def _is_plain(view_class: type, names: tuple[str, ...]) -> bool:
    """Say whether methods are DRF's or ours, and nothing of the project's is called in them."""
    modules = [getattr(getattr(view_class, name, None), "__module__", "") for name in names]
    return all(each.startswith(("rest_framework.", "drf_model_pusher.")) for each in modules)


def _has_no_defaults(serializer: Any) -> bool:
    return all(
        field.default is empty and not isinstance(field, BaseSerializer)
        for field in serializer.fields.values()
    )
