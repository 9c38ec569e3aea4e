"""Many events at once: calls, connections, bytes, order, speed; and one event alone: its delay."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.pushes import make_order, make_pushes
from benchmarks.report import Findings, Table
from benchmarks.rounds import Samples, turns
from benchmarks.stand_in import StandIn


def measure(stand_in: StandIn, *, quick: bool) -> Findings:
    findings = Findings()
    pushes = make_pushes()
    order = make_order()
    events = 100 if quick else 1_000
    _many(findings, stand_in, pushes, order, events)
    _alone(findings, stand_in, pushes, order, 10 if quick else 200)
    return findings


def _many(
    findings: Findings,
    stand_in: StandIn,
    pushes: dict[str, Callable[[Any], None]],
    order: Any,
    events: int,
) -> None:
    table = Table(
        f"A burst of {events:,} events on one channel",
        ["sender", "round trip", "calls", "connections", "KiB sent", "out of order", "events/s"],
    )
    for delay in (20, 80):
        for variant, push in pushes.items():
            if variant == "hand-written" and delay == 80:
                continue  # a minute and a half of waiting for what one delay has shown
            stand_in.reset(delay=delay)
            for position in range(1, events + 1):
                order.position = position
                push(order)
            counts = stand_in.wait_for(events)
            kib = counts["bytes"] / 1024
            # Until the last answer: the last call is as good as those before it.
            speed = events / (counts["last"] - counts["first"] + delay / 1000)
            table.rows.append(
                [
                    variant,
                    f"{delay} ms",
                    f"{counts['calls']:,}",
                    str(counts["connections"]),
                    f"{kib:,.0f}",
                    str(counts["misplaced"]),
                    f"{speed:,.0f}",
                ]
            )
            if variant == "package":
                share = speed / (10 / (delay / 1000))
                findings.at_least(
                    f"events drained at {delay} ms, of 10 per round trip", share * 100, 85, "%", 0
                )
            if variant == "package" and delay == 20:
                each = events / 1_000
                findings.at_most("calls for 1,000 events", counts["calls"] / each, 120, "", 0)
                findings.at_most("bytes for 1,000 events", kib / each, 400, "KiB", 0)
                findings.exactly("connections for 1,000 events", counts["connections"], 1)
                findings.exactly("events out of order", counts["misplaced"], 0)
    findings.tables.append(table)


def _alone(
    findings: Findings,
    stand_in: StandIn,
    pushes: dict[str, Callable[[Any], None]],
    order: Any,
    rounds: int,
) -> None:
    samples = Samples()
    for variant in turns(list(pushes), rounds):
        stand_in.reset()
        time.sleep(0.005)  # every thread is back at its queue
        started = time.monotonic()
        pushes[variant](order)
        samples.add(variant, stand_in.wait_for(1)["first"] - started)
    findings.at_most(
        "arrival of a lone event, after the floor's",
        samples.difference("package", "floor") * 1000,
        0.5,
        "ms",
    )
    findings.tables.append(
        Table(
            "From the push of a lone event to its arrival",
            list(pushes),
            [[f"{samples.median(variant) * 1000:.2f} ms" for variant in pushes]],
        )
    )
