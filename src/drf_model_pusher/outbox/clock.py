"""The clock of the database, which decides what is due, whatever the relays' own clocks say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connections
from django.db.models import DateTimeField, ExpressionWrapper, Value, functions
from django.utils import timezone


class Now(functions.Now):
    """The time, which neither depends on the session's time zone nor leaps with the seasons."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return MySQL's name for it: what it takes for the time is that of the session's zone."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


def now(using: str, later: float = 0) -> Any:
    """Return an expression for the database's time, or for some seconds later."""
    delta = timedelta(seconds=later)
    if connections[using].vendor == "sqlite":
        # It has the clock of this machine, and asks it anew while a statement goes on.
        return Value(timezone.now() + delta, output_field=DateTimeField())
    return ExpressionWrapper(Now() + delta, output_field=DateTimeField()) if later else Now()
