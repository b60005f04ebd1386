"""PostgreSQL: what the role that the service logs in as may do, and nothing more (defence in depth only).

The owner of the tables (the role that migrates) does not log in for anything else. The service's role reads everything,
appends to the log, moves the head and the present state of consents and passkeys, and forgets one-time tokens. UPDATE, DELETE
and TRUNCATE on the log are refused before its triggers are even asked.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import create_engine, make_url, pool, text

APPENDED: Final = (
    "entries", "tiles", "checkpoints", "used_challenges", "cosignatures", "named_key_store", "access_legs",
)  # fmt: skip
"""Read and inserted into, never changed."""
MOVED: Final = (
    "consents",
    "credentials",
    "log_head",
    "event_cursor",
    "event_deliveries",
    "event_endpoints",
    "reconciliation_findings",
)
"""Also updated."""
FORGOTTEN: Final = ("seen_tokens", "standard_notes")
"""Also deleted from: tokens that have expired, notes of requests that came to nothing."""

REBUILT: Final = ("map_pages", "map_state")
"""Whatever is in them can be made again from the log."""


def grant(url: str, role: str) -> None:
    """Give `role`, which must exist, what the service needs on the migrated log database at `url`, and take the rest away.

    `url` is the owner's. On SQLite there are no roles, and nothing is done. Doing it again is safe; it is done after each
    migration.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return
    engine = create_engine(url, poolclass=pool.NullPool)
    quoted = engine.dialect.identifier_preparer.quote_identifier(role)
    rights = (
        ("SELECT, INSERT", APPENDED), ("SELECT, INSERT, UPDATE", MOVED), ("SELECT, INSERT, DELETE", FORGOTTEN),
        ("SELECT, INSERT, UPDATE, DELETE", REBUILT),
    )  # fmt: skip
    with engine.begin() as connection:
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
        for privileges, tables in rights:
            names = ", ".join(tables)
            connection.execute(text(f"REVOKE ALL ON {names} FROM PUBLIC, {quoted}"))
            connection.execute(text(f"GRANT {privileges} ON {names} TO {quoted}"))
