"""From what producers know of a change to the journal: what is rendered now, and what later.

What a view with the mixin pushes is what its response says; everything else is read from the
database after the commit. A deletion is rendered before the row goes, and a backend that cannot do
without its view is asked at the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import DEFAULT_DB_ALIAS, models, router

from drf_model_pusher.change import Change
from drf_model_pusher.changes.block import current_block, record
from drf_model_pusher.changes.composing import build_events, invalidation
from drf_model_pusher.changes.current_view import current_view
from drf_model_pusher.changes.failures import reported
from drf_model_pusher.changes.reading import batches, read
from drf_model_pusher.changes.touching import parents_of
from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery.base import get_delivery
from drf_model_pusher.events import PusherEvent
from drf_model_pusher.occupancy.audience import audience
from drf_model_pusher.pushing import make_event, writer_socket_id
from drf_model_pusher.suppressing import is_suppressed, silent_backends

if TYPE_CHECKING:
    from drf_model_pusher.declarations import BackendDeclaration


def is_silent(backend: type[BackendDeclaration]) -> bool:
    """Say whether nothing is pushed through a backend here."""
    return app_settings.DRF_MODEL_PUSHER_DISABLED or is_suppressed(backend)


def record_change(
    backend: BackendDeclaration, verb: str, instance: Any, *, pre_destroy: bool, ignore: bool
) -> None:
    """Record a change of one object; see ``PusherBackend.push_change()``."""
    kind = type(backend)
    with reported(kind, verb):
        if is_silent(kind):
            return
        resolved = _resolved(backend, verb, instance)
        keys = [_key(kind, instance)]
        using = _alias(instance, pre_destroy=pre_destroy) or _default_alias(kind)
        if not _is_rendered_now(backend, resolved, instance, using, pre_destroy=pre_destroy):
            change = _change(backend, verb, keys, using, ignore=ignore)
            record([change], change.using)
        elif not backend.decides or backend.should_push(resolved, instance):
            events: list[PusherEvent] = []
            change = _change(backend, resolved, keys, using, ignore=ignore, events=events)
            backend.change = change
            events += build_events(backend, change, resolved, instance)
            touched = _parents(backend, change, instance) if backend.touches else ()
            record([change, *touched], change.using)


def record_many(
    backend: BackendDeclaration, verb: str, instances: Iterable[Any], *, ignore: bool
) -> None:
    """Record the same change of many objects; see ``PusherBackend.push_many()``."""
    kind = type(backend)
    if not isinstance(instances, models.QuerySet):
        instances = list(instances)
        _check_keys(instances)
    with reported(kind, verb):
        if is_silent(kind):
            return
        using = _alias_of_many(kind, instances)
        if backend.events.get(verb, verb) == "delete":
            _record_deletions(backend, _change(backend, verb, [], using, ignore=ignore), instances)
        else:
            record_keys(_change(backend, verb, list(_keys(instances)), using, ignore=ignore))


def change_of_many(
    backend: BackendDeclaration, verb: str, keys: Sequence[Any], using: str, **known: Any
) -> Change:
    """Return a change of objects that are named by their primary keys, not recorded yet."""
    return _change(backend, verb, keys, using, ignore=True, **known)


def record_event(
    channels: Sequence[str],
    name: str,
    data: Any,
    *,
    socket_id: str | None = None,
    using: str | None = None,
) -> None:
    """Record an event about no object; it is encoded now, if anybody may listen.

    Args:
        channels: Full names, prefixes included.
        name: As subscribers will see it.
        data: Anything that a DRF response could carry.
        socket_id: The connection to leave out.
        using: The alias of the database whose transaction decides.
    """
    occupied, unsure = audience(channels)
    if occupied:
        event = make_event(occupied, name, data, socket_id=socket_id, occupancy_unknown=unsure)
        record([event], using or DEFAULT_DB_ALIAS)


def record_keys(change: Change, touched: Iterable[Change] = ()) -> None:
    """Record a change of objects that are named by their primary keys.

    Args:
        change: The change.
        touched: Updates of parents that the objects may have left.
    """
    if change.keys:
        record([change, *touched], change.using)


def previous_of_many(
    backend: BackendDeclaration, change: Change
) -> Iterator[tuple[Any, Any, list[Change]]]:
    """Go through rows before a bulk update: the key, the object, updates of its parents."""
    for batch in batches(change.keys):
        for key, instance in read(backend, batch, change.using).items():
            yield key, instance, list(parents_of(backend, change, instance))


def _change(
    backend: BackendDeclaration,
    verb: str,
    keys: Sequence[Any],
    using: str,
    *,
    ignore: bool,
    events: Sequence[PusherEvent] | None = None,
    **known: Any,
) -> Change:
    """Return a change with what its producer knows, and who made it."""
    view = current_view() if backend.view is None else backend.view
    request = getattr(view, "request", None)
    fields = {"using": using, **backend.known, **known}
    return Change(
        backend=type(backend),
        verb=verb,
        keys=keys,
        socket_id=writer_socket_id(request) if ignore else None,
        base_url=_base_url(request) if events is None or backend.touches else "",
        silent=silent_backends(),
        view=view,
        events=events,
        touches=events is None,
        **fields,
    )


def _is_rendered_now(
    backend: BackendDeclaration, resolved: str, instance: Any, using: str, *, pre_destroy: bool
) -> bool:
    if pre_destroy or resolved == "delete":
        return True
    if not isinstance(instance, models.Model) or instance._state.adding:
        return True
    stores = get_delivery().joins_transaction
    if backend.reads_again() and not stores:
        return False
    if backend.asked_at_once:
        return True
    block = current_block(using)
    return not stores and block is not None and block.records_own


def _parents(backend: BackendDeclaration, change: Change, instance: Any) -> list[Change]:
    return list(parents_of(backend, change, instance)) if _is_object(instance) else []


def _record_deletions(backend: BackendDeclaration, change: Change, instances: Any) -> None:
    """Render objects while they are there; above the limit only their channels are kept."""
    rendered: list[Change] = []
    touched: list[Change] = []
    channels: list[str] = []
    count, limit = 0, backend.bulk_limit
    for instance in _stream(backend, instances, change.using):
        verb = _resolved(backend, change.verb, instance)
        if not backend.should_push(verb, instance):
            continue
        touched += parents_of(backend, change, instance)
        count += 1
        if limit is not None:
            channels += backend.full_names(instance)
        if limit is not None and count > limit:
            rendered = []
            continue
        key, events = _key(type(backend), instance), build_events(backend, change, verb, instance)
        rendered.append(replace(change, verb=verb, keys=[key], events=events, touches=False))
    found: list[Change | PusherEvent] = [*rendered]
    if limit is not None and count > limit:
        found = [*invalidation(backend, channels, change.socket_id)]
    record([*found, *touched], change.using)


def _resolved(backend: BackendDeclaration, verb: str, instance: Any) -> str:
    return backend.resolve_event(verb, instance) if backend.decides else verb


def _stream(backend: BackendDeclaration, instances: Any, using: str) -> Iterator[Any]:
    if not isinstance(instances, models.QuerySet):
        yield from instances
        return
    for batch in batches(list(_keys(instances))):
        found = read(backend, batch, using)
        yield from (found[key] for key in batch if key in found)


def _key(backend: type[BackendDeclaration], instance: Any) -> Any:
    if not _is_object(instance) or instance.pk is None:
        return None
    return backend.model._meta.pk.to_python(instance.pk)


def _keys(instances: Any) -> Iterator[Any]:
    if isinstance(instances, models.QuerySet):
        yield from instances.values_list("pk", flat=True)
        return
    yield from (each.pk if _is_object(each) else each for each in instances)


def _check_keys(instances: Iterable[Any]) -> None:
    for each in instances:
        if each is None or (_is_object(each) and each.pk is None):
            raise ValueError(f"{each!r} has no primary key, and so cannot be read again.")


def _is_object(instance: Any) -> bool:
    return isinstance(instance, models.Model)


def _alias(instance: Any, *, pre_destroy: bool) -> str | None:
    """Return the database that the instance was, or is about to be, written to."""
    if not isinstance(instance, models.Model):
        return None
    if not pre_destroy and instance._state.db:
        return instance._state.db
    return router.db_for_write(type(instance), instance=instance)


def _alias_of_many(backend: type[BackendDeclaration], instances: Any) -> str:
    if isinstance(instances, models.QuerySet):
        chosen: str | None = instances._db  # type: ignore[attr-defined] # by using()
        return chosen or router.db_for_write(instances.model)
    return _alias(next(iter(instances), None), pre_destroy=False) or _default_alias(backend)


def _default_alias(backend: type[BackendDeclaration]) -> str:
    return router.db_for_write(backend.model)


def _base_url(request: Any) -> str:
    """Return where absolute URLs of the writer's request begin."""
    if request is None:
        return ""
    try:
        return str(request.build_absolute_uri("/"))
    except Exception:  # noqa: BLE001 - a host that is not allowed, or a request of a kind of its own
        return ""
