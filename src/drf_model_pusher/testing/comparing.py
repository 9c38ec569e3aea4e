"""What differs between data that was wanted and data that is there, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from drf_model_pusher.events import PusherEvent
from drf_model_pusher.rendering.encoding import encode_plain

#: Characters of an event's data in a message.
_SHOWN = 300


def differences(wanted: Any, found: Any, *, subset: bool, path: str = "") -> Iterator[str]:
    """Go through the places at which JSON data is not what was wanted, one sentence each.

    Args:
        wanted: Python values; what a DRF response could carry is compared as it is rendered.
        found: Decoded JSON.
        subset: Whether objects may hold more than was wanted.
        path: Where in the data this is.
    """
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            place = f"{path}.{key}" if path else str(key)
            if key not in found:
                yield f"{place} is missing; {_short(value)} was wanted"
            else:
                yield from differences(value, found[key], subset=subset, path=place)
        for key in [] if subset else [key for key in found if key not in wanted]:
            yield f"{path}.{key}".lstrip(".") + f" is {_short(found[key])}, and was not wanted"
    elif isinstance(wanted, (list, tuple)) and isinstance(found, list):
        if len(wanted) != len(found):
            place = path or "the list"
            yield f"{place} has {len(found)} entries; {len(wanted)} were wanted"
        for index, (one, other) in enumerate(zip(wanted, found, strict=False)):
            yield from differences(one, other, subset=subset, path=f"{path}[{index}]")
    elif not _equal(wanted, found):
        yield f"{path or 'the data'} is {_short(found)}; {_short(wanted)} was wanted"


def _equal(wanted: Any, found: Any) -> bool:
    if type(wanted) is not type(found) and bool in (type(wanted), type(found)):
        return False  # 1 and true are two things to JavaScript
    # First as it is: it may be an object that knows what it equals.
    return bool(wanted == found) or rendered(wanted) == found or _read(found, wanted) == wanted


def _read(text: Any, wanted: Any) -> Any:
    """Return what a text stands for, which may be written in several ways, if that was wanted."""
    try:
        if isinstance(wanted, Decimal):
            return Decimal(str(text))
        if isinstance(wanted, datetime):
            return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except (ArithmeticError, ValueError):
        pass
    return text


def rendered(value: Any) -> Any:
    """Return a value as a response would carry it; what cannot be rendered as it is."""
    try:
        return json.loads(encode_plain(value))
    except (TypeError, ValueError):
        return value


def described(event: PusherEvent) -> str:
    """Return an event as one line of text."""
    data = event.data if len(event.data) <= _SHOWN else f"{event.data[:_SHOWN]}…"
    left_out = f" (not to {event.socket_id})" if event.socket_id else ""
    return f"{event.name} → {', '.join(event.channels)}{left_out} {data}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
