"""``manage.py pusher_relay``: send what is in the outbox."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser
from contextlib import suppress
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections

from drf_model_pusher.outbox.management.databases import check_database
from drf_model_pusher.outbox.models import OutboxRow
from drf_model_pusher.outbox.running import NOTIFIED, UNNOTIFIED, Workers


class Command(BaseCommand):
    """Run as many of it as you like, on as many machines: they share the work."""

    help = "Sends what is in the outbox; any number of relays share the work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--once", action="store_true", help="end when nothing can be sent")
        parser.add_argument("--workers", type=int, default=1, help="calls at a time (1)")
        parser.add_argument(
            "--interval",
            type=float,
            help=f"longest time between two looks, in seconds ({NOTIFIED} where the database "
            f"notifies of rows, else {UNNOTIFIED})",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="alias of the database")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal, or until nothing can be sent; exit with 1 if something failed."""
        using, count, interval = options["database"], options["workers"], options["interval"]
        if not 1 <= count <= 64:
            raise CommandError("--workers takes a number from 1 to 64.")
        if interval is not None and not 0.01 <= interval <= 30:
            raise CommandError("--interval takes a number of seconds from 0.01 to 30.")
        with suppress(Error):  # a relay waits for a database that is away
            check_database(using)
        connections[using].close()  # each worker has its own
        workers = Workers(using, count, interval, once=options["once"])
        _end_by_signal(workers)
        workers.start()
        if not options["once"]:
            word = "worker" if count == 1 else "workers"
            self.stdout.write(f"Relaying with {count} {word} (Ctrl+C ends it)")
            self.stdout.flush()
        while not workers.wait(0.5):
            pass
        if isinstance(workers.error, Error):
            raise CommandError(f"The outbox of {using!r} cannot be used: {workers.error}")
        if workers.error:
            raise SystemExit(1)
        if options["once"]:
            self._report(using, workers)

    def _report(self, using: str, workers: Workers) -> None:
        sent, failures = (sum(getattr(each, name) for each in workers.relays) for name in _COUNTS)
        left = OutboxRow.objects.using(using).filter(state=OutboxRow.State.WAITING).count()
        self.stdout.write(f"Sent {sent}, {failures} tries failed, {left} left.")
        if failures or left:
            raise SystemExit(1)


_COUNTS = ("sent", "failures")


def _end_by_signal(workers: Workers) -> None:
    def stop(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, _end_now)
        signal.signal(signal.SIGINT, _end_now)
        workers.stop()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, stop)


def _end_now(signum: int, frame: FrameType | None) -> None:
    # The database lets the locks go; what is under way is sent again.
    os._exit(128 + signum)
