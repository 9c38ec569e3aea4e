"""What a backend declares: how a change of one model looks to subscribers. It pushes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from django.db import models

from drf_model_pusher.async_code import data_of
from drf_model_pusher.change import Change
from drf_model_pusher.change_rules import ChangeRules
from drf_model_pusher.channels import as_names
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.registry import registry, same_model
from drf_model_pusher.rendering.keys import object_key
from drf_model_pusher.rendering.oversize import reference
from drf_model_pusher.rendering.requests import request_at
from drf_model_pusher.rendering.response import Response

if TYPE_CHECKING:
    from rest_framework.renderers import BaseRenderer
    from rest_framework.serializers import BaseSerializer

    from drf_model_pusher.providers import BaseProvider


_Backend = TypeVar("_Backend", bound="BackendDeclaration")


class BackendDeclaration(ChangeRules):
    """The part of a backend that says how a change becomes an event.

    Attributes:
        view: The view that made the change, or None.
    """

    # For subclasses

    serializer_class: type[BaseSerializer[Any]] | None = None
    """What renders the data; the view's own serializer where this is None."""

    provider_class: type[BaseProvider] | str | None = None
    """Who carries the events, a class or its path; by default the provider of the settings."""

    renderer_class: ClassVar[type[BaseRenderer] | None] = None
    """What encodes the data, as a view's renderer does; by default as the settings say."""

    conflate: ClassVar[bool] = False
    """Whether events of one object that still wait may become their net effect."""

    oversize: ClassVar[Literal["refer", "drop"]] = "refer"
    """What becomes of data above the limit: a reference to the object, or a line in the log."""

    delete_data: ClassVar[Literal["full", "key"]] = "full"
    """What a deletion carries: what the serializer renders, or nothing but the look-up."""

    version_field: ClassVar[str | None] = None
    """What grows with each change; events that have only the key of an object have it too."""

    class Meta:
        abstract = True

    def get_channels(self, instance: Any = None) -> Sequence[str]:
        """Return the names of the channels that hear of the instance, with or without prefix."""
        if self.channels is not None:
            return list(dict.fromkeys(each.format(instance) for each in self.templates()))
        if self.view is None:
            raise DeclarationError(
                f"{type(self).__qualname__} has no channels: give it `channels`, `get_channels()` "
                "or a view with `get_pusher_channels()`."
            )
        return as_names(self.view.get_pusher_channels(), self.view.get_pusher_channels)

    def get_event_name(self, event: str) -> str:
        """Return the name under which subscribers know the change, such as ``order.update``."""
        return f"{self.model._meta.model_name}.{event}"

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        """Return what renders the data."""
        serializer_class = self.serializer_class or (
            self.view.get_serializer_class() if hasattr(self.view, "get_serializer_class") else None
        )
        if serializer_class is None:
            raise DeclarationError(f"{type(self).__qualname__} needs a `serializer_class`.")
        return serializer_class

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what the serializer may know besides the instance: the view's own context.

        Where no view of the model made the change, the ``request`` is nobody's: its URLs have the
        host of the request that made the change, or begin with DRF_MODEL_PUSHER_BASE_URL.
        """
        if hasattr(self.view, "get_serializer_context"):
            context: dict[str, Any] = self.view.get_serializer_context()
            return context
        request = getattr(self.view, "request", None)
        if request is not None:
            return {"request": request, "view": self.view}
        return {"request": request_at(self.change.base_url if self.change else "")}

    def get_packet(self, event: str, instance: Any) -> tuple[Sequence[str], str, Any]:
        """Return channels, event name and data of a change: the whole event, before encoding."""
        return self.full_names(instance), self.get_event_name(event), self.render(event, instance)

    def get_serializer(self, instance: Any) -> BaseSerializer[Any]:
        """Return the serializer of an instance; the response's own, where it is the same."""
        serializer_class = self.get_serializer_class()
        if (
            self.response is not None
            and type(self.response.serializer) is serializer_class
            and type(self).get_serializer_context is BackendDeclaration.get_serializer_context
        ):
            return self.response.serializer
        return serializer_class(instance=instance, context=self.get_serializer_context())

    def get_oversize_data(self, event: str, instance: Any, data: Any) -> Any:
        """Return what is sent instead of data above the limit, for clients to fetch the object.

        Args:
            event: ``create``, ``update``, ``delete`` or a verb of your own.
            instance: The changed object.
            data: What was rendered and is too large.
        """
        return reference(event, instance, data, self.view, self.version_field)

    # You should not need to override

    model: ClassVar[type[models.Model]]

    # Here for subclasses whose `__init__()` does not call this one.
    view: Any = None
    #: The change that is built, for its hooks; None where there is none yet.
    change: Change | None = None
    #: What the producer knows of the change that is about to be pushed, by fields of ``Change``.
    known: Mapping[str, Any] = MappingProxyType({})
    #: What the view answers with, while its own change is recorded.
    response: Response | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Its own Meta only: a subclass of an abstract backend is not abstract.
        meta = cls.__dict__.get("Meta")
        if getattr(meta, "abstract", False):
            return
        serializer_meta = getattr(cls.serializer_class, "Meta", None)
        model = (
            getattr(meta, "model", None)
            or getattr(serializer_meta, "model", None)
            or getattr(cls.Meta, "model", None)
        )
        if model is None:
            raise DeclarationError(
                f"The backend {cls.__qualname__} names no model: give it a `serializer_class` that "
                "is a ModelSerializer, or `class Meta: model = …`; a base class for other backends "
                "says `class Meta: abstract = True`."
            )
        if not hasattr(model, "_meta"):
            raise DeclarationError(
                f"The backend {cls.__qualname__} has {model!r:.100} for a model: write the class."
            )
        cls.model = model
        cls.validate(cls.Meta)
        cls.asked_at_once = cls.needs_view() or cls.has_own_packet()
        if cls.observe and cls.needs_view():
            raise DeclarationError(
                f"{cls.__qualname__} observes changes that are made without a view: give it "
                "`channels` or `get_channels()`, and a `serializer_class`."
            )
        registry.register(cls, model)

    def __init__(self, view: Any = None) -> None:
        self.view = view

    @classmethod
    def for_view(cls: type[_Backend], view: Any) -> _Backend:
        """Return a backend with the view, if there is one and it is one of the model."""
        return cls(view=view if view is not None and _shows(view, cls.model) else None)

    @classmethod
    def about(cls: type[_Backend], change: Change) -> _Backend:
        """Return the backend that is asked about a change."""
        backend = cls.for_view(change.view)
        backend.change = change
        return backend

    def prepare(self, response: Response | None = None, **known: Any) -> None:
        """Learn what is known of a change that is about to be pushed.

        Args:
            response: What the view answers with, where that may be the event's data as well.
            **known: Fields of the change.
        """
        self.response = response
        self.known = known

    @property
    def changed_fields(self) -> frozenset[str] | None:
        """Names of the fields that an update has changed; None where nobody knows them."""
        if self.change is None:
            return self.known.get("changed_fields")
        return self.change.changed_fields

    def render(self, event: str, instance: Any) -> Any:
        """Return the data of a change, by the serializer and the settings of the backend."""
        if event == "delete" and self.delete_data == "key":
            return object_key(instance, self.view, self.version_field)
        serializer = self.get_serializer(instance)
        if self.response is not None and serializer is self.response.serializer:
            return self.response.data_of(instance)
        return data_of(serializer, self.view)

    @classmethod
    def names_channels_itself(cls) -> bool:
        """Say whether a subclass names its channels by a method."""
        return cls.get_channels is not BackendDeclaration.get_channels

    @classmethod
    def needs_view(cls) -> bool:
        """Say whether only a view could tell its channels, or how to render."""
        if cls.get_packet is not BackendDeclaration.get_packet:
            return False
        renders = cls.serializer_class is not None or any(
            getattr(cls, name) is not getattr(BackendDeclaration, name)
            for name in ("get_serializer", "get_serializer_class")
        )
        return not renders or (cls.channels is None and not cls.names_channels_itself())

    @classmethod
    def has_own_packet(cls) -> bool:
        """Say whether a subclass makes the whole event itself."""
        return cls.get_packet is not BackendDeclaration.get_packet

    def full_names(self, instance: Any) -> list[str]:
        """Return the full names of the channels that hear of the instance."""
        names = self.get_channels(instance=instance)
        own = type(self).get_channels is not BackendDeclaration.get_channels
        if own or self.channel_prefix or self.cache:
            return self.with_prefix(names, self.get_channels)
        return list(names)  # what is not a subclass's own is in order

    def with_prefix(self, channels: Sequence[str], source: Callable[..., object]) -> list[str]:
        """Return names with the prefix and the infix that they may lack.

        Raises:
            DeclarationError: What the source gave is no list of names.
        """
        names = as_names(channels, source)
        if not self.channel_prefix and not self.cache:
            return names
        return list(dict.fromkeys(map(self.full_name, names)))


def _shows(view: Any, model: type[models.Model]) -> bool:
    """Say whether a view is one of a model; a view may lack anything that tells."""
    try:
        shown = view.get_pusher_model()
    except Exception:  # noqa: BLE001
        return False
    return shown is not None and same_model(shown, model)
