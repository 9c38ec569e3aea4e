"""Everything fails, and nothing is lost: ``python -m tests.outbox.chaos --database postgresql``.

Several gunicorn workers take writes and several relays send them to a stand-in for Pusher that
refuses, hangs, resets and recovers. Web and relay processes are killed at random, a relay is
stopped for longer than any time-out, another has a clock that is an hour ahead where there is
``faketime``, the table is locked for seconds, and the server crashes twice, or ends all sessions.
In the end each committed write has arrived, in the order of its object, and nothing that was
rolled back; and the last update of each object says what is in the database.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import signal
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
from typing import Any

import django
import psutil

from tests.outbox.troubles import TROUBLES, Troubles
from tests.pusher_api import Answer, PusherApi

ROOT = Path(__file__).parents[2]
OBJECTS, WEB_WORKERS, WRITERS, RELAYS = 40, 3, 6, 3
TIMEOUT = 1.0
# What must be 0 in the end.
VERDICT = ("lost", "arrived of what was rolled back", "out of order", "last updates that are wrong")
MOODS = {
    "well": Answer(delay=0.005),
    "slow": Answer(delay=0.3),
    "nearly too slow": Answer(delay=0.9 * TIMEOUT),
    "refusing batches": Answer(status=400, for_batches=True),
    "refusing": Answer(status=503),
    "over quota": Answer(status=429, headers={"Retry-After": "1"}),
    "misconfigured": Answer(status=401),
    "hanging": Answer(delay=3 * TIMEOUT),
    "resetting": Answer(reset=True),
    "resetting what it took": Answer(reset=True, taken=True),
}


class Chaos:
    """One run."""

    def __init__(
        self, api: PusherApi, database: dict[str, Any], troubles: Troubles, folder: Path, seed: int
    ) -> None:
        self.api, self.troubles = api, troubles
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self._log = folder / "log"
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = {
            **{k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
            "OUTBOX_DATABASE": json.dumps(database),
            **({"PyMySQL": "1"} if "mysql" in database["ENGINE"] else {}),
            "PUSHER_KEY": api.key,
            "PUSHER_SECRET": api.secret,
            "PUSHER_PORT": str(api.port),
            "PUSHER_TIMEOUT": str(TIMEOUT),
        }

    def run(self, writes: int, rolled_back: int, pause: float) -> dict[str, int]:
        """Let it happen; return what was counted."""
        self._manage("prepare", str(OBJECTS), wait=True)
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self._web(listener)
            relays = [self._relay(number) for number in range(RELAYS)]
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
                threading.Thread(target=self._every, args=(9.0, self._lock_table)),
                threading.Thread(target=self._crash_twice, args=(writes,)),
                threading.Thread(target=self._pause, args=(relays, pause)),
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
                totals = self.troubles.totals()
                self._wait_for(totals)
                self.counts["dead"] = self.troubles.dead()
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
        number = self.random.randrange(1, len(relays))
        _kill(relays[number])
        relays[number] = self._relay(number)
        self.counts["relays killed"] += 1

    def _pause(self, relays: list[subprocess.Popen[bytes]], seconds: float) -> None:
        """Stop the first relay again and again, for longer than the database bears with it."""
        while seconds and not self._over.wait(5):
            relays[0].send_signal(signal.SIGSTOP)
            self._over.wait(seconds)
            relays[0].send_signal(signal.SIGCONT)
            self.counts["relays paused"] += 1

    def _lock_table(self) -> None:
        self.troubles.lock(1.5)
        self.counts["times that the table was locked"] += 1

    def _crash_twice(self, writes: int) -> None:
        for part in (1 / 3, 2 / 3):
            while self.counts["commit"] < part * writes and not self._over.wait(0.05):
                pass
            self.troubles.crash()
            self.counts["crashes of the database"] += 1

    # Processes

    def _manage(self, *arguments: str, wait: bool = False) -> subprocess.Popen[bytes]:
        return self._start([sys.executable, "-m", "tests.outbox.project", *arguments], wait=wait)

    def _relay(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.outbox.project", "pusher_relay", "--workers", "2"]
        if number == RELAYS - 1 and shutil.which("faketime"):
            # Its clock is wrong; how long a second is, is not.
            command = ["faketime", "--exclude-monotonic", "-f", "+1h", *command]
        return self._start(command)

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

    def _wait_for(self, totals: dict[int, int]) -> None:
        """Wait until all has come, and the last that came of each object is true."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            time.sleep(0.5)
            if not self.troubles.waiting():
                break
        time.sleep(2 * TIMEOUT)

    def _judge(self, totals: dict[int, int]) -> dict[str, int]:
        arrived: dict[int, list[int]] = defaultdict(list)
        last: dict[int, int] = {}
        forbidden = 0
        for event in self.api.events:
            order, number = event["data"]["order"], event["data"]["number"]
            if event["name"] == "order.update":
                last[order] = number
            else:
                arrived[order].append(number)
                forbidden += event["name"] != "order.counted"
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
            "last updates that are wrong": sum(
                last.get(pk, 0) != total for pk, total in totals.items()
            ),
            "duplicates": repeated,
        }


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


def run(
    writes: int, rolled_back: int, seed: int, *, kind: str = "postgresql", pause: float = 0
) -> dict[str, int]:
    """Run it with servers of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database, troubles = stack.enter_context(TROUBLES[kind](folder))
        api = stack.enter_context(PusherApi(key="key", secret="secret"))
        return Chaos(api, database, troubles, folder, seed).run(writes, rolled_back, pause)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.outbox.chaos", description=__doc__)
    parser.add_argument("--database", default="postgresql", choices=TROUBLES)
    parser.add_argument("--writes", type=int, default=10_000)
    parser.add_argument("--rolled-back", type=int, default=1_000)
    parser.add_argument("--pause", type=float, default=45, help="seconds; 0 stops no relay")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()  # to make a database with
    started = time.monotonic()
    counts = run(
        arguments.writes,
        arguments.rolled_back,
        arguments.seed,
        kind=arguments.database,
        pause=arguments.pause,
    )
    for name, count in counts.items():
        print(f"{name:34}{count:>8,}")
    print(f"{'seconds':34}{time.monotonic() - started:>8,.0f}")
    return int(any(counts[name] for name in VERDICT))


if __name__ == "__main__":
    sys.exit(main())
