"""Channel templates: a name for an object, and back from a name to what it is about.

Pure: models are known by their `_meta`, which Django documents, and not imported.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

from drf_model_pusher.channels import ChannelKind, check_name, is_cache_channel, is_valid_name
from drf_model_pusher.exceptions import DeclarationError, InvalidEventError

#: What a field's value may consist of. It is what Pusher allows in a name, but for the dot, which
#: separates the segments of a name: a slug "1.orders" must not turn "customers.{slug}" into the
#: "customers.1.orders" that belongs to "customers.{pk}.orders".
_VALUE = r"[-a-zA-Z0-9_=@,;]+"

_VALUE_PATTERN = re.compile(rf"\A{_VALUE}\Z")
_FIELD_PATTERN = re.compile(r"\A[a-zA-Z][a-zA-Z0-9]*(?:_+[a-zA-Z0-9]+)*\Z")


class ChannelTemplate:
    """A full channel name with fields in braces, such as ``private-customers.{customer__slug}``.

    A field is an attribute of the object, or several joined by two underscores as in a Django
    look-up. One segment, that is what stands between two dots, holds at most one field, and a value
    never contains a dot: so one name has one reading, and two different objects have two names.

    Raises:
        DeclarationError: The text is no template.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = _parse(text)
        self.fields = tuple(dict.fromkeys(field for _, field in self._parts if field is not None))
        head = self._parts[0][0] if self._parts else ""
        self.kind = ChannelKind.of(head)
        self._cached = is_cache_channel(head)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChannelTemplate) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def format(self, instance: Any) -> str:
        """Return the name of the channel for an instance.

        Raises:
            InvalidEventError: A value is missing, or cannot stand in a name, or would make it a
                name of another kind.
        """
        name = "".join(
            text if field is None else text + self._value(instance, field)
            for text, field in self._parts
        )
        if not self._keeps_its_kind(name):
            raise InvalidEventError(
                f"The channel {self.text!r} would be {name!r} for {type(instance).__name__} "
                f"{getattr(instance, 'pk', '')}, and so another kind of channel."
            )
        check_name(name)
        return name

    def match(self, name: str) -> dict[str, str] | None:
        """Return the fields that make the template into this name, or None for another's name."""
        # The pattern first: most names are others'.
        found = self._pattern.match(name)
        if found is None or not is_valid_name(name) or not self._keeps_its_kind(name):
            return None
        return dict(zip(self.fields, found.groups(), strict=True))

    def overlaps(self, other: ChannelTemplate) -> bool:
        """Return whether some name may match both templates."""
        mine, theirs = _segments(self.text), _segments(other.text)
        return (
            (self.kind, self._cached) == (other.kind, other._cached)
            and len(mine) == len(theirs)
            and all(_segments_overlap(*pair) for pair in zip(mine, theirs, strict=True))
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        groups: dict[str, int] = {}
        pattern = ""
        for text, field in self._parts:
            pattern += re.escape(text)
            if field in groups:
                pattern += rf"(?:\{groups[field]})"  # a repeated field has one value
            elif field is not None:
                groups[field] = len(groups) + 1
                pattern += f"({_VALUE})"
        return re.compile(rf"\A{pattern}\Z")

    def _value(self, instance: Any, field: str) -> str:
        value = value_of(instance, field)
        if value is None or value == "":
            raise InvalidEventError(
                f"The channel {self.text!r} needs {field!r}, which {type(instance).__name__} "
                f"{getattr(instance, 'pk', '')} has no value for."
            )
        if isinstance(value, tuple):
            raise InvalidEventError(
                f"The channel {self.text!r} cannot hold {field!r}, a key of several fields: write "
                "those one by one, with dots between them."
            )
        # An enum of strings is written as the string that its row holds, not by its name.
        text = str.__str__(value) if isinstance(value, str) else str(value)
        if not _VALUE_PATTERN.match(text):
            raise InvalidEventError(
                f"The channel {self.text!r} cannot hold {text!r}, the value of {field!r}: use a "
                "field of letters a-z and A-Z, digits and -_=@,; such as a number, UUID or slug."
            )
        return text

    def _keeps_its_kind(self, name: str) -> bool:
        # "private-{slug}" with the slug "encrypted-a" would be a channel of somebody else's.
        return ChannelKind.of(name) is self.kind and is_cache_channel(name) is self._cached


def value_of(instance: Any, field: str) -> Any:
    """Return the value of a field such as ``customer__slug``, as the row has it.

    An instance may still hold what somebody assigned: a key as text from a URL, in capitals or with
    zeros before it. The model's field makes it what a query would return. None has no fields.
    """
    *path, attribute = field.split("__")
    for step in path:
        if instance is None:
            return None
        instance = getattr(instance, step)
    if instance is None:
        return None
    value = getattr(instance, attribute)
    to_python = _converter(type(instance), attribute)  # type: ignore[arg-type] # hashable
    if to_python is None or value is None:
        return value
    try:
        return to_python(value)
    except Exception:  # noqa: BLE001 - no value of this field, by whatever error the field has
        return value


@lru_cache(maxsize=1_000)
def _converter(model: type, attribute: str) -> Callable[[Any], Any] | None:
    """Return what makes a value one of the model's field; None where there is no such field."""
    options = getattr(model, "_meta", None)
    if options is None:
        return None
    fields = {field.attname: field for field in options.concrete_fields}
    field = options.pk if attribute == "pk" else fields.get(attribute)
    return None if field is None else field.to_python


def _parse(text: str) -> list[tuple[str, str | None]]:
    """Return the literal texts, each with the field behind it."""
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise DeclarationError(f"The channel {text!r} is no template: {error}.") from error
    parts: list[tuple[str, str | None]] = []
    for literal, field, spec, conversion in parsed:
        if field is not None and (spec or conversion or not _FIELD_PATTERN.match(field)):
            raise DeclarationError(
                f"The channel {text!r} has the field {field!r}, which is none: write the name of "
                "an attribute, or several joined by two underscores, and nothing else in braces."
            )
        if literal and not is_valid_name(literal[:100]):
            raise DeclarationError(
                f"The channel {text!r} has a character that Pusher does not allow; besides fields "
                "there may be letters a-z and A-Z, digits and -_=@,.; only."
            )
        parts.append((literal, field))
    if any(segment.count("{") > 1 for segment in _segments(text)):
        raise DeclarationError(
            f"The channel {text!r} has two fields that no dot separates, so that two objects could "
            "share one name: put a dot between them."
        )
    return parts


def _segments(text: str) -> list[str]:
    return text.split(".")


def _segments_overlap(mine: str, theirs: str) -> bool:
    head, _, tail = mine.partition("{")
    other_head, _, other_tail = theirs.partition("{")
    tail, other_tail = tail.partition("}")[2], other_tail.partition("}")[2]
    if "{" not in mine and "{" not in theirs:
        return mine == theirs
    if "{" not in mine:
        return _fits(mine, other_head, other_tail)
    if "{" not in theirs:
        return _fits(theirs, head, tail)
    return (head.startswith(other_head) or other_head.startswith(head)) and (
        tail.endswith(other_tail) or other_tail.endswith(tail)
    )


def _fits(literal: str, head: str, tail: str) -> bool:
    return (
        len(literal) > len(head) + len(tail) and literal.startswith(head) and literal.endswith(tail)
    )
