"""What checks ask and say of classes."""

from __future__ import annotations

from typing import Any


def is_subclass(found: Any, base: type[Any]) -> bool:
    """Say whether this is a class, and one of these."""
    return isinstance(found, type) and issubclass(found, base)


def dotted_name(found: object) -> str:
    """Return by what name a message tells of a class, or of what is an object of it."""
    kind = found if isinstance(found, type) else type(found)
    return f"{kind.__module__}.{kind.__qualname__}"
