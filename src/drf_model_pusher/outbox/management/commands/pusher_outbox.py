"""``manage.py pusher_outbox``: how the outbox is doing, for people and monitors."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS

from drf_model_pusher.outbox.health import measure
from drf_model_pusher.outbox.management.databases import check_database


class Command(BaseCommand):
    """Exits with 1 where a number is beyond what is asked for."""

    help = "Shows how the outbox is doing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="alias of the database")
        parser.add_argument("--max-waiting", type=int, help="exit with 1 if more rows wait")
        parser.add_argument("--max-dead", type=int, help="exit with 1 if more rows are dead")
        parser.add_argument("--max-age", type=float, help="… if one is older, in seconds")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, and print."""
        check_database(options["database"])
        health = measure(options["database"])
        beyond = health.exceeds(
            waiting=options["max_waiting"],
            dead=options["max_dead"],
            oldest_seconds=options["max_age"],
        )
        numbers = asdict(health)
        if options["json"]:
            self.stdout.write(json.dumps({**numbers, "beyond": beyond}, indent=2))
        else:
            for name, value in numbers.items():
                number = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
                mark = "  !" if name in beyond else ""
                self.stdout.write(f"{name.replace('_', ' '):16}{number:>12}{mark}")
        if beyond:
            raise SystemExit(1)
