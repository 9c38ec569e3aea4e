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
from drf_model_pusher.outbox.models import OutboxEvent
from drf_model_pusher.outbox.relay import Relay
from drf_model_pusher.outbox.running import TOLD, UNTOLD, Crew

State = OutboxEvent.State


class Command(BaseCommand):
    """Run as many of it as you like, on as many machines: they share the work."""

    help = "Sends what is in the outbox; any number of relays share the work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--once", action="store_true", help="end when nothing waits")
        parser.add_argument("--workers", type=int, default=1, help="calls at a time (1)")
        parser.add_argument(
            "--interval",
            type=float,
            help=f"longest time between two looks, in seconds ({TOLD} where the database tells of "
            f"events, else {UNTOLD})",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="alias of the database")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal, or until nothing waits; exit with 1 if something failed then."""
        using, workers, interval = options["database"], options["workers"], options["interval"]
        if not 1 <= workers <= 64:
            raise CommandError("--workers takes a number from 1 to 64.")
        if interval is not None and not 0.01 <= interval <= 3600:
            raise CommandError("--interval takes a number of seconds from 0.01 to 3600.")
        with suppress(Error):  # a relay waits for a database that is away
            check_database(using)
        if options["once"]:
            self._drain(using, workers)
        else:
            connections[using].close()  # each worker has its own
            self._work(Crew(using, workers, interval), forever=True)

    def _drain(self, using: str, workers: int) -> None:
        events = OutboxEvent.objects.using(using)
        last = events.order_by("-id").values_list("id", flat=True).first() or 0
        waiting = events.filter(state=State.WAITING, id__lte=last)

        def is_over(relay: Relay) -> bool:
            # What another worker of a relay that has died owns is this one's before long.
            return relay.is_patient or not waiting.exists()

        crew = Crew(using, workers, UNTOLD, is_over)
        self._work(crew, forever=False)
        sent, failures = (sum(getattr(each, name) for each in crew.relays) for name in _COUNTS)
        left = events.filter(state__in=[State.WAITING, State.POSTPONED], id__lte=last).count()
        self.stdout.write(f"Sent {sent}, {failures} tries failed, {left} left.")
        if failures or left:
            raise SystemExit(1)

    def _work(self, crew: Crew, *, forever: bool) -> None:
        def stop(signum: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, _end_now)
            signal.signal(signal.SIGINT, _end_now)
            crew.stop()

        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, stop)
        crew.start()
        if forever:
            count = len(crew.relays)
            workers = "1 worker" if count == 1 else f"{count} workers"
            self.stdout.write(f"Relaying with {workers} (Ctrl+C ends it)")
            self.stdout.flush()
        while not crew.wait(0.5):
            pass
        if crew.failed:
            raise SystemExit(1)


_COUNTS = ("sent", "failures")


def _end_now(signum: int, frame: FrameType | None) -> None:
    # Leases run out by themselves; what is under way is sent again.
    os._exit(128 + signum)
