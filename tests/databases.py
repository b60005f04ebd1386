"""A new database with all tables: migrated once for each process of tests, then copied.

Tests of the migrations themselves call `migrations.upgrade`.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

import migrations

EMPTY = "SELECT count(*) = 0 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')"


def migrated(url: str) -> None:
    """Bring an empty database to the newest shape. One that is not empty is upgraded."""
    named = make_url(url)
    if named.get_backend_name() == "sqlite" and named.database and not Path(named.database).exists():
        file = os.open(named.database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as copy:
            copy.write(_sqlite_file())
    elif named.get_backend_name() == "postgresql" and _is_empty(named):
        _replace(named, _postgresql_template(_server(named)))
    else:
        migrations.upgrade(url)


@cache
def _sqlite_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "template.sqlite")
        migrations.upgrade(f"sqlite:///{file}")
        assert [found.name for found in Path(folder).iterdir()] == [file.name], "all of it stands in the one file"
        return file.read_bytes()


def _server(named: URL) -> URL:
    return named.set(database="postgres")


def _connected(named: URL) -> psycopg.Connection[tuple[bool]]:
    """As the engine connects: it takes several hosts, and a socket's folder with its port, apart."""
    _, told = named.get_dialect()().create_connect_args(named)
    return psycopg.connect(**{**told, "autocommit": True})


def _is_empty(named: URL) -> bool:
    with _connected(named) as connection:
        found = connection.execute(EMPTY).fetchone()
        return found == (True,)


@cache
def _postgresql_template(server: URL) -> str:
    name = f"migrated_{os.getpid()}"
    with _connected(server) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrations.upgrade(server.set(database=name).render_as_string(hide_password=False))
    return name


def _replace(named: URL, template: str) -> None:
    database = sql.Identifier(named.database or "")
    with _connected(_server(named)) as admin:
        admin.execute(sql.SQL("DROP DATABASE {}").format(database))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(database, sql.Identifier(template)))
