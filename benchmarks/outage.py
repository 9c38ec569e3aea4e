"""Pusher is down while a hundred thousand events are pushed.

``measure`` starts a process for each way of being down; running the module is that process.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

from benchmarks.api import Api
from benchmarks.pushes import make_order, make_package_push
from benchmarks.report import Findings, Table
from benchmarks.stand_in import HANGS, StandIn

REQUESTS = 5


def measure(stand_in: StandIn, *, quick: bool) -> Findings:
    findings = Findings()
    pushes, rounds = (2_000, 10) if quick else (100_000, 100)
    table = Table(
        f"{pushes:,} pushes with the server down, and requests among them",
        [
            "server",
            "POST, package",
            "POST, plain",
            "push alone",
            "memory, first half",
            "second half",
            "exit",
            "log lines",
        ],
    )
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        stand_in.reset(delay=HANGS)
        ports = {"refuses": nobody.getsockname()[1], "hangs": stand_in.port}
        for how, port in ports.items():
            found = _run(port, pushes, rounds)
            _judge(findings, how, found)
            table.rows.append(
                [
                    how,
                    f"{found['package'] * 1000:.2f} ms",
                    f"{found['plain'] * 1000:.2f} ms",
                    f"{found['push'] * 1_000_000:.0f} µs",
                    f"{found['first_half'] / 2**20:+.1f} MiB",
                    f"{found['second_half'] / 2**20:+.1f} MiB",
                    f"{found['exit']:.1f} s",
                    str(found["lines"]),
                ]
            )
    findings.tables.append(table)
    return findings


def _judge(findings: Findings, how: str, found: dict[str, Any]) -> None:
    server = f"server that {how}"
    findings.at_most(f"{server}: latency of POST, against plain", found["ratio"], 1.2)
    findings.at_most(
        f"{server}: growth of memory",
        (found["first_half"] + found["second_half"]) / 2**20,
        20,
        "MiB",
        1,
    )
    # A page here and there is the allocator's, not ours.
    findings.at_most(
        f"{server}: growth in the second half", found["second_half"] / 2**20, 0.5, "MiB", 1
    )
    findings.at_most(f"{server}: clean exit", found["exit"], found["timeout"] + 1, "s", 1)


def _run(port: int, pushes: int, rounds: int) -> dict[str, Any]:
    environ = {**os.environ, "BENCHMARK_PUSHER_PORT": str(port)}
    command = [sys.executable, "-m", "benchmarks.outage", str(pushes), str(rounds)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            log.seek(0)
            raise RuntimeError(log.read().decode())
        found: dict[str, Any] = json.loads(line)
        ended = time.monotonic()
        process.wait(120)
        found["exit"] = time.monotonic() - ended
        log.seek(0)
        found["lines"] = log.read().count(b"\n")
        return found


def main(pushes: int, rounds: int) -> None:
    """Push, among requests of the plain and of the package's view; then end as a process does."""
    import django
    import psutil

    django.setup()
    from drf_model_pusher.conf import app_settings

    api, push, order = Api(), make_package_push(["orders"]), make_order()
    process = psutil.Process()
    for variant in ("plain", "package"):
        for _ in range(200):
            _request(api, variant)
    memory = [process.memory_info().rss]
    times: dict[str, list[float]] = {"plain": [], "package": []}
    ratios, spent = [], 0.0
    for number in range(rounds):
        if number == rounds // 2:
            memory.append(process.memory_info().rss)
        started = time.perf_counter()
        for _ in range(pushes // rounds):
            push(order)
        spent += time.perf_counter() - started
        for variant, all_times in times.items():
            all_times.append(median(_request(api, variant) for _ in range(REQUESTS)))
        ratios.append(times["package"][-1] / times["plain"][-1])
    memory.append(process.memory_info().rss)
    found = {
        **{variant: median(all_times) for variant, all_times in times.items()},
        "ratio": median(ratios),
        "push": spent / pushes,
        "first_half": memory[1] - memory[0],
        "second_half": memory[2] - memory[1],
        "timeout": app_settings.PUSHER_TIMEOUT,
    }
    print(json.dumps(found), flush=True)


def _request(api: Api, variant: str) -> float:
    """Return the seconds of a POST; the row goes again, so that the database does not grow."""
    seconds, pk = api.create(variant)
    api.delete("plain", pk)
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
