"""An import of many rows: ``push_many()`` beside a loop of calls by hand."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

from benchmarks.report import Findings, Table
from benchmarks.stand_in import StandIn


def measure(stand_in: StandIn, *, quick: bool) -> Findings:
    findings = Findings()
    rows = 1_000 if quick else 10_000
    table = Table(
        f"An import of {rows:,} rows; by hand, a tenth of them",
        ["sender", "rows", "queries", "calls", "seconds", "peak MiB of Python's memory"],
    )
    for variant, count in (
        ("hand-written", rows // 10),
        ("package", rows // 10),
        ("package", rows),
    ):
        result = _import(stand_in, variant, count)
        table.rows.append([variant, f"{count:,}", *(f"{value:,.6g}" for value in result.values())])
        if variant == "package" and count == rows:
            findings.at_most(
                "calls for 10,000 imported rows", result["calls"] * 10_000 / rows, 1_000, "", 0
            )
    findings.tables.append(table)
    return findings


def _import(stand_in: StandIn, variant: str, count: int) -> dict[str, Any]:
    """Create rows, then push them; what the creation itself takes is not counted."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from benchmarks.project.models import Order
    from benchmarks.project.senders import client
    from benchmarks.project.serializers import OrderSerializer
    from drf_model_pusher.backends import PusherBackend
    from drf_model_pusher.registry import registry

    class Imported(PusherBackend):
        serializer_class = OrderSerializer
        channels = ("orders",)
        bulk_limit = None

    orders = Order.objects.bulk_create(
        Order(reference=str(n), customer="Ada", total=1, position=n) for n in range(count)
    )
    stand_in.reset(delay=1)
    tracemalloc.start()
    started = time.monotonic()
    with CaptureQueriesContext(connection) as queries:
        if variant == "package":
            Imported().push_many("create", orders)
        else:
            for order in orders:
                client.trigger(["orders"], "order.create", OrderSerializer(order).data)
    counts = stand_in.wait_for(count)
    seconds = time.monotonic() - started
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    registry.unregister(Imported)
    Order.objects.all().delete()
    return {
        "queries": len(queries),
        "calls": counts["calls"],
        "seconds": round(seconds, 2),
        "peak": round(peak, 1),
    }
