"""Occupied channels: what is saved where somebody listens to one channel in twenty."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks.api import Api
from benchmarks.pushes import make_order, make_package_push
from benchmarks.report import Findings, Table
from benchmarks.rounds import Samples, turns
from benchmarks.stand_in import StandIn

CHANNELS, STEP = 1_000, 20
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")


def measure(stand_in: StandIn, api: Api, *, quick: bool) -> Findings:
    findings = Findings()
    stand_in.occupy(CHANNELS, step=STEP)
    rows = []
    for kind in ("LocMem", "Redis") if _has_redis() else ("LocMem",):
        with _cache(kind):
            rows.append([kind, *_calls(findings, stand_in, kind)])
            _unknown(findings, stand_in, kind)
            _trips(findings, kind)
            _requests(findings, stand_in, api, kind, *((3, 20) if quick else (40, 50)))
    findings.tables.append(
        Table(
            f"Calls for {CHANNELS:,} writes to {CHANNELS:,} channels, {CHANNELS // STEP} occupied",
            ["cache", "without", "with, nothing known", "with, told by webhooks"],
            rows,
        )
    )
    return findings


def _calls(findings: Findings, stand_in: StandIn, kind: str) -> list[str]:
    """Send one event a call, so that calls tell of events."""
    pushes = [make_package_push([f"orders-{number}"]) for number in range(CHANNELS)]
    order = make_order()

    def calls(*, optimised: bool) -> tuple[int, int]:
        stand_in.reset()
        with _settings(optimised=optimised, delivery="InlineDelivery"):
            for push in pushes:
                push(order)
        counts = stand_in.counts()
        return counts["calls"], counts["questions"]

    without, _ = calls(optimised=False)
    _empty()
    cold, questions = calls(optimised=True)
    _empty()
    with _settings(optimised=True):
        _webhook({f"orders-{number}": number % STEP == 0 for number in range(CHANNELS)})
    told, asked = calls(optimised=True)
    findings.at_most(f"calls, of those without it, nothing known ({kind})", cold / without, 0.05)
    findings.exactly(f"synchronizations for them ({kind})", questions, 1)
    findings.at_most(f"calls per write, told by webhooks ({kind})", (told + asked) / CHANNELS, 0.06)
    return [f"{without:,}", f"{cold} + {questions}", f"{told} + {asked}"]


def _unknown(findings: Findings, stand_in: StandIn, kind: str) -> None:
    """Push as projects do, in the background, to channels that nobody has heard of."""
    from drf_model_pusher.delivery import get_delivery

    _empty()
    stand_in.reset(delay=20)
    order = make_order()
    with _settings(optimised=True):
        for number in range(200):
            make_package_push([f"unknown-{number}"])(order)
        get_delivery().flush(30)  # type: ignore[attr-defined]
    counts = stand_in.counts()
    findings.exactly(
        f"synchronizations and events for 200 unknown channels ({kind})",
        (counts["questions"], counts["items"]),
        (1, 0),
    )


def _trips(findings: Findings, kind: str) -> None:
    """Count what an event asks of the cache, the first time."""
    from django.core.cache import caches

    from drf_model_pusher.occupancy.synchronizing import synchronize

    order = make_order()
    push = make_package_push([f"vacant-{number}" for number in range(CHANNELS)])
    made: list[str] = []
    counted: Any = type(caches["default"])
    names, wanted = ["get_many", "set", "set_many", "add"], ["get_many"]
    if kind == "Redis":
        import redis

        connection = redis.connection.AbstractConnection
        counted, names, wanted = connection, ["send_packed_command"], ["MGET"]
    originals = {name: getattr(counted, name) for name in names}
    with _settings(optimised=True):
        synchronize()
        make_package_push(["another"])(order)  # whoever reads first connects
        for name, original in originals.items():
            setattr(counted, name, _counted(made, name, original))
        try:
            push(order)
        finally:
            for name, original in originals.items():
                setattr(counted, name, original)
    findings.exactly(
        f"cache round trips of an event on {CHANNELS:,} channels ({kind})", made, wanted
    )


def _requests(
    findings: Findings, stand_in: StandIn, api: Api, kind: str, rounds: int, count: int
) -> None:
    """Compare whole requests, events and their delivery included."""
    from benchmarks.project.views import ReadViewSet

    spent, waited = Samples(), Samples()
    heard = {"vacant": False, "occupied": True}
    urls = {"plain": "plain", "bare read": "read"}
    ReadViewSet.read = staticmethod(_bare_read(kind))
    for variant in turns(["plain", "bare read", "without", "vacant", "occupied"], rounds):
        stand_in.reset()
        with _settings(optimised=variant in heard):
            if variant in heard:
                _webhook({"orders": heard[variant]})
            started = time.process_time()
            made = [api.create(urls.get(variant, "package")) for _ in range(count)]
            stand_in.wait_for(count if variant in ("without", "occupied") else 0)
            time.sleep(0.01)  # the last answer is read
            spent.add(variant, (time.process_time() - started) / count)
        waited.add(variant, sum(seconds for seconds, _ in made) / count)
        for _, pk in made:
            api.delete("plain", pk)
    findings.at_most(
        f"processor time of a write that nobody listens to, against a plain one ({kind})",
        spent.ratio("vacant", "plain"),
        1.2,
    )
    findings.at_most(
        f"latency of a write that nobody listens to, against a plain one ({kind})",
        waited.ratio("vacant", "plain"),
        1.2,
    )
    findings.tables.append(
        Table(
            f"A POST, by who listens ({kind})",
            ["", "plain", "and a bare read", "without the optimisation", "nobody", "somebody"],
            [
                [
                    name,
                    f"{samples.median('plain') * 1_000_000:,.0f} µs",
                    *(
                        f"{samples.median(variant) * 1_000_000:,.0f} µs "
                        f"({samples.ratio(variant, 'plain'):.2f} ×)"  # noqa: RUF001
                        for variant in ("bare read", "without", "vacant", "occupied")
                    ),
                ]
                for name, samples in (("processor time", spent), ("latency", waited))
            ],
        )
    )


def _bare_read(kind: str) -> Callable[[], object]:
    """Return a function that reads two entries of the cache, and does nothing besides."""
    if kind != "Redis":
        from django.core.cache import caches

        return lambda: caches["default"].get_many(["a", "b"])
    server = urlsplit(REDIS)
    connection = socket.create_connection((server.hostname, server.port or 6379))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read() -> bytes:
        connection.sendall(b"*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n")
        return connection.recv(4096)

    return read


def _webhook(states: dict[str, bool]) -> None:
    """Have the view take a webhook, signed as Pusher signs it."""
    import hashlib
    import hmac

    from django.conf import settings
    from django.test import RequestFactory

    from drf_model_pusher.views import ChannelExistenceWebhook

    names = {True: "channel_occupied", False: "channel_vacated"}
    events = [{"name": names[state], "channel": channel} for channel, state in states.items()]
    time.sleep(0.002)  # of one millisecond's news "occupied" would be believed
    body = json.dumps({"time_ms": time.time_ns() // 1_000_000, "events": events}).encode()
    signature = hmac.new(settings.PUSHER_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Pusher-Key": settings.PUSHER_KEY, "X-Pusher-Signature": signature}
    request = RequestFactory().post("/", body, content_type="application/json", headers=headers)
    assert ChannelExistenceWebhook.as_view()(request).status_code == 200


@contextmanager
def _settings(*, optimised: bool, delivery: str = "BackgroundDelivery") -> Iterator[None]:
    """Set what is measured, without Django's signal, at which providers are made anew."""
    from django.conf import settings

    from drf_model_pusher.conf import app_settings

    settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED = optimised
    settings.DRF_MODEL_PUSHER_DELIVERY = f"drf_model_pusher.delivery.{delivery}"
    vars(app_settings).clear()  # which the signal would do
    try:
        yield
    finally:
        del settings.DRF_MODEL_PUSHER_WEBHOOK_OPTIMISATION_ENABLED
        del settings.DRF_MODEL_PUSHER_DELIVERY
        vars(app_settings).clear()


@contextmanager
def _cache(kind: str) -> Iterator[None]:
    from django.test import override_settings

    name = uuid.uuid4().hex
    local = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}
    local["OPTIONS"] = {"MAX_ENTRIES": 100_000}  # type: ignore[assignment]
    redis = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS,
        "KEY_PREFIX": f"drf-model-pusher-benchmark-{name}",
    }
    with override_settings(CACHES={"default": redis if kind == "Redis" else local}):
        yield
        _empty()


def _empty() -> None:
    """Empty the cache of what is ours: others may use the same Redis."""
    from django.core.cache import caches

    cache: Any = caches["default"]
    if "redis" not in type(cache).__module__:
        cache.clear()
        return
    client = cache._cache.get_client(None, write=True)
    for key in client.scan_iter(f"{cache.key_prefix}*", count=10_000):
        client.delete(key)


def _has_redis() -> bool:
    try:
        import redis
    except ImportError:
        return False
    client = redis.Redis.from_url(REDIS, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _counted(made: list[str], name: str, original: Any) -> Any:
    def operation(*args: Any, **kwargs: Any) -> Any:
        packed = name == "send_packed_command"
        made.append(b"".join(args[1]).split(b"\r\n")[2].decode() if packed else name)
        return original(*args, **kwargs)

    return operation
