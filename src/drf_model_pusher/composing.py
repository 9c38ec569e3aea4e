"""From a change of one object to its events: who hears of it, what they hear, and that it fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import models

from drf_model_pusher.async_code import data_of
from drf_model_pusher.changes.moves import Before, Move
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.occupancy.audience import Audience, audience
from drf_model_pusher.providers.base import provider_path
from drf_model_pusher.pushing import encode_data, fits, make_event, writer_socket_id
from drf_model_pusher.rendering.keys import object_key

if TYPE_CHECKING:
    from drf_model_pusher.backends import PusherBackend

# What subscribers are told: a kind of change, who may listen, a name and the data.
_Packet = tuple[str, Audience, str, Any]


def compose(
    backend: PusherBackend, event: str, instance: Any, *, ignore: bool, using: str | None
) -> list[PusherEvent]:
    """Return the events that tell of a change; rendered now, and only for those who may listen.

    Args:
        backend: The backend that says how the change looks.
        event: ``create``, ``update``, ``delete`` or a verb of one's own.
        instance: The changed object.
        ignore: Whether to leave out the connection whose id the request carries.
        using: The alias of the database that it was written to.
    """
    packets: Iterable[_Packet] = (
        _move(backend, backend.before, instance)
        if backend.before is not None and event == "update"
        else (_packet(backend, event, instance),)
    )
    return [
        _event(backend, packet, instance, ignore=ignore, using=using)
        for packet in packets
        if packet[1].channels
    ]


def _event(
    backend: PusherBackend, packet: _Packet, instance: Any, *, ignore: bool, using: str | None
) -> PusherEvent:
    change, (channels, unsure), name, data = packet
    subject = (
        subject_of(type(instance), instance.pk) if isinstance(instance, models.Model) else None
    )
    event = make_event(
        channels,
        name,
        data,
        socket_id=socket_id_of(backend, ignore=ignore),
        subject=subject,
        change=change if change in ("create", "update", "delete") else None,
        conflation_key=_conflation_key(backend, subject, using) if backend.conflate else None,
        provider=provider_path(backend.provider_class),
        occupancy_unknown=unsure,
    )
    if backend.oversize == "refer" and not fits(event):
        small = backend.get_oversize_data(change, instance, data)
        event = replace(event, data=encode_data(small))
    return event


def compose_leaving(
    backend: PusherBackend, key: Any, before: Before, *, ignore: bool, using: str | None
) -> list[PusherEvent]:
    """Return the event that tells channels of an object that is gone, and was heard of in them.

    Args:
        backend: The backend that says how the change looks.
        key: The primary key.
        before: The channels, and what the object was known by.
        ignore: Whether to leave out the connection whose id the request carries.
        using: The alias of the database that it was deleted from.
    """
    heard, unsure = audience(before.channels, backend.provider_class)
    if not heard:
        return []
    subject = subject_of(backend.model, key)
    return [
        make_event(
            heard,
            backend.get_event_name("delete"),
            before.key,
            socket_id=socket_id_of(backend, ignore=ignore),
            subject=subject,
            change="delete",
            conflation_key=_conflation_key(backend, subject, using) if backend.conflate else None,
            provider=provider_path(backend.provider_class),
            occupancy_unknown=unsure,
        )
    ]


def socket_id_of(backend: PusherBackend, *, ignore: bool) -> str | None:
    """Return the connection to leave out, that of the request during which a change was made."""
    if not ignore:
        return None
    return writer_socket_id(
        backend.request if backend.view is None else getattr(backend.view, "request", None)
    )


def _move(backend: PusherBackend, before: Before, instance: Any) -> Iterator[_Packet]:
    """Go through what an update is to channels of which some may lose or gain the object."""
    names = backend.full_names(instance)
    move = Move.between(before.channels, names)
    if move.left:
        # The key alone: its readers may not read what the object has become.
        heard = audience(move.left, backend.provider_class)
        yield "delete", heard, backend.get_event_name("delete"), before.key
    if move.joined:
        yield _packet(backend, "create", instance, names, move.joined.__contains__)
    if not move.joined or len(names) > len(move.joined):
        yield _packet(backend, "update", instance, names, lambda name: name not in move.joined)


def _packet(
    backend: PusherBackend,
    event: str,
    instance: Any,
    names: Sequence[str] | None = None,
    keep: Callable[[str], bool] | None = None,
) -> _Packet:
    """Return what is told to those channels that somebody may listen to; else render nothing."""
    if backend.has_own_packet():
        channels, name, data = backend.get_packet(event, instance)
        # A private event never leaves on a public channel, whatever one's own packet says.
        channels = backend.with_prefix(channels, backend.get_packet)
        heard = audience(_kept(channels, keep) if keep else channels, backend.provider_class)
        return event, heard, name, data
    channels = backend.full_names(instance) if names is None else names
    heard = audience(_kept(channels, keep) if keep else channels, backend.provider_class)
    data = render(backend, event, instance) if heard.channels else None
    return event, heard, backend.get_event_name(event), data


def render(backend: PusherBackend, event: str, instance: Any) -> Any:
    """Return what a change carries of its object, by the backend's serializer and settings."""
    if event == "delete" and backend.delete_data == "key":
        return object_key(instance, backend.view)
    return data_of(backend.get_serializer(instance), backend.view)


def _kept(channels: Sequence[str], keep: Callable[[str], bool]) -> Sequence[str]:
    return [channel for channel in channels if keep(channel)]


def subject_of(model: type[models.Model], key: Any) -> str:
    """Return what names an object to those who carry its events."""
    return f"{_label(model)}:{key}"


@lru_cache(maxsize=1_000)
def _label(model: type[models.Model]) -> str:
    # It is one, by whatever proxy of its model it was changed.
    concrete: Any = model._meta.concrete_model
    label: str = concrete._meta.label_lower
    return label


def _conflation_key(backend: PusherBackend, subject: str | None, using: str | None) -> str | None:
    if subject is None:
        return None
    # Two databases may have an object of one key, two apps a backend of one name.
    return f"{type(backend).__module__}.{type(backend).__qualname__} {using} {subject}"
