"""The clock of the database, which all workers have in common."""

from __future__ import annotations

from typing import Any

from django.db.models import functions


class Now(functions.Now):
    """The time, which no session sees otherwise, and which leaps neither in spring nor in autumn.

    What MySQL takes for the time is that of the session's time zone, by default the server's.
    """

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return MySQL's name for it."""
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)
