"""From a change of one object to its events: which channels, what data, and that it fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import models

from drf_model_pusher.change import Change, PreviousChannels
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.occupancy.audience import Audience, audience
from drf_model_pusher.providers.base import provider_path
from drf_model_pusher.pushing import fits, make_event
from drf_model_pusher.rendering.encoding import encode

if TYPE_CHECKING:
    from drf_model_pusher.declarations import BackendDeclaration

# A verb, the occupied channels, a name and the data.
_Packet = tuple[str, Audience, str, Any]


def build_events(
    backend: BackendDeclaration, change: Change, verb: str, instance: Any
) -> list[PusherEvent]:
    """Return the events of a change, rendered now, and only for channels with subscribers.

    Args:
        backend: The backend that says how the change looks.
        change: The change.
        verb: What it is to subscribers.
        instance: The object.
    """
    before = change.before.get(getattr(instance, "pk", None))
    packets: Iterable[_Packet] = (
        _move(backend, before, instance)
        if before is not None and verb == "update"
        else [_packet(backend, verb, instance)]
    )
    subject = subject_of(backend.model, instance.pk) if _is_object(instance) else None
    events = [
        _event(backend, change, packet, instance, subject)
        for packet in packets
        if packet[1].channels
    ]
    if before is not None and verb == "delete":
        others = before.without({name for event in events for name in event.channels})
        events += left_event(backend, change, instance.pk, others)
    return events


def left_event(
    backend: BackendDeclaration, change: Change, key: Any, before: PreviousChannels
) -> list[PusherEvent]:
    """Return the deletion for channels that an object has left without being readable there.

    Args:
        backend: The backend that says how the change looks.
        change: The change.
        key: The primary key.
        before: The channels, and what the object was known by.
    """
    heard = audience(before.channels, backend.provider_class)
    if not heard.channels:
        return []
    packet = ("delete", heard, backend.get_event_name("delete"), before.key)
    return [_event(backend, change, packet, None, subject_of(backend.model, key))]


def invalidation(
    backend: BackendDeclaration, channels: Iterable[str], socket_id: str | None
) -> list[PusherEvent]:
    """Return the event that says "fetch anew"; none where nobody has subscribed."""
    occupied, unsure = audience(list(dict.fromkeys(channels)), backend.provider_class)
    if not occupied:
        return []
    name = backend.get_event_name("invalidate")
    provider = provider_path(backend.provider_class)
    return [
        make_event(
            occupied,
            name,
            {},
            socket_id=socket_id,
            provider=provider,
            occupancy_unknown=unsure,
            renderer_class=backend.renderer_class,
        )
    ]


def subject_of(model: type[models.Model], key: Any) -> str:
    """Return what names an object to deliveries and providers, such as ``orders.order:42``."""
    return f"{_label(model)}:{key}"


def _event(
    backend: BackendDeclaration, change: Change, packet: _Packet, instance: Any, subject: str | None
) -> PusherEvent:
    verb, (channels, unsure), name, data = packet
    event = make_event(
        channels,
        name,
        data,
        socket_id=change.socket_id,
        subject=subject,
        change=verb if verb in ("create", "update", "delete") else None,
        conflation_key=_conflation_key(backend, subject, change.using)
        if backend.conflate
        else None,
        provider=provider_path(backend.provider_class),
        occupancy_unknown=unsure,
        renderer_class=backend.renderer_class,
    )
    if instance is not None and backend.oversize == "refer" and not fits(event):
        small = backend.get_oversize_data(verb, instance, data)
        event = replace(event, data=encode(small, backend.renderer_class))
    return event


def _move(
    backend: BackendDeclaration, before: PreviousChannels, instance: Any
) -> Iterator[_Packet]:
    """Go through what an update is to channels of which some may lose or gain the object."""
    names = backend.full_names(instance)
    left = [name for name in before.channels if name not in names]
    joined = [name for name in names if name not in before.channels]
    if left:
        # The key alone: its readers may not read what the object has become.
        occupied = audience(left, backend.provider_class)
        yield "delete", occupied, backend.get_event_name("delete"), before.key
    if joined:
        yield _packet(backend, "create", instance, names, joined.__contains__)
    if not joined or len(names) > len(joined):
        yield _packet(backend, "update", instance, names, lambda name: name not in joined)


def _packet(
    backend: BackendDeclaration,
    verb: str,
    instance: Any,
    names: Sequence[str] | None = None,
    keep: Callable[[str], bool] | None = None,
) -> _Packet:
    """Return what goes to occupied channels; where there are none, nothing is rendered."""
    data: Any = None
    if backend.has_own_packet():
        names, event_name, data = backend.get_packet(verb, instance)
        # A private event never leaves on a public channel, whatever the packet says.
        names = backend.with_prefix(names, backend.get_packet)
    elif names is None:
        names = backend.full_names(instance)
    occupied = audience(
        [each for each in names if keep is None or keep(each)], backend.provider_class
    )
    if not backend.has_own_packet():
        event_name = backend.get_event_name(verb)
        data = backend.render(verb, instance) if occupied.channels else None
    return verb, occupied, event_name, data


def _is_object(instance: Any) -> bool:
    return isinstance(instance, models.Model)


@lru_cache(maxsize=1_000)
def _label(model: type[models.Model]) -> str:
    # It is one, by whatever proxy of its model it was changed.
    concrete: Any = model._meta.concrete_model
    label: str = concrete._meta.label_lower
    return label


def _conflation_key(backend: BackendDeclaration, subject: str | None, using: str) -> str | None:
    if subject is None:
        return None
    # Two databases may have an object of one key, two apps a backend of one name.
    return f"{type(backend).__module__}.{type(backend).__qualname__} {using} {subject}"
