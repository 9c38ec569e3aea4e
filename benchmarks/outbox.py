"""The outbox on PostgreSQL: what a write costs, how fast a relay is, that a backlog is no matter.

Beside it stand the queues that people run; see ``queues``.

``measure`` makes a database and lets a process of its own work in it, which is this module's
``main``: the benchmarks' other measurements have Django set up with SQLite.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from statistics import median
from typing import Any

from benchmarks import queues
from benchmarks.report import TIMES, Findings, Goal, Table
from benchmarks.rounds import Samples, turns
from benchmarks.stand_in import StandIn

OUTBOX = "drf_model_pusher.outbox.delivery.OutboxDelivery"
BACKGROUND = "drf_model_pusher.delivery.BackgroundDelivery"
WRITES = {"plain": "plain", "insert": "a bare INSERT more", "package": "outbox"}
RELAYS = {
    "by hand": "calls by hand",
    "1": "outbox, 1 worker",
    "2": "outbox, 2 workers",
    "4": "outbox, 4 workers",
}
DELAY = 20
EVENTS = "drf_model_pusher_outbox_outboxrow"


def measure(*, quick: bool) -> Findings:
    """Run ``main`` on a database of its own; without PostgreSQL nothing is found."""
    with _database() as name:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.outbox", str(int(quick))],
            env={**os.environ, "BENCHMARK_POSTGRESQL": name},
            stdout=subprocess.PIPE,
            check=True,
        )
    found = json.loads(done.stdout)
    return Findings(
        [Goal(**goal) for goal in found["goals"]], [Table(**table) for table in found["tables"]]
    )


@contextmanager
def _database() -> Iterator[str]:
    import psycopg

    get = os.environ.get
    server = {
        "host": get("TEST_POSTGRESQL_HOST", "127.0.0.1"),
        "port": get("TEST_POSTGRESQL_PORT", "5432"),
        "user": get("TEST_POSTGRESQL_USER", "postgres"),
        "password": get("TEST_POSTGRESQL_PASSWORD", ""),
    }
    name = f"drf_model_pusher_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def main(*, quick: bool) -> None:
    findings = Findings()
    with StandIn() as stand_in:
        _set_up(stand_in)
        _latency(findings, stand_in, *((2, 6) if quick else (20, 40)))
        _arrival(findings, stand_in, 5 if quick else 60)
        _throughput(findings, stand_in, *((1, 200) if quick else (3, 2_000)))
        _flatness(findings, stand_in, 20_000 if quick else 1_000_000)
    print(json.dumps(asdict(findings)))


def _set_up(stand_in: StandIn) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.project.settings"
    os.environ["BENCHMARK_PUSHER_PORT"] = str(stand_in.port)
    os.environ["BENCHMARK_DATABASE"] = ""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    _sql("CREATE TABLE bare_outbox (id bigserial PRIMARY KEY, data text NOT NULL)")


def _latency(findings: Findings, stand_in: StandIn, rounds: int, count: int) -> None:
    """Post orders; nobody relays meanwhile."""
    from benchmarks.api import Api

    api, samples = Api(), Samples()
    _deliver_by(OUTBOX)
    for variant in turns([*WRITES, *queues.available()], rounds):
        samples.add(variant, median(api.create(variant)[0] for _ in range(count)))
    findings.at_most(
        "POST with the outbox on PostgreSQL, against plain", samples.ratio("package", "plain"), 1.4
    )
    findings.at_most(
        "POST with the outbox, against one bare INSERT more in its transaction",
        samples.ratio("package", "insert"),
        1.1,
    )
    table = Table("Latency of a POST in process on PostgreSQL", ["", "median", "against plain"])
    for variant, title in (WRITES | queues.titles()).items():
        if variant in samples.values:
            ratio = f"{samples.ratio(variant, 'plain'):.2f} {TIMES}"
            table.rows.append([title, f"{samples.median(variant) * 1000:.2f} ms", ratio])
        else:
            table.rows.append([title, f"skipped: {queues.missing(variant)}", ""])
    findings.tables.append(table)
    _sql(f"TRUNCATE {EVENTS}")


def _arrival(findings: Findings, stand_in: StandIn, count: int) -> None:
    """Commit a change with its event while a relay is idle in a process of its own."""
    from django.db import transaction

    from benchmarks.project.models import Order
    from drf_model_pusher.changes.block import record

    Order.objects.create(reference="1", customer="Ada Lovelace", total=1, position=1)
    taken = Samples()
    relay = subprocess.Popen(
        [sys.executable, "-m", "django", "pusher_relay"], stdout=subprocess.PIPE
    )
    assert relay.stdout
    relay.stdout.readline()
    try:
        for path in turns((OUTBOX, BACKGROUND), count):
            _deliver_by(path)
            time.sleep(0.3)  # it is idle again
            stand_in.reset()
            committed: list[float] = []
            with transaction.atomic():
                Order.objects.update(position=1)
                # The first of the hooks: whatever a delivery does after the commit counts.
                transaction.on_commit(lambda at=committed: at.append(time.monotonic()))
                record([_event(1)], "default")
            taken.add(path, stand_in.wait_for(1)["first"] - committed[0])
    finally:
        relay.terminate()
        relay.wait(30)
    findings.at_most(
        "commit to arrival when idle, against background delivery",
        taken.median(OUTBOX) / taken.median(BACKGROUND),
        2.0,
    )
    findings.tables.append(
        Table(
            "From the commit to the arrival, when idle",
            ["background", "outbox"],
            [[f"{taken.median(path) * 1000:.2f} ms" for path in (BACKGROUND, OUTBOX)]],
        )
    )


def _throughput(findings: Findings, stand_in: StandIn, rounds: int, count: int) -> None:
    """Relay a backlog with some workers, by hand, and with the worker of a queue."""
    rates, spent = Samples(), []
    for variant in turns([*RELAYS, *queues.available()], rounds):
        stand_in.reset(delay=DELAY)
        if variant == "by hand":
            rates.add(variant, _by_hand(min(count, 50)))
            continue
        if variant in queues.QUEUES:
            rates.add(variant, queues.relay(variant, stand_in, min(count // 10, 200), DELAY))
            continue
        seconds, processor = _relay(stand_in, int(variant), count * int(variant))
        rates.add(variant, count * int(variant) / seconds)
        if variant == "1":
            spent.append(processor / count * 1_000_000)
    findings.at_least(
        f"events/s of one worker at {DELAY} ms, against calls by hand",
        rates.ratio("1", "by hand"),
        8,
        digits=1,
    )
    findings.at_least(
        "events/s of one worker, of 10 per round trip", rates.median("1") / (10_000 / DELAY), 0.85
    )
    findings.at_least("events/s of 4 workers, against one", rates.ratio("4", "1"), 3)
    findings.at_most("processor time of the relay per event", median(spent), 500, "µs", 0)
    table = Table(
        f"From a backlog at {DELAY} ms; the relay takes {median(spent):,.0f} µs an event",
        ["", "events/s", "against calls by hand"],
    )
    for variant, title in (RELAYS | queues.titles()).items():
        if variant in rates.values:
            ratio = f"{rates.ratio(variant, 'by hand'):.1f} {TIMES}"
            table.rows.append([title, f"{rates.median(variant):,.0f}", ratio])
        else:
            table.rows.append([title, f"skipped: {queues.missing(variant)}", ""])
    findings.tables.append(table)


def _flatness(findings: Findings, stand_in: StandIn, most: int) -> None:
    """Relay the first thousand events of a small and of a large backlog, at once."""
    table = Table(
        "What an event costs by how many wait", ["waiting", "relay", "with the database", "plan"]
    )
    costs: dict[int, tuple[float, float]] = {}
    for waiting in (1_000, most):
        _sql(f"TRUNCATE {EVENTS}")
        _fill(waiting)
        stand_in.reset()
        seconds, processor = _relay(stand_in, 1, 1_000)
        costs[waiting] = processor / 1_000 * 1e6, seconds / 1_000 * 1e6
        relay, both = costs[waiting]
        table.rows.append([f"{waiting:,}", f"{relay:,.0f} µs", f"{both:,.0f} µs", _plan()])
    ratio = costs[most][1] / costs[1_000][1]
    findings.at_most(f"time per event with {most:,} waiting, against 1,000", ratio, 1.25)
    findings.tables.append(table)


def _relay(stand_in: StandIn, workers: int, count: int) -> tuple[float, float]:
    """Relay so many events; return the seconds and the processor time that it took."""
    from drf_model_pusher.outbox.models import OutboxRow
    from drf_model_pusher.outbox.running import Workers
    from drf_model_pusher.outbox.table import make_partitions

    missing = count - OutboxRow.objects.count()
    if missing > 0:
        _fill(missing)
    make_partitions("default")
    crew = Workers("default", workers, 0.01)
    started, used = time.monotonic(), time.process_time()
    crew.start()
    last = stand_in.wait_for(count)["last"]
    seconds, processor = last - started + DELAY / 1000, time.process_time() - used
    crew.stop()
    crew.wait(30)
    return seconds, processor


def _by_hand(count: int) -> float:
    from benchmarks.project.senders import client

    started = time.monotonic()
    for number in range(count):
        client.trigger(["orders"], "order.update", {"position": number})
    return count / (time.monotonic() - started)


def _fill(count: int) -> None:
    """Let events of 500 objects wait."""
    from drf_model_pusher.outbox.models import OutboxRow
    from drf_model_pusher.outbox.rows import write

    write([_event(number) for number in range(min(count, 1_000))], "default")
    names = [field.column for field in OutboxRow._meta.fields if field.column != "id"]
    columns = ", ".join(f'"{name}"' for name in names)
    for _ in range(count // 1_000 - 1):
        first = f"SELECT {columns} FROM {EVENTS} ORDER BY id LIMIT 1000"
        _sql(f"INSERT INTO {EVENTS} ({columns}) {first}")
    _sql(f"ANALYZE {EVENTS}")


def _plan() -> str:
    """Return by which indexes the database finds the next events."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from drf_model_pusher.outbox.relay import Relay
    from drf_model_pusher.outbox.table import look

    relay = Relay("default")
    with CaptureQueriesContext(connection) as captured, relay.locks.batch():
        relay._claim(look("default"), [])
    queries = [query for query in captured if "SELECT" in query["sql"] and EVENTS in query["sql"]]
    steps = []
    for query in queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql']}")
            steps += [line for (line,) in cursor.fetchall() if EVENTS in line]
    return "; ".join(re.sub(r"^[-> ]*|  \(.*", "", step) for step in steps)


def _event(number: int) -> Any:
    from drf_model_pusher.events import PusherEvent

    return PusherEvent(
        channels=(f"orders-{number % 500}",),
        name="order.update",
        data=json.dumps({"position": number, "note": "x" * 180}),
        subject=f"project.order:{number % 500}",
        change="update",
    )


def _deliver_by(path: str) -> None:
    from django.conf import settings
    from django.core.signals import setting_changed

    settings.DRF_MODEL_PUSHER_DELIVERY = path
    setting_changed.send(None, setting="DRF_MODEL_PUSHER_DELIVERY", value=path, enter=True)


def _sql(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)


if __name__ == "__main__":
    main(quick=bool(int(sys.argv[1])))
