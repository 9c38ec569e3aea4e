"""Measure what the package costs.

A run writes its tables into docs/performance.md, and one of a part its part of them; a quick one
prints them only.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    authorization,
    bulk,
    burst,
    fan_out,
    latency,
    occupancy,
    outage,
    outbox,
    processor,
    report,
    startup,
    throughput,
)
from benchmarks.api import Api
from benchmarks.report import Findings
from benchmarks.stand_in import StandIn

NAMES = (
    "startup",
    "latency",
    "processor",
    "burst",
    "bulk",
    "throughput",
    "outage",
    "outbox",
    "occupancy",
    "authorization",
    "fan_out",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="show in a minute that everything runs"
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, StandIn() as stand_in:
        api = _prepare(Path(folder), stand_in)
        measurements: dict[str, Callable[[], Findings]] = {
            "startup": startup.measure,
            "latency": lambda: latency.measure(stand_in, api, quick=arguments.quick),
            "processor": lambda: processor.measure(stand_in, api, quick=arguments.quick),
            "burst": lambda: burst.measure(stand_in, quick=arguments.quick),
            "bulk": lambda: bulk.measure(stand_in, quick=arguments.quick),
            "throughput": lambda: throughput.measure(stand_in, quick=arguments.quick),
            "outage": lambda: outage.measure(stand_in, quick=arguments.quick),
            "outbox": lambda: outbox.measure(quick=arguments.quick),
            "occupancy": lambda: occupancy.measure(stand_in, api, quick=arguments.quick),
            "authorization": lambda: authorization.measure(quick=arguments.quick),
            "fan_out": lambda: fan_out.measure(quick=arguments.quick),
        }
        findings = {name: _timed(name, measurements[name]) for name in arguments.only}
    print(report.render(findings))
    if not arguments.quick:
        report.keep(findings, NAMES)


def _prepare(folder: Path, stand_in: StandIn) -> Api:
    """Set Django up with tables in an empty database; processes started later share it."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.project.settings"
    os.environ["BENCHMARK_DATABASE"] = str(folder / "benchmark.sqlite3")
    os.environ["BENCHMARK_PUSHER_PORT"] = str(stand_in.port)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    return Api()


def _timed(name: str, measure: Callable[[], Findings]) -> Findings:
    started = time.monotonic()
    findings = measure()
    print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return findings


if __name__ == "__main__":
    main()
