"""What a change of an object would push, and who may hear of it: nothing is sent, nobody asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Model

from drf_model_pusher.backends import PusherBackend
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery import get_delivery
from drf_model_pusher.events import PusherEvent, wire_size
from drf_model_pusher.lookups import same
from drf_model_pusher.occupancy.audience import audience
from drf_model_pusher.packing import Call, pack
from drf_model_pusher.providers import PusherProvider, get_provider, provider_path
from drf_model_pusher.pushing import fits, make_event
from drf_model_pusher.registry import registry
from drf_model_pusher.rendering.encoding import encode
from drf_model_pusher.routes import routed
from drf_model_pusher.views import ModelPusherViewMixin

#: A view's flag, by the kind of change.
_FLAGS = {"create": "push_creations", "update": "push_updates", "delete": "push_deletions"}
_ACTIONS = {"create": "create", "update": "update", "delete": "destroy"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """What one backend makes of a change, for one view where it needs one."""

    backend: str
    view: str | None
    """The view whose channels, or whose serializer, are the backend's."""

    problem: str | None = None
    """Why it pushes nothing, or why that cannot be told; all below is empty then."""

    event: str = ""
    channels: Sequence[str] = ()
    vacant: Sequence[str] = ()
    """Those of the channels to which, as far as is known, nobody listens; they are left out."""
    bytes: int = 0
    """Of the data, as the service counts them."""
    limit: int = 0
    oversize: str | None = None
    """What becomes of data above the limit: ``refer`` or ``drop``; None for data that fits."""
    sent_bytes: int = 0
    """Of what is sent: the data, a reference to the object, or nothing."""
    calls: Sequence[str] = ()
    """The calls of the HTTP API; empty for providers of another kind."""
    published: int = 0
    """How many messages the service counts at the most, before those that it delivers."""
    provider: str = ""
    delivery: str = ""


def explain(instance: Model, event: str) -> Iterator[Push]:
    """Go through what a change pushes, by backend and view.

    Args:
        instance: The object.
        event: ``create``, ``update``, ``delete`` or a verb of one's own.
    """
    for backend_class in registry.backends_for(type(instance)):
        if not _needs_view(backend_class):
            yield _push(backend_class(), None, instance, event)
            continue
        views = dict(_views(type(instance), event))
        for path, view in views.items():
            yield _push(backend_class(view=view), path, instance, event)
        if not views:
            missing = (
                "it takes its channels or its serializer from a view, and no route leads to a "
                f"view with the mixin that shows {type(instance).__name__}"
            )
            yield Push(backend=_name(backend_class), view=None, problem=missing)


def _needs_view(backend: type[PusherBackend]) -> bool:
    own_channels = backend.get_channels is not PusherBackend.get_channels
    own_serializer = backend.get_serializer_class is not PusherBackend.get_serializer_class
    return (backend.channels is None and not own_channels) or (
        backend.serializer_class is None and not own_serializer
    )


def _views(model: type[Model], event: str) -> Iterator[tuple[str, Any]]:
    """Go through the views of a model, each with the first of its routes."""
    seen = set()
    for path, view_class in routed(ModelPusherViewMixin):
        view = _without_request(view_class, event)
        shown: Any = None
        with suppress(Exception):  # a view may need a request to tell
            shown = view.get_pusher_model()
        if shown is not None and same(shown, model) and view_class not in seen:
            seen.add(view_class)
            yield path, view


def _without_request(view_class: Any, event: str) -> Any:
    view = view_class()
    view.request, view.format_kwarg = None, None
    view.args, view.kwargs = (), {}
    view.action = _ACTIONS.get(event, event)
    return view


def _push(backend: PusherBackend, path: str | None, instance: Model, event: str) -> Push:
    view = None if path is None else f"{_name(type(backend.view))} at {path}"
    empty = Push(backend=_name(type(backend)), view=view)
    flag = _FLAGS.get(event)
    if backend.view is not None and flag and not getattr(backend.view, flag):
        return replace(empty, problem=f"the view says {flag} = False")
    try:
        return _filled(empty, backend, instance, event)
    except Exception as error:  # noqa: BLE001 - the project's own code, without its request
        why = f"{type(error).__name__}: {error}"
        if backend.view is not None:
            why += "; where its code asks for the request, that cannot be told from here"
        return replace(empty, problem=why)


def _filled(push: Push, backend: PusherBackend, instance: Model, event: str) -> Push:
    channels, name, data = backend.get_packet(event, instance)
    names = backend.with_prefix(channels, backend.get_packet)
    if not names:
        return replace(push, problem="it has no channels for this object")
    path, renderer = provider_path(backend.provider_class), backend.renderer_class
    whole = make_event(names, name, data, provider=path, renderer_class=renderer)
    sent: PusherEvent | None = whole
    oversize = None if fits(whole) else backend.oversize
    if oversize == "refer":
        small = backend.get_oversize_data(event, instance, data)
        sent = replace(whole, data=encode(small, renderer))
    if oversize == "drop" or (sent is not None and not fits(sent)):
        sent = None
    heard, _ = audience(names, backend.provider_class)
    left = replace(sent, channels=heard) if sent is not None and heard else None
    provider = get_provider(path)
    limit = app_settings.DRF_MODEL_PUSHER_MAX_REQUEST_BYTES
    calls = pack([left], limit) if left is not None and isinstance(provider, PusherProvider) else []
    return replace(
        push,
        event=name,
        channels=names,
        vacant=[name for name in names if name not in heard],
        bytes=wire_size(whole),
        limit=app_settings.DRF_MODEL_PUSHER_MAX_EVENT_BYTES,
        oversize=oversize,
        sent_bytes=0 if left is None else wire_size(left),
        calls=list(map(_described, calls)),
        published=sum(len(item.channels) for call in calls for item in call.items),
        provider=type(provider).__name__,
        delivery=type(get_delivery()).__name__,
    )


def _described(call: Call) -> str:
    if len(call.items) > 1:
        return f"POST batch_events with {len(call.items)} items"
    count = len(call.items[0].channels)
    return f"POST events to {count} channel{'s' if count > 1 else ''}"


def _name(found: type) -> str:
    return f"{found.__module__}.{found.__qualname__}"
