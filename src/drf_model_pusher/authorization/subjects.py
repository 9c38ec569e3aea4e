"""What the GET for a channel has to be about: one object, or a list of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Model
from rest_framework.generics import GenericAPIView

from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.lookups import has_composite_key, is_unique, lookups_on, plain, view_model

if TYPE_CHECKING:
    from drf_model_pusher.rules import ChannelRules

#: The look-up of an object whose primary key several fields of the channel are together.
COMPOSITE = "the fields of the primary key"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a channel is about, in the terms of a view."""

    source: str
    """What the view is called."""
    backend_model: type[Model]
    fields: tuple[tuple[str, Any], ...]
    """The channel's fields, each with its text or value."""
    model: type[Model] | None = None
    """What the view shows; None if only its answer can tell."""
    lookups: tuple[tuple[str, Any], ...] = ()
    """The fields as look-ups on that model."""
    pin: str | None = None
    """The look-up that names one object; without one it is a list."""
    lists_queryset: bool = False
    """Whether the project says that a list shows its whole queryset, however it is made."""

    @property
    def action(self) -> str:
        """Return what a viewset calls the GET."""
        return "list" if self.pin is None else "retrieve"

    def on(self, model: type[Model]) -> Subject:
        """Return the same in the terms of a model that an answer turned out to be about."""
        if self.model is not None:
            return self
        return _subject(self.source, model, None, self.backend_model, dict(self.fields))


def is_generic(view_class: Any) -> bool:
    """Say whether this is the class of one of DRF's generic views."""
    return isinstance(view_class, type) and issubclass(view_class, GenericAPIView)


def view_subject(
    backend: ChannelRules, fields: Mapping[str, Any], view_class: type[Any] | None
) -> Subject:
    """Return what the GET of a view has to be about.

    Args:
        backend: The backend.
        fields: The channel's fields.
        view_class: The view; None for a function, whose answer will tell its model.

    Raises:
        DeclarationError: The fields are not about objects of the view.
    """
    if view_class is None:
        return Subject(
            source=str(backend.view_name),
            backend_model=backend.model,
            fields=tuple(fields.items()),
            lists_queryset=backend.lists_queryset,
        )
    if not is_generic(view_class):
        raise DeclarationError(
            f"{type(backend).__qualname__}.view_class is {view_class!r:.100}, and no generic view "
            "of DRF's: name the route of another view by `view_name`."
        )
    model = view_model(view_class) or backend.model
    return _subject(
        view_class.__qualname__,
        model,
        view_class.lookup_field,
        backend.model,
        fields,
        lists_queryset=backend.lists_queryset,
    )


def permission_subject(backend: ChannelRules, fields: Mapping[str, Any]) -> Subject:
    """Return what a backend's own ``permission_classes`` are asked about."""
    source = f"{type(backend).__qualname__}.permission_classes"
    return _subject(source, backend.model, None, backend.model, fields, lists_queryset=True)


def _subject(
    source: str,
    model: type[Model],
    lookup_field: str | None,
    backend_model: type[Model],
    fields: Mapping[str, Any],
    *,
    lists_queryset: bool = False,
) -> Subject:
    lookups = lookups_on(model, backend_model, fields)
    return Subject(
        source=source,
        backend_model=backend_model,
        fields=tuple(fields.items()),
        model=model,
        lookups=tuple(lookups.items()),
        pin=_pin(model, lookups, lookup_field),
        lists_queryset=lists_queryset,
    )


def _pin(model: type[Model], lookups: Iterable[str], lookup_field: str | None) -> str | None:
    """Return what names one object: the view's look-up or the primary key.

    Where there is no view with a look-up, each that names one object will do.
    """
    if lookup_field is None:
        found = next((each for each in lookups if is_unique(model, each)), None)
    else:
        own = plain(model, lookup_field)
        found = next((each for each in (own, "pk") if each in lookups), None)
    return found or (COMPOSITE if has_composite_key(model, lookups) else None)
