"""Requests per second under gunicorn: one worker, two threads, a load generator of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.api import VARIANTS
from benchmarks.report import Findings, Table
from benchmarks.rounds import Samples, turns
from benchmarks.stand_in import StandIn

DELAYS = (0, 20, 80)
CONNECTIONS = 4


def measure(stand_in: StandIn, *, quick: bool) -> Findings:
    findings = Findings()
    table = Table(
        "POST requests per second under gunicorn, 1 worker with 2 threads",
        ["round trip", *VARIANTS, "hand-written / plain", "package / plain", "package / floor"],
    )
    rounds, seconds = (1, 0.5) if quick else (30, 0.5)
    with gunicorn() as port:
        for variant in VARIANTS:
            _turn(stand_in, port, variant, 0, 0.3)  # nobody's first requests are measured
        for delay in DELAYS:
            samples = Samples()
            for variant in turns(VARIANTS, rounds):
                samples.add(variant, _turn(stand_in, port, variant, delay, seconds))
            if delay:
                findings.at_least(
                    f"requests/s under gunicorn at {delay} ms, against plain",
                    samples.ratio("package", "plain"),
                    0.92,
                )
            table.rows.append(
                [
                    f"{delay} ms",
                    *(f"{samples.median(variant):,.0f}" for variant in VARIANTS),
                    f"{samples.ratio('hand-written', 'plain'):.2f}",
                    f"{samples.ratio('package', 'plain'):.2f}",
                    f"{samples.ratio('package', 'floor'):.2f}",
                ]
            )
    findings.tables.append(table)
    return findings


def _turn(stand_in: StandIn, port: int, variant: str, delay: int, seconds: float) -> float:
    stand_in.reset(delay=delay)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.load",
            str(port),
            variant,
            str(seconds),
            str(CONNECTIONS),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    count, taken = done.stdout.split()
    stand_in.hurry()
    if variant != "plain":
        stand_in.wait_for(int(count))
    return int(count) / float(taken)


@contextmanager
def gunicorn() -> Iterator[int]:
    """Serve the project and yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        # The socket is ours and listens already: whoever connects first waits for the worker.
        number = listener.fileno()
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "benchmarks.project.wsgi",
                f"--bind=fd://{number}",
                "--workers=1",
                "--worker-class=gthread",
                "--threads=2",
                "--log-level=warning",
            ],
            pass_fds=[number],
        )
        try:
            yield listener.getsockname()[1]
        finally:
            server.terminate()
            server.wait(60)
