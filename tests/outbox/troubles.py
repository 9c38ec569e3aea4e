"""What can befall each kind of database, for the chaos."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.outbox.cluster import Cluster, cluster

TABLE = "drf_model_pusher_outbox_outboxrow"


class Troubles:
    """Looks into a database, and makes trouble there, on connections of its own."""

    def connect(self) -> Any:
        """Return a connection of the driver's, which commits each statement."""
        raise NotImplementedError

    def lock(self, seconds: float) -> None:
        """Keep everybody from the table."""
        raise NotImplementedError

    def crash(self) -> None:
        """Let the server go down and come back, or do what comes next to it."""

    def totals(self) -> dict[int, int]:
        """Return how many changes of each object are committed, by the database's own word."""
        return {pk: int(total) for pk, total in self._ask("SELECT id, total FROM shop_order")}

    def dead(self) -> int:
        return self._ask(f"SELECT COUNT(*) FROM {TABLE} WHERE state = 1")[0][0]

    def waiting(self) -> int:
        return self._ask(f"SELECT COUNT(*) FROM {TABLE} WHERE state = 0")[0][0]

    def _ask(self, statement: str) -> list[Any]:
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())


class PostgreSQL(Troubles):
    def __init__(self, server: Cluster) -> None:
        self._server = server

    def connect(self) -> Any:
        import psycopg

        return psycopg.connect(
            f"host=127.0.0.1 port={self._server.port} user=postgres", autocommit=True
        )

    def lock(self, seconds: float) -> None:
        with suppress(Exception), closing(self.connect()) as connection:  # it may be down
            connection.execute("BEGIN")
            connection.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
            time.sleep(seconds)

    def crash(self) -> None:
        self._server.crash()
        self._server.start()


class MariaDB(Troubles):
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings

    def connect(self) -> Any:
        import pymysql

        names = {"HOST": "host", "USER": "user", "PASSWORD": "password", "NAME": "database"}
        known = {name: self._settings[key] for key, name in names.items()}
        return pymysql.connect(**known, port=int(self._settings["PORT"]), autocommit=True)

    def lock(self, seconds: float) -> None:
        with suppress(Exception), closing(self.connect()) as connection:
            connection.cursor().execute(f"LOCK TABLES {TABLE} WRITE")
            time.sleep(seconds)

    def crash(self) -> None:
        """End all sessions of the database."""
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            )
            for (number,) in cursor.fetchall():
                with suppress(Exception):  # it has just ended by itself
                    cursor.execute(f"KILL {number}")


class SQLite(Troubles):
    def __init__(self, path: str) -> None:
        self._path = path

    def connect(self) -> Any:
        return sqlite3.connect(self._path, isolation_level=None, timeout=20)

    def lock(self, seconds: float) -> None:
        with closing(self.connect()) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(seconds)
            connection.execute("COMMIT")


@contextmanager
def postgresql(folder: Path) -> Iterator[tuple[dict[str, Any], Troubles]]:
    with cluster() as server:
        yield server.settings, PostgreSQL(server)


@contextmanager
def mariadb(folder: Path) -> Iterator[tuple[dict[str, Any], Troubles]]:
    from tests.outbox.databases import database

    with database("mariadb", folder) as found:
        yield found, MariaDB(found)


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[dict[str, Any], Troubles]]:
    from tests.outbox.databases import database

    with database("sqlite", folder) as found:
        yield found, SQLite(found["NAME"])


TROUBLES = {"postgresql": postgresql, "mariadb": mariadb, "sqlite": sqlite}
