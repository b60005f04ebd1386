"""PostgreSQL: what the role that the service logs in as may do, and nothing more (defence in depth only).

The owner of the tables (the role that migrates) does not log in for anything else. The service's role reads everything,
appends to the log, moves the head and the present state of consents and passkeys, and forgets one-time tokens. UPDATE, DELETE
and TRUNCATE on the log are refused before its triggers are even asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, create_engine, pool, text

from ledger.engines.engine import is_file
from ledger.errors import InvalidInput

APPENDED: Final = (
    "entries",
    "tiles",
    "checkpoints",
    "used_challenges",
    "cosignatures",
    "named_key_store",
    "access_legs",
)
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
FORGOTTEN: Final = ("client_registrations", "event_attempts", "seen_tokens", "standard_notes")
"""Also deleted from: registrations that ended, attempts to tell that are a week old, tokens that have expired, notes of
requests that came to nothing."""

REBUILT: Final = ("map_pages", "map_state")
"""Whatever is in them can be made again from the log."""


KEY_STORE: Final = (("SELECT, INSERT, UPDATE", ("data_keys",)), ("SELECT, INSERT", ("key_store",)))
"""What the service may do in the key store: keys are made and destroyed, and their rows stay."""

READ: Final = ("alembic_version", "body_volumes")
"""The shape of the database, which each start looks at; the volumes of old bodies, which the owner alone moves."""


def grant(url: str, role: str) -> None:
    """Give `role`, which must exist, what the service needs on the migrated log database at `url`, and take the rest away.

    `url` is the owner's. Doing it again is safe; it is done after each migration. Raises InvalidInput on SQLite, which has no
    roles, when there is no such role, and when the role could do what it likes all the same.
    """
    rights = (
        ("SELECT", READ),
        ("SELECT, INSERT", APPENDED),
        ("SELECT, INSERT, UPDATE", MOVED),
        ("SELECT, INSERT, DELETE", FORGOTTEN),
        ("SELECT, INSERT, UPDATE, DELETE", REBUILT),
    )
    _grant(url, role, rights)


def grant_keys(url: str, role: str) -> None:
    """The same on the key store at `url`, whose tables exist. Keys are made and destroyed; their rows stay."""
    _grant(url, role, KEY_STORE)


def _grant(url: str, role: str, rights: Sequence[tuple[str, Sequence[str]]]) -> None:
    if is_file(url):
        raise InvalidInput("SQLite has no roles: leave out --role, and let the service's user own the files")
    engine = create_engine(url, poolclass=pool.NullPool)
    quoted = engine.dialect.identifier_preparer.quote_identifier(role)
    try:
        with engine.begin() as connection:
            tables = [name for _, names in rights for name in names]
            _refuse_stranger(connection, tables)
            _refuse_unfit(connection, role, tables)
            connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
            connection.execute(text(f"REVOKE CREATE ON SCHEMA public FROM {quoted}"))
            connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {quoted}"))
            for privileges, given in rights:
                names = ", ".join(given)
                connection.execute(text(f"REVOKE ALL ON {names} FROM PUBLIC, {quoted}"))
                connection.execute(text(f"GRANT {privileges} ON {names} TO {quoted}"))
            _let_check(connection, quoted)
    finally:
        engine.dispose()


def _let_check(connection: Connection, quoted: str) -> None:
    """Let the role compare indexes and tables, for `check`: by amcheck, whose functions change nothing and show no values.

    Where the owner may not give them, `check` says what it could not look at.
    """
    functions = connection.execute(
        text(
            "SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' "
            "JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'amcheck' AND pg_has_role(p.proowner, 'USAGE')"
        )
    ).scalars()
    for function in list(functions):
        connection.execute(text(f"GRANT EXECUTE ON FUNCTION {function} TO {quoted}"))


def _refuse_stranger(connection: Connection, tables: Sequence[str]) -> None:
    """To a GRANT of somebody who may not give it PostgreSQL says a warning only, and nothing is done."""
    own = connection.execute(
        text(
            "SELECT count(*) FROM pg_class WHERE relname = ANY(:tables) AND relnamespace = 'public'::regnamespace "
            "AND pg_has_role(relowner, 'USAGE')"
        ),
        {"tables": list(tables)},
    ).scalar_one()
    if own != len(tables):
        raise InvalidInput(
            "only the owner of the tables can say what a role may do with them: run «consent-ledger migrate --role» with the "
            "owner's database address"
        )


def _refuse_unfit(connection: Connection, role: str, tables: Sequence[str]) -> None:
    """Rights that are taken from a superuser or an owner come back at his word."""
    superuser = connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar()
    if superuser is None:
        raise InvalidInput(
            f"there is no role {role!r} on this server: its administrator makes it, with LOGIN and nothing else"
        )
    owned = connection.execute(
        text(
            "SELECT count(*) FROM pg_class WHERE relname = ANY(:tables) AND relnamespace = 'public'::regnamespace "
            "AND pg_has_role(:role, relowner, 'MEMBER')"
        ),
        {"role": role, "tables": list(tables)},
    ).scalar_one()
    if superuser or owned:
        raise InvalidInput(
            f"the role {role!r} is a superuser, owns these tables or is a member of who does: rights cannot be taken from it. "
            "Make the service a role of its own, and migrate as the owner"
        )
