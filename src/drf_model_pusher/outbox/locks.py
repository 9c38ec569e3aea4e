"""Who may send what: a partition belongs to the transaction that holds the lock on its row.

The database decides, and no clock: a relay that was paused still has its locks, one that has lost
them cannot begin another call, and one that vanished loses them when its session times out.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.files import locks
from django.db import Error, connections, transaction

from drf_model_pusher.conf import app_settings
from drf_model_pusher.exceptions import ProviderError
from drf_model_pusher.forks import after_fork
from drf_model_pusher.outbox.models import OutboxPartition

logger = logging.getLogger("drf_model_pusher")

# Seconds to wait for a lock that somebody else holds on a whole table, say.
_LOCK_TIMEOUT = 5

# What a call follows upon is its right to be made, whatever the session was told before.
_POSTGRESQL = """
SET LOCAL idle_in_transaction_session_timeout = '{session}s';
SET LOCAL lock_timeout = '{lock}s';
SET TRANSACTION ISOLATION LEVEL READ COMMITTED
"""
_MYSQL = (
    "SET SESSION wait_timeout = {session}, innodb_lock_wait_timeout = {lock},"
    " lock_wait_timeout = {lock}",
    # A snapshot from before the locks would show rows that another relay has sent since.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
)


def session_timeout() -> int:
    """Return the seconds after which the database gives up a relay that vanished.

    No call takes nearly as long, even to a host with several addresses.
    """
    return 30 + 10 * round(app_settings.PUSHER_TIMEOUT)


class Locks(ABC):
    """What a worker holds while it works on a batch."""

    def __init__(self, using: str) -> None:
        self.using = using

    @abstractmethod
    def batch(self) -> Any:
        """Return a context in which partitions may be locked; its end lets them go."""

    @abstractmethod
    def lock(self, numbers: Sequence[int]) -> list[int]:
        """Lock partitions; return those that nobody else has."""

    def confirm(self) -> None:  # noqa: B027 - nothing, where locks cannot be lost
        """Make sure that the locks are still held; called right before each call.

        Raises:
            ProviderError: They are not, and ``lost`` says why.
        """

    lost: Error | None = None
    """Why the locks of this batch are gone."""

    def close(self) -> None:  # noqa: B027 - nothing, where a batch holds all
        """Let others have what is held between batches."""


class RowLocks(Locks):
    """Locks rows in one transaction that lasts as long as the batch."""

    _session: object = None

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Open the transaction, in a session that the database ends if we vanish."""
        connection, self.lost = connections[self.using], None
        seconds = {"session": session_timeout(), "lock": _LOCK_TIMEOUT}
        if connection.vendor == "mysql":
            self._set_up_mysql(connection, seconds)
        with transaction.atomic(using=self.using):
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(_POSTGRESQL.format(**seconds))
            yield
            if self.lost:
                raise self.lost

    def lock(self, numbers: Sequence[int]) -> list[int]:
        """Lock rows by their keys: MariaDB would keep a lock on each row that it looks at."""
        partitions = OutboxPartition.objects.using(self.using).values_list("number", flat=True)
        if connections[self.using].features.has_select_for_update_skip_locked:
            return list(partitions.filter(number__in=numbers).select_for_update(skip_locked=True))
        taken: list[int] = []
        for number in numbers:
            try:
                with transaction.atomic(using=self.using):
                    taken += partitions.filter(number=number).select_for_update(nowait=True)
            except Error:
                continue
        return taken

    def confirm(self) -> None:
        """Ask the session that holds the locks for anything at all."""
        try:
            with connections[self.using].cursor() as cursor:
                cursor.execute("SELECT 1")
        except Error as error:
            self.lost = error
            raise ProviderError("the database has ended the session", retryable=True) from error

    def _set_up_mysql(self, connection: Any, seconds: dict[str, int]) -> None:
        connection.ensure_connection()
        if connection.connection is not self._session:
            with connection.cursor() as cursor:
                for statement in _MYSQL:
                    cursor.execute(statement.format(**seconds))
            self._session = connection.connection


class FileLock(Locks):
    """One relay for a SQLite database, by a lock of the operating system on a file beside it.

    It is held until the relay ends, and no transaction is open during a call.
    """

    _file: IO[bytes] | None = None
    _said = False

    def __init__(self, using: str) -> None:
        super().__init__(using)
        name = str(connections[using].settings_dict["NAME"])
        in_memory = not name or ":memory:" in name or "mode=memory" in name
        self._path = None if in_memory else Path(f"{name}.relay-lock")
        after_fork(self._forget)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Lock the file if that can be done."""
        if self._path and not self._file:
            file = self._path.open("ab")
            if locks.lock(file, locks.LOCK_EX | locks.LOCK_NB):
                self._file = file
            else:
                file.close()
                if not self._said:
                    self._said = True
                    logger.warning("relay waits reason=another relay works file=%s", self._path)
        yield

    def lock(self, numbers: Sequence[int]) -> list[int]:
        """Have all of them, or none."""
        return list(numbers) if self._file or not self._path else []

    def close(self) -> None:
        """Let another relay work."""
        if self._file:
            locks.unlock(self._file)
            self._forget()

    def _forget(self) -> None:
        """Close the file; a forked child does so without taking its parent's lock away."""
        if self._file:
            self._file.close()
            self._file = None


def locks_for(using: str) -> Locks:
    """Return the locks of a kind of database."""
    return FileLock(using) if connections[using].vendor == "sqlite" else RowLocks(using)
