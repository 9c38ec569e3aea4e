"""What a backend declares about changes: which of them count, and how they are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import FieldDoesNotExist
from django.db import models

from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.registry import registry
from drf_model_pusher.rules import ChannelRules

KINDS = frozenset({"create", "update", "delete", "m2m"})


class ChangeRules(ChannelRules):
    """The part of a backend that decides about a change, before anything is rendered."""

    # For subclasses; `observe` stands in `class Meta`

    only_when: ClassVar[Collection[str] | None] = None
    """Fields of which an update must change one to be pushed; the templates' fields always count.

    An update of which nobody knows what it changed is pushed.
    """

    events: ClassVar[Mapping[str, str]] = {}
    """What verbs are to subscribers: ``{"archived": "delete"}`` pushes ``<model>.delete``."""

    touches: ClassVar[Sequence[str]] = ()
    """Foreign keys, ``order`` or ``order__customer``, to objects that a change is an update of."""

    refetch: ClassVar[bool] = False
    """Whether objects are read again, through ``get_queryset()``, once the change is committed."""

    bulk_limit: ClassVar[int | None] = 10_000
    """Objects of one transaction above which ``<model>.invalidate`` takes the place of them all.

    It counts what is read again: ``push_many()``, ``PushingQuerySet``, ``refetch``, ``touches``.
    """

    def get_queryset(self) -> models.QuerySet[Any]:
        """Return what objects are read again from, with its annotations and prefetches."""
        return self.model._default_manager.all()

    def should_push(self, event: str, instance: Any) -> bool:
        """Say whether a change is pushed; ``changed_fields`` says what an update changed."""
        if self.only_when is None or event != "update" or self.changed_fields is None:
            return True
        return not self.changed_fields.isdisjoint(self._relevant())

    def resolve_event(self, event: str, instance: Any) -> str:
        """Return what a change is to subscribers: ``create``, ``update``, ``delete`` or a verb."""
        return self.events.get(event, event)

    # You should not need to override

    @property
    def changed_fields(self) -> frozenset[str] | None:
        """Names of the fields that an update has changed; None where nobody knows them."""
        return None

    observe: ClassVar[frozenset[str]] = frozenset()
    """What is pushed wherever it happens, as ``Meta.observe`` says."""

    asks_what_changed: ClassVar[bool] = False
    """Whether it makes a difference to this backend what an update has changed."""

    decides: ClassVar[bool] = False
    """Whether ``resolve_event()`` and ``should_push()`` may do anything but let a change pass."""

    asked_at_once: ClassVar[bool] = False
    """Whether it is asked when a change is made: only its view, or its own packet, can tell."""

    #: Whether it must read again, since relations are written after the object.
    _reads_again: ClassVar[bool] = False

    def reads_again(self) -> bool:
        """Say whether objects are read once the change is committed.

        They are if a backend asks for it, if it observes relations, which are written after the
        object, and if changes of other objects are updates of its own.
        """
        return self._reads_again or self.model in registry.touched

    @classmethod
    def validate(cls, meta: Any) -> None:
        """Check what a subclass declares, once.

        Raises:
            DeclarationError: ``observe``, ``only_when`` or ``touches`` names what there is not, or
                ``bulk_limit`` is no number.
        """
        # One text is one name, and not its letters.
        if isinstance(cls.only_when, str):
            cls.only_when = (cls.only_when,)
        if isinstance(cls.touches, str):
            cls.touches = (cls.touches,)
        limit: Any = cls.bulk_limit
        if limit is not None and (type(limit) is not int or limit < 0):
            raise DeclarationError(
                f"{cls.__qualname__}.bulk_limit is {limit!r}: write a number of objects, or None."
            )
        cls.observe = cls._observed(getattr(meta, "observe", False))
        cls._reads_again = cls.refetch or bool(
            "m2m" in cls.observe and cls.model._meta.many_to_many
        )
        cls.asks_what_changed = (
            cls.only_when is not None
            or bool(cls.touches)
            or any(
                getattr(cls, name) is not getattr(ChangeRules, name)
                for name in ("should_push", "resolve_event")
            )
        )
        cls.decides = cls.asks_what_changed or bool(cls.events)
        for name in field_names(cls.model, cls.only_when or ()):
            cls._field("only_when", cls.model, name)
        for path in cls.touches:
            cls.touched_model(path)

    @classmethod
    def touched_model(cls, path: str) -> type[models.Model]:
        """Return the model of the objects that ``touches`` names by a path."""
        model = cls.model
        for name in path.split("__"):
            field = cls._field("touches", model, name)
            if not (field.concrete and (field.many_to_one or field.one_to_one)):
                raise DeclarationError(
                    f"{cls.__qualname__}.touches names {path!r}, and {name!r} is no foreign key."
                )
            model = field.related_model
        return model

    @classmethod
    def first_step(cls, path: str) -> Any:
        """Return the foreign key at which a path of ``touches`` begins."""
        return cls.model._meta.get_field(path.split("__")[0])

    @classmethod
    def depends_on(cls, fields: Collection[str] | None) -> bool:
        """Say whether an object may be in other channels when these fields change; None for any."""
        rules: Any = cls
        if rules.names_channels_itself():
            return True
        heads = {path.split("__")[0] for t in rules().templates() for path in t.fields}
        key = {field.name for field in cls.model._meta.pk_fields} | {cls.model._meta.pk.name}
        changing = field_names(cls.model, heads) - key
        return bool(changing if fields is None else changing & field_names(cls.model, fields))

    def _relevant(self) -> frozenset[str]:
        heads = [path.split("__")[0] for t in self.templates() for path in t.fields]
        return field_names(self.model, [*(self.only_when or ()), *heads])

    @classmethod
    def _observed(cls, observe: Any) -> frozenset[str]:
        if observe is True:
            return KINDS
        observed = frozenset({observe} if isinstance(observe, str) else observe or ())
        if unknown := observed - KINDS:
            raise DeclarationError(
                f"{cls.__qualname__} observes {sorted(map(str, unknown))}: write `observe = True`, "
                f"or a set of {sorted(KINDS)}."
            )
        return observed

    @classmethod
    def _field(cls, attribute: str, model: type[models.Model], name: str) -> Any:
        try:
            return model._meta.get_field(name)
        except FieldDoesNotExist as error:
            raise DeclarationError(
                f"{cls.__qualname__}.{attribute} names {name!r}, which {model.__name__} has not."
            ) from error


def field_names(model: type[models.Model], names: Collection[str]) -> frozenset[str]:
    """Return names of fields, for those of columns such as ``customer_id`` too, and for ``pk``."""
    columns = {field.attname: field.name for field in model._meta.concrete_fields}
    columns["pk"] = model._meta.pk.name
    return frozenset(columns.get(name, name) for name in names)
