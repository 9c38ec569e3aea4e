"""Databases of the tests' own, on the servers that run on this machine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import OperationalError, connections

from tests.availability import unavailable
from tests.shop import models

SERVERS = {
    "postgresql": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("TEST_POSTGRESQL_HOST", "127.0.0.1"),
        "PORT": os.environ.get("TEST_POSTGRESQL_PORT", "5432"),
        "USER": os.environ.get("TEST_POSTGRESQL_USER", "postgres"),
        "PASSWORD": os.environ.get("TEST_POSTGRESQL_PASSWORD", ""),
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ.get("TEST_MARIADB_HOST", "127.0.0.1"),
        "PORT": os.environ.get("TEST_MARIADB_PORT", "3306"),
        "USER": os.environ.get("TEST_MARIADB_USER", "root"),
        "PASSWORD": os.environ.get("TEST_MARIADB_PASSWORD", ""),
    },
}
# What there is on every server, to create another one from.
ROOTS = {"postgresql": "postgres", "mariadb": "mysql"}


@contextmanager
def database(kind: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Create an empty database and yield the settings for it."""
    if kind == "sqlite":
        yield {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / f"{uuid.uuid4().hex}.sqlite3"),
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
        return
    use_driver(kind)
    name = f"drf_model_pusher_{uuid.uuid4().hex[:12]}"
    try:
        _execute(kind, f"CREATE DATABASE {name}")
    except OperationalError as error:
        unavailable(f"{kind} does not run where it is looked for: {error}")
    try:
        yield {**SERVERS[kind], "NAME": name}
    finally:
        force = " WITH (FORCE)" if kind == "postgresql" else ""
        _execute(kind, f"DROP DATABASE {name}{force}")


def _execute(kind: str, statement: str) -> None:
    """Execute a statement about databases on a server."""
    settings = {**SERVERS[kind], "NAME": ROOTS[kind]}
    with _registered(f"{kind}-root", settings) as root, root.cursor() as cursor:
        cursor.execute(statement)


def use_driver(kind: str) -> None:
    """Import the driver of a database; PyMySQL, since mysqlclient needs a compiler."""
    try:
        if kind == "postgresql":
            import psycopg  # noqa: F401
        elif kind == "mariadb":
            import pymysql

            pymysql.install_as_MySQLdb()
    except ImportError as error:
        unavailable(str(error))


@contextmanager
def registered(alias: str, settings: dict[str, Any]) -> Iterator[str]:
    """Let Django know a database, with the tables of the outbox and of the tests' shop."""
    with _registered(alias, settings) as connection:
        call_command("migrate", "drf_model_pusher_outbox", database=alias, verbosity=0)
        with connection.schema_editor() as editor:
            for model in apps.get_app_config("shop").get_models():
                if model.__module__ == models.__name__:  # and not one that a test has declared
                    editor.create_model(model)
        yield alias


@contextmanager
def migrated(alias: str, settings: dict[str, Any]) -> Iterator[str]:
    """Let Django know a database, with all tables of the tests."""
    with _registered(alias, settings):
        for syncdb in (False, True):  # tables without migrations refer to those with some
            call_command("migrate", database=alias, run_syncdb=syncdb, verbosity=0)
        yield alias


@contextmanager
def _registered(alias: str, settings: dict[str, Any]) -> Iterator[Any]:
    connections.settings[alias] = settings
    connections.configure_settings(connections.settings)
    try:
        yield connections[alias]
    finally:
        connections[alias].close()
        del connections[alias], connections.settings[alias]
