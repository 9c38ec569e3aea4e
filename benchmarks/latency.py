"""How long a request takes, in process."""

from __future__ import annotations

from statistics import median

from benchmarks.api import VARIANTS, Api
from benchmarks.report import Findings, Table
from benchmarks.rounds import Samples, turns
from benchmarks.stand_in import StandIn

METHODS = ("POST", "PATCH", "DELETE")
DELAYS = (0, 20, 80)


def measure(stand_in: StandIn, api: Api, *, quick: bool) -> Findings:
    findings = Findings()
    table = Table(
        "Latency of a request in process",
        ["round trip", "method", *VARIANTS, "package / plain", "package / floor"],
    )
    rounds, count = (2, 6) if quick else (60, 40)
    for delay in DELAYS:
        samples = {method: Samples() for method in METHODS}
        for variant in turns(VARIANTS, rounds):
            # Calls by hand take a round trip each; fewer of them say as much.
            times = _turn(stand_in, api, variant, delay, 5 if variant == "hand-written" else count)
            for method in METHODS:
                samples[method].add(variant, median(times[method]))
        for method in METHODS:
            _judge(findings, samples[method], method, delay)
            table.rows.append(_row(samples[method], method, delay))
    findings.tables.append(table)
    return findings


def _turn(
    stand_in: StandIn, api: Api, variant: str, delay: int, count: int
) -> dict[str, list[float]]:
    stand_in.reset(delay=delay)
    created = [api.create(variant) for _ in range(count)]
    keys = [pk for _, pk in created]
    times = {
        "POST": [seconds for seconds, _ in created],
        "PATCH": [api.update(variant, pk) for pk in keys],
        "DELETE": [api.delete(variant, pk) for pk in keys],
    }
    stand_in.hurry()
    if variant != "plain":
        stand_in.wait_for(3 * count)
    return times


def _judge(findings: Findings, samples: Samples, method: str, delay: int) -> None:
    if delay == 0:
        ratio = samples.ratio("package", "floor")
        findings.at_most(f"latency of {method} at 0 ms, against the floor", ratio, 1.10)
    elif method != "DELETE":
        ratio = samples.ratio("package", "plain")
        findings.at_most(f"latency of {method} at {delay} ms, against plain", ratio, 1.10)


def _row(samples: Samples, method: str, delay: int) -> list[str]:
    return [
        f"{delay} ms",
        method,
        *(f"{samples.median(variant) * 1000:.2f} ms" for variant in VARIANTS),
        f"{samples.ratio('package', 'plain'):.2f}",
        f"{samples.ratio('package', 'floor'):.2f}",
    ]
