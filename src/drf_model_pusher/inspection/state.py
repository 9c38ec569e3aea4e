"""The state that a project works with, as ``manage.py pusher_doctor`` finds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from django.apps import apps
from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections
from django.utils.crypto import get_random_string

from drf_model_pusher.conf import app_settings
from drf_model_pusher.delivery import BackgroundDelivery, get_delivery
from drf_model_pusher.inspection.findings import Finding, fail, ok, warn
from drf_model_pusher.occupancy.state import occupancy_cache
from drf_model_pusher.occupancy.synchronizing import SYNCHRONIZED

#: Seconds that the oldest row of the outbox may have waited before that is worth a word.
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
    """See how long rows wait in each database, and whether anybody sends them."""
    if not apps.is_installed("drf_model_pusher.outbox"):
        return
    from drf_model_pusher.outbox.models import OutboxRow

    table = OutboxRow._meta.db_table
    # Rows are in the database of their change.
    aliases = [
        alias for alias in connections if table in connections[alias].introspection.table_names()
    ]
    if not aliases:
        yield fail("outbox", "no database has its table", "Run `manage.py migrate`.")
    for alias in aliases:
        yield _outbox_of(alias)


def _outbox_of(alias: str) -> Finding:
    from drf_model_pusher.outbox.health import has_relay, measure

    health = measure(alias)
    found = (
        f"{alias}: {health.waiting + health.postponed} wait, the oldest for "
        f"{health.oldest_seconds:.0f} s; {health.dead} dead"
    )
    late = health.oldest_seconds > _LAG
    if health.waiting and not has_relay(alias):
        todo = "Start `manage.py pusher_relay`: nobody sends what waits."
        return (fail if late else warn)("outbox", found, todo)
    if late:
        return warn("outbox", found, "See what the relay logs, and whether it needs more workers.")
    if health.dead:
        return warn("outbox", found, "See in the admin why the service refused them.")
    return ok("outbox", found)
