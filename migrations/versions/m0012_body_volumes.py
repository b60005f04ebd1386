"""Old bodies may be moved out of the database (docs/adr/0036): the volumes there are, and the one change that `entries` takes.

A body may give way to the mark of a volume that is on record, and the mark to a body again; nothing else of a row may change.
The guards still refuse every DELETE. Nothing that is there is moved by this migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SAME = ("idx", "kind", "chain", "seq", "leaf", "leaf_hash", "iss", "jti", "position", "payload_hash")
_SQLITE_GUARD = (
    "CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries {} "
    "BEGIN SELECT RAISE(ABORT, 'entries is append-only'); END"
)


def upgrade() -> None:
    """Make the table, and let bodies and marks take each other's place."""
    op.create_table(
        "body_volumes",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("first", _BIG, nullable=False),
        sa.Column("last", _BIG, nullable=False),
        sa.Column("bodies", sa.Integer, nullable=False),
    )
    {"sqlite": _guard_sqlite, "postgresql": _guard_postgresql}[op.get_bind().dialect.name]()


def downgrade() -> None:
    """Forget the volumes, unless a body lies in one: «consent-ledger tier return» brings them back first."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM entries WHERE length(sealed) = 33")).scalar_one():
        raise RuntimeError(
            "bodies were moved out of this database: «consent-ledger tier return» brings them back first"
        )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER entries_bodies_move ON entries")
        op.execute(
            "CREATE OR REPLACE TRIGGER entries_append_only BEFORE UPDATE OR DELETE ON entries "
            "FOR EACH ROW EXECUTE FUNCTION consent_ledger_append_only()"
        )
        op.execute("ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_append_only")
        op.execute("DROP FUNCTION consent_ledger_bodies_move()")
        op.execute("DROP TRIGGER body_volumes_append_only ON body_volumes")
    else:
        op.execute("DROP TRIGGER entries_no_update")
        op.execute(_SQLITE_GUARD.format(""))
    op.drop_table("body_volumes")


def _guard_sqlite() -> None:
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _SAME)
    moved = _moved("NEW", "OLD", "substr({}.sealed, 1, 1) = x'01'", "substr({}.sealed, 2)")
    returned = _moved("OLD", "NEW", "substr({}.sealed, 1, 1) = x'01'", "substr({}.sealed, 2)")
    op.execute("DROP TRIGGER entries_no_update")
    op.execute(_SQLITE_GUARD.format(f"WHEN NOT coalesce({same} AND ({moved} OR {returned}), 0)"))
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER body_volumes_no_{action.lower()} BEFORE {action} ON body_volumes "
            "BEGIN SELECT RAISE(ABORT, 'body_volumes is append-only'); END"
        )


def _guard_postgresql() -> None:
    same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _SAME)
    moved = _moved("NEW", "OLD", "get_byte({}.sealed, 0) = 1", "substr({}.sealed, 2)")
    returned = _moved("OLD", "NEW", "get_byte({}.sealed, 0) = 1", "substr({}.sealed, 2)")
    op.execute(
        "CREATE FUNCTION consent_ledger_bodies_move() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF coalesce({same} AND ({moved} OR {returned}), false) THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION 'entries is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute("DROP TRIGGER entries_append_only ON entries")
    op.execute(
        "CREATE TRIGGER entries_append_only BEFORE DELETE ON entries "
        "FOR EACH ROW EXECUTE FUNCTION consent_ledger_append_only()"
    )
    op.execute(
        "CREATE TRIGGER entries_bodies_move BEFORE UPDATE ON entries "
        "FOR EACH ROW EXECUTE FUNCTION consent_ledger_bodies_move()"
    )
    op.execute(
        "CREATE TRIGGER body_volumes_append_only BEFORE UPDATE OR DELETE ON body_volumes "
        "FOR EACH ROW EXECUTE FUNCTION consent_ledger_append_only()"
    )
    for table, trigger in (
        ("entries", "entries_append_only"),
        ("entries", "entries_bodies_move"),
        ("body_volumes", "body_volumes_append_only"),
    ):
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _moved(mark: str, body: str, is_mark: str, digest: str) -> str:
    """`mark` holds the mark of a volume on record that spans the entry, and `body` something as long as a body."""
    return (
        f"(length({mark}.sealed) = 33 AND {is_mark.format(mark)} AND length({body}.sealed) > 33 AND EXISTS (SELECT 1 FROM "
        f"body_volumes v WHERE v.digest = {digest.format(mark)} AND OLD.idx BETWEEN v.first AND v.last))"
    )
