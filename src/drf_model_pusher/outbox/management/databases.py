"""What the commands ask of the database that they are to work on."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db import connections

from drf_model_pusher.outbox.models import OutboxPartition, OutboxRow


def check_database(alias: str) -> None:
    """Refuse a database that is not there, or has no outbox.

    Raises:
        CommandError: It says what to do.
        DatabaseError: It cannot be asked.
    """
    if alias not in connections:
        raise CommandError(f"There is no database {alias!r}.")
    tables = connections[alias].introspection.table_names()
    if not {OutboxRow._meta.db_table, OutboxPartition._meta.db_table} <= set(tables):
        raise CommandError(
            f"The database {alias!r} has no outbox: run manage.py migrate --database={alias}."
        )
