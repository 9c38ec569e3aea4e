"""Everything fails, and nothing is lost: ``python -m tests.outbox.chaos``.

Several gunicorn workers take writes and several relays send them to a stand-in for Pusher that
refuses, hangs, resets and recovers. Web and relay processes are killed at random, and PostgreSQL
crashes twice. In the end each committed write has arrived, in the order of its object, and nothing
that was rolled back.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import psutil

from tests.outbox.cluster import Cluster, cluster
from tests.pusher_api import Answer, PusherApi

ROOT = Path(__file__).parents[2]
OBJECTS, WEB_WORKERS, WRITERS, RELAYS = 40, 3, 6, 3
TIMEOUT = 1.0
# What must be 0 in the end.
VERDICT = ("lost", "arrived of what was rolled back", "out of order")
MOODS = {
    "well": Answer(delay=0.005),
    "slow": Answer(delay=0.3),
    "refusing": Answer(status=503),
    "over quota": Answer(status=429, headers={"Retry-After": "1"}),
    "misconfigured": Answer(status=401),
    "hanging": Answer(delay=3 * TIMEOUT),
    "resetting": Answer(reset=True),
    "resetting what it took": Answer(reset=True, taken=True),
}


class Chaos:
    """One run."""

    def __init__(self, api: PusherApi, server: Cluster, folder: Path, seed: int) -> None:
        self.api, self.server = api, server
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self._log = folder / "log"
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = {
            **{k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
            "OUTBOX_DATABASE": json.dumps(server.settings),
            "OUTBOX_SETTINGS": json.dumps({"DRF_MODEL_PUSHER_OUTBOX_LEASE_SECONDS": 5}),
            "PUSHER_KEY": api.key,
            "PUSHER_SECRET": api.secret,
            "PUSHER_PORT": str(api.port),
            "PUSHER_TIMEOUT": str(TIMEOUT),
        }

    def run(self, writes: int, rolled_back: int) -> dict[str, int]:
        """Let it happen; return what was counted."""
        self._manage("prepare", str(OBJECTS), wait=True)
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self._web(listener)
            relays = [self._relay() for _ in range(RELAYS)]
            threads = [
                threading.Thread(
                    target=self._write, args=(listener.getsockname()[1], writes, rolled_back)
                )
                for _ in range(WRITERS)
            ]
            threads += [
                threading.Thread(target=self._every, args=(0.7, self._change_mood)),
                threading.Thread(target=self._every, args=(2.5, self._kill_web)),
                threading.Thread(target=self._every, args=(4.0, lambda: self._kill_relay(relays))),
                threading.Thread(target=self._crash_twice, args=(writes,)),
            ]
            try:
                for thread in threads:
                    thread.start()
                for thread in threads[:WRITERS]:
                    thread.join()
                self._over.set()
                for thread in threads[WRITERS:]:
                    thread.join()
                self.api.default = MOODS["well"]
                totals = self._totals()
                self._wait_for(sum(totals.values()))
                self.counts["set aside as dead"] = self._dead()
            finally:
                self._over.set()
                for process in self._processes:
                    _kill(process)
        return self._judge(totals)

    # What goes on

    def _write(self, port: int, writes: int, rolled_back: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            self._write_over(connection, writes, rolled_back)

    def _write_over(
        self, connection: http.client.HTTPConnection, writes: int, rolled_back: int
    ) -> None:
        while not self._over.is_set():
            with self._lock:
                missing = {
                    "commit": writes - self.counts["commit"],
                    "rollback": rolled_back - self.counts["rollback"],
                }
                if max(missing.values()) <= 0:
                    return
                outcome = self.random.choices(
                    list(missing), [max(0, count) for count in missing.values()]
                )[0]
                pk = self.random.randint(1, OBJECTS)
            try:
                connection.request("POST", f"/{pk}/{outcome}")
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection.close()  # its worker was killed; whether it committed is not known
                self.counts["requests without an answer"] += 1
                time.sleep(0.05)
                continue
            with self._lock:
                if response.status == 200:
                    self.counts[outcome] += 1
                else:
                    self.counts["requests that failed"] += 1

    def _every(self, seconds: float, act: Callable[[], None]) -> None:
        while not self._over.wait(seconds * self.random.uniform(0.5, 1.5)):
            act()

    def _change_mood(self) -> None:
        mood = "well" if self.random.random() < 0.5 else self.random.choice(list(MOODS))
        self.api.default = MOODS[mood]
        self.counts["moods of the service"] += 1

    def _kill_web(self) -> None:
        workers = psutil.Process(self._master.pid).children()
        if workers:
            self.random.choice(workers).kill()
            self.counts["web workers killed"] += 1

    def _kill_relay(self, relays: list[subprocess.Popen[bytes]]) -> None:
        number = self.random.randrange(len(relays))
        _kill(relays[number])
        relays[number] = self._relay()
        self.counts["relays killed"] += 1

    def _crash_twice(self, writes: int) -> None:
        for part in (1 / 3, 2 / 3):
            while self.counts["commit"] < part * writes and not self._over.wait(0.05):
                pass
            self.server.crash()
            self.server.start()
            self.counts["crashes of the database"] += 1

    # Processes

    def _manage(self, *arguments: str, wait: bool = False) -> subprocess.Popen[bytes]:
        return self._start([sys.executable, "-m", "tests.outbox.project", *arguments], wait=wait)

    def _relay(self) -> subprocess.Popen[bytes]:
        return self._manage("pusher_relay", "--workers", "2")

    def _web(self, listener: socket.socket) -> None:
        number = listener.fileno()
        command = ["-m", "gunicorn", "tests.outbox.project:application", f"--bind=fd://{number}"]
        command += [f"--workers={WEB_WORKERS}", "--threads=2", "--preload", "--log-level=warning"]
        self._master = self._start([sys.executable, *command], pass_fds=[number])

    def _start(
        self, command: list[str], *, pass_fds: list[int] | None = None, wait: bool = False
    ) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self._environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                pass_fds=pass_fds or [],
            )
        if wait and process.wait(60):
            raise RuntimeError(self._log.read_text())
        self._processes.append(process)
        return process

    # What came of it

    def _totals(self) -> dict[int, int]:
        """Return how many changes of each object are committed, by the database's own word."""
        import psycopg

        with psycopg.connect(f"host=127.0.0.1 port={self.server.port} user=postgres") as connection:
            rows = connection.execute("SELECT id, total::int FROM shop_order").fetchall()
        return dict(rows)

    def _dead(self) -> int:
        """Return how many events were set aside."""
        import psycopg

        with psycopg.connect(f"host=127.0.0.1 port={self.server.port} user=postgres") as connection:
            row = connection.execute(
                "SELECT count(*) FROM drf_model_pusher_outbox_outboxrow WHERE state = 2"
            ).fetchone()
        return int(row[0]) if row else 0

    def _wait_for(self, count: int) -> None:
        """Wait until so many different events have come."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if len({_what(event) for event in self.api.events}) >= count:
                return
            time.sleep(0.5)

    def _judge(self, totals: dict[int, int]) -> dict[str, int]:
        arrived: dict[int, list[int]] = defaultdict(list)
        forbidden = 0
        for event in self.api.events:
            arrived[event["data"]["order"]].append(event["data"]["number"])
            forbidden += event["name"] != "order.update"
        lost = disordered = repeated = 0
        for pk, total in totals.items():
            first = list(dict.fromkeys(arrived[pk]))
            lost += len(set(range(1, total + 1)) - set(first))
            disordered += sum(later < earlier for earlier, later in pairwise(first))
            repeated += len(arrived[pk]) - len(first)
            forbidden += sum(number > total for number in first)
        counts = Counter(self.counts)
        return {
            "answered that it is committed": counts.pop("commit"),
            "answered that it is rolled back": counts.pop("rollback"),
            **counts,
            "committed": sum(totals.values()),
            "arrived": sum(map(len, arrived.values())),
            "lost": lost,
            "arrived of what was rolled back": forbidden,
            "out of order": disordered,
            "duplicates": repeated,
        }


def _what(event: dict) -> tuple[int, int]:
    return event["data"]["order"], event["data"]["number"]


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        family = [
            *psutil.Process(process.pid).children(recursive=True),
            psutil.Process(process.pid),
        ]
    except psutil.NoSuchProcess:
        family = []
    for each in family:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def run(writes: int, rolled_back: int, seed: int) -> dict[str, int]:
    """Run it with servers of its own."""
    with ExitStack() as stack:
        server = stack.enter_context(cluster())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = stack.enter_context(PusherApi(key="key", secret="secret"))
        return Chaos(api, server, folder, seed).run(writes, rolled_back)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.outbox.chaos", description=__doc__)
    parser.add_argument("--writes", type=int, default=10_000)
    parser.add_argument("--rolled-back", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    started = time.monotonic()
    counts = run(arguments.writes, arguments.rolled_back, arguments.seed)
    for name, count in counts.items():
        print(f"{name:34}{count:>8,}")
    print(f"{'seconds':34}{time.monotonic() - started:>8,.0f}")
    return int(any(counts[name] for name in VERDICT))


if __name__ == "__main__":
    sys.exit(main())
