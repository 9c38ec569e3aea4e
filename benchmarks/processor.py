"""Processor time: what an event adds to a request, and what many channels add to an event."""

from __future__ import annotations

import time

from benchmarks.api import VARIANTS, Api
from benchmarks.pushes import make_order, make_package_push
from benchmarks.report import Findings, Table
from benchmarks.rounds import Samples, turns
from benchmarks.stand_in import StandIn


def measure(stand_in: StandIn, api: Api, *, quick: bool) -> Findings:
    findings = Findings()
    _requests(findings, stand_in, api, *((2, 20) if quick else (40, 50)))
    _channels(findings, stand_in, *((2, 10) if quick else (15, 50)))
    return findings


def _requests(findings: Findings, stand_in: StandIn, api: Api, rounds: int, count: int) -> None:
    """Take the time of all threads, from the first request until the last event is answered."""
    spent = Samples()
    for variant in turns(VARIANTS, rounds):
        # Calls by hand take a round trip each; fewer of them say as much.
        requests = 10 if variant == "hand-written" else count
        stand_in.reset(delay=20)
        started = time.process_time()
        keys = [api.create(variant)[1] for _ in range(requests)]
        stand_in.wait_for(0 if variant == "plain" else requests)
        time.sleep(0.01)  # the last answer is read
        spent.add(variant, (time.process_time() - started) / requests)
        for pk in keys:
            api.delete("plain", pk)
    added = {v: spent.difference(v, "plain") * 1_000_000 for v in VARIANTS[1:]}
    findings.at_most(
        "processor time added per event, against calls by hand",
        added["package"] / added["hand-written"],
        0.5,
    )
    findings.at_most(
        "processor time added per event, against the floor",
        added["package"] / added["floor"],
        1.3,
    )
    findings.tables.append(
        Table(
            "Processor time that an event adds to a POST",
            ["plain, whole request", *added],
            [
                [
                    f"{spent.median('plain') * 1_000_000:,.0f} µs",
                    *(f"{value:,.0f} µs" for value in added.values()),
                ]
            ],
        )
    )


def _channels(findings: Findings, stand_in: StandIn, rounds: int, count: int) -> None:
    """Push events one at a time, so that each is a call whatever the number of its channels."""
    order = make_order()
    spent = Samples()
    pushes = {
        str(width): make_package_push([f"orders-{number}" for number in range(width)])
        for width in (1, 100, 1_000)
    }
    for width in turns(["1", "100"], rounds):
        total = 0.0
        for _ in range(count):
            stand_in.reset()
            started = time.process_time()
            pushes[width](order)
            time.sleep(0.003)
            total += time.process_time() - started
            stand_in.wait_for(1)
        spent.add(width, total / count)
    findings.at_most(
        "processor time of an event on 100 channels, against one", spent.ratio("100", "1"), 1.2
    )
    stand_in.reset()
    pushes["1000"](order)
    findings.exactly("calls for an event on 1,000 channels", stand_in.wait_for(10)["calls"], 10)
