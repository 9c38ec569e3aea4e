"""The queues that people run, beside the outbox: one task per event, written by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from benchmarks.stand_in import StandIn


@dataclass(frozen=True, kw_only=True)
class Queue:
    title: str
    worker: tuple[str, ...]

    missing: Callable[[], str | None]
    """Returns what is not there, if something is."""

    clear: Callable[[], None]
    """Forgets what waits."""


def titles() -> dict[str, str]:
    return {name: queue.title for name, queue in QUEUES.items()}


def missing(name: str) -> str | None:
    return QUEUES[name].missing()


def available() -> list[str]:
    return [name for name in QUEUES if not missing(name)]


def relay(name: str, stand_in: StandIn, count: int, delay: int) -> float:
    """Let so many tasks wait for one worker; return the events per second.

    Args:
        delay: How many milliseconds the stand-in takes for an answer.
    """
    from benchmarks.project.senders import Enqueuer

    queue, enqueuer = QUEUES[name], Enqueuer(name)
    queue.clear()
    for number in range(count):
        enqueuer.trigger(["orders"], "order.update", {"position": number})
    worker = subprocess.Popen(
        [sys.executable, "-m", *queue.worker],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        counts = stand_in.wait_for(count)
    finally:
        worker.terminate()
        worker.wait(60)
        queue.clear()
    # From the first arrival: how long a worker takes to start is not what is measured.
    return count / (counts["last"] - counts["first"] + delay / 1000)


def _celery_is_missing() -> str | None:
    for module in ("celery", "redis"):
        if find_spec(module) is None:
            return f"{module} is not installed"
    from redis import Redis, RedisError

    from benchmarks.project.by_celery import BROKER

    try:
        Redis.from_url(BROKER, socket_connect_timeout=3).ping()
    except RedisError:
        return "Redis does not run"
    return None


def _clear_celery() -> None:
    from redis import Redis

    from benchmarks.project.by_celery import BROKER, PREFIX

    redis = Redis.from_url(BROKER)
    for key in redis.scan_iter(f"{PREFIX}*"):
        redis.delete(key)


def _tasks_are_missing() -> str | None:
    return "django_tasks_db is not installed" if find_spec("django_tasks_db") is None else None


def _clear_tasks() -> None:
    from django_tasks_db.models import DBTaskResult

    DBTaskResult.objects.all().delete()


QUEUES = {
    "celery": Queue(
        title="a Celery task per event, Redis",
        worker=("celery", "-A", "benchmarks.project.by_celery", "worker", "--concurrency", "1"),
        missing=_celery_is_missing,
        clear=_clear_celery,
    ),
    "tasks": Queue(
        title="a Django task per event, in the database",
        worker=("django", "db_worker"),
        missing=_tasks_are_missing,
        clear=_clear_tasks,
    ),
}
