"""Databases as a restore wants to find them."""

from __future__ import annotations

import pytest
from psycopg import sql
from sqlalchemy import make_url

from api.node.settings import Settings


def emptied(settings: Settings, request: pytest.FixtureRequest) -> list[str]:
    """The databases as a restore wants them: on PostgreSQL empty ones; on SQLite they are set aside. What to say."""
    for url in (settings.database_url, settings.keystore_url):
        if (address := make_url(url)).get_backend_name() == "postgresql":
            name = sql.Identifier(address.database or "")
            with request.getfixturevalue("postgres_server").connect() as admin:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
                admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    return ["--replace"]
