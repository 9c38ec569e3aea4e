"""The state that a project works with, as ``manage.py pusher_doctor`` finds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from django.apps import apps
from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections
from django.db.models import Count, Min
from django.utils import timezone
from django.utils.crypto import get_random_string

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery import BackgroundDelivery, get_delivery
from drf_model_pusher.inspection.findings import Finding, fail, ok, warn
from drf_model_pusher.occupancy.state import occupancy_cache
from drf_model_pusher.occupancy.synchronizing import SYNCHRONIZED

#: Seconds that the oldest event of the outbox may have waited before that is worth a word.
_LAG = 60


def cache() -> Iterator[Finding]:
    """Write to the cache and read it."""
    alias = app_settings.DRF_MODEL_PUSHER_CACHE
    kept = caches[alias]
    needed = app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED
    found, shared = f"{alias!r} ({type(kept).__name__})", _is_shared(kept)
    if _keeps(kept) and (shared or not needed):
        alone = "" if shared else "; not shared by processes, and nothing needs that"
        yield ok("cache", f"{found} keeps what it is given{alone}")
    elif shared:
        todo = "See whether its server runs, and where CACHES says that it is."
        found = f"{found} does not keep what it is given"
        yield (fail if needed else warn)("cache", found, todo)
    else:
        yield warn(
            "cache",
            f"{found} is not shared by processes: each knows of other subscribers",
            "Let DRF_MODEL_PUSHER_CACHE name a cache in Redis or Memcached.",
        )


def _keeps(cache: BaseCache) -> bool:
    key, value = "drf-model-pusher:doctor", get_random_string(12)
    cache.set(key, value, 30)
    found: object = cache.get(key)
    cache.delete(key)
    return found == value


def _is_shared(cache: BaseCache) -> bool:
    return not isinstance(cache, (LocMemCache, DummyCache))


def occupancy() -> Iterator[Finding]:
    """Look at what is known of who listens."""
    if not app_settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED:
        found = "not asked for: events are sent whether anybody listens or not"
        yield ok("occupancy", found)
        return
    prefix = occupancy_cache().get(SYNCHRONIZED)
    if prefix is None:
        yield warn(
            "occupancy",
            "nothing is known of channels that no webhook told of; they are sent to",
            "Nothing, if this was the first minute; `manage.py pusher_channels --sync` asks.",
        )
    else:
        about = f"channels that begin with {prefix!r}" if prefix else "all channels"
        yield ok("occupancy", f"synchronized for {about}")


def delivery() -> Iterator[Finding]:
    """See whether events can leave from here."""
    chosen = get_delivery()
    name = type(chosen).__name__
    if not isinstance(chosen, BackgroundDelivery):
        yield ok("delivery", name)
        return
    try:
        thread = threading.Thread(target=_nothing, daemon=True)
        thread.start()
        thread.join(5)
    except RuntimeError as error:
        yield fail(
            "delivery",
            f"{name} has no thread to run in: {error}",
            "Allow the process more threads, or use another delivery.",
        )
    else:
        found = f"{name}, whose thread can run"
        yield ok("delivery", found)


def _nothing() -> None:
    pass


def outbox() -> Iterator[Finding]:
    """See how long events wait in each database, and for whom."""
    if not apps.is_installed("drf_model_pusher.outbox"):
        return
    from drf_model_pusher.outbox.models import OutboxEvent

    table = OutboxEvent._meta.db_table
    # Events are in the database of their change.
    aliases = [
        alias for alias in connections if table in connections[alias].introspection.table_names()
    ]
    if not aliases:
        yield fail("outbox", "no database has its table", "Run `manage.py migrate`.")
    for alias in aliases:
        yield _outbox_of(alias)


def _outbox_of(alias: str) -> Finding:
    from drf_model_pusher.outbox.models import OutboxEvent, OutboxWorker

    now, states = timezone.now(), OutboxEvent.State
    events = OutboxEvent.objects.using(alias)
    left = events.filter(state__in=(states.WAITING, states.POSTPONED))
    counts = left.aggregate(count=Count("pk"), oldest=Min("created"))
    dead = events.filter(state=states.DEAD).count()
    workers = OutboxWorker.objects.using(alias).filter(expires__gt=now).count()
    age = (now - counts["oldest"]).total_seconds() if counts["oldest"] else 0
    found = (
        f"{alias}: {counts['count']} wait, the oldest for {age:.0f} s; {dead} dead; "
        f"{workers} at work"
    )
    if age > _LAG and not workers:
        return fail("outbox", found, "Start `manage.py pusher_relay`: nobody sends what waits.")
    if age > _LAG:
        return warn("outbox", found, "See what the relay logs, and whether it needs more workers.")
    if dead:
        return warn("outbox", found, "See in the admin why the service refused them.")
    return ok("outbox", found)
