"""Changes and events as JSON text, and back: what the outbox stores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rest_framework.utils.encoders import JSONEncoder

from drf_model_pusher.change import Change, PreviousChannels, Recorded
from drf_model_pusher.delivery.codec import dump_event, load_event
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.exceptions import DeclarationError
from drf_model_pusher.registry import registry

if TYPE_CHECKING:
    from drf_model_pusher.declarations import BackendDeclaration


def dumps(item: Recorded) -> str:
    """Return a change of one object, or an event about none, as JSON text."""
    value = {"event": dump_event(item)} if isinstance(item, PusherEvent) else _change(item)
    return json.dumps(value, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":"))


def loads(text: str, using: str) -> Recorded:
    """Return what ``dumps()`` wrote.

    Args:
        text: The JSON text.
        using: The alias of the database that holds it.

    Raises:
        DeclarationError: The backend is not there any more.
        ValueError, LookupError, TypeError: The text is something else.
    """
    value = json.loads(text)
    if "event" in value:
        return load_event(value["event"])
    backend = _backend(value["backend"])
    key = _read_key(backend, value["key"])
    return Change(
        backend=backend,
        verb=value["verb"],
        keys=[key],
        using=using,
        before={key: PreviousChannels(**value["before"])} if "before" in value else {},
        previous={
            name: _column(backend, name).to_python(each)
            for name, each in value.get("previous", {}).items()
        },
        changed_fields=frozenset(value["fields"]) if "fields" in value else None,
        socket_id=value.get("socket_id"),
        base_url=value.get("base_url", ""),
        silent=tuple(_backend(path) for path in value.get("silent", ())),
        events=[load_event(each) for each in value["events"]] if "events" in value else None,
        touches=value.get("touches", True),
    )


def _change(change: Change) -> dict[str, Any]:
    (key,) = change.keys
    value: dict[str, Any] = {"backend": _path(change.backend), "verb": change.verb, "key": key}
    if (before := change.before.get(key)) is not None:
        value["before"] = {"channels": list(before.channels), "key": before.key}
    if change.changed_fields is not None:
        value["fields"] = sorted(change.changed_fields)
    if change.events is not None:
        value["events"] = [dump_event(each) for each in change.events]
    if change.silent:
        value["silent"] = [_path(each) for each in change.silent if each is not object]
    if not change.touches:
        value["touches"] = False
    for name in ("previous", "socket_id", "base_url"):
        if known := getattr(change, name):
            value[name] = known
    return value


def _path(backend: type) -> str:
    return f"{backend.__module__}.{backend.__qualname__}"


def _backend(path: str) -> type[BackendDeclaration]:
    found = next((each for each in registry if _path(each) == path), None)
    if found is None:
        raise DeclarationError(f"There is no backend {path} any more; it had changes to push.")
    return found


def _column(backend: type[BackendDeclaration], name: str) -> Any:
    return backend.model._meta.get_field(name)


def _read_key(backend: type[BackendDeclaration], key: Any) -> Any:
    options = backend.model._meta
    if isinstance(key, list):
        pairs = zip(options.pk_fields, key, strict=True)
        return tuple(field.to_python(each) for field, each in pairs)
    return None if key is None else options.pk.to_python(key)
