"""The log: head, entries, tiles, checkpoints, consents, one-time tokens; append-only by triggers.

Triggers and grants are defence in depth: an owner can drop them. What protects history is that the verifier recomputes it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("entries", "tiles", "checkpoints")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables and their guards."""
    _tables()
    {"sqlite": _guard_sqlite, "postgresql": _guard_postgresql}[op.get_bind().dialect.name]()


def downgrade() -> None:
    """Remove everything, unless the log holds an entry: a log is never thrown away by a migration."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM entries")).scalar_one():
        raise RuntimeError("the log holds entries: this migration cannot be undone")
    for table in (
        "seen_tokens",
        "used_challenges",
        "credentials",
        "consents",
        "checkpoints",
        "tiles",
        "entries",
        "log_head",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION consent_ledger_append_only()")
        op.execute("DROP FUNCTION consent_ledger_grows()")


def _tables() -> None:
    op.create_table(
        "log_head",
        sa.Column("id", sa.SmallInteger, primary_key=True),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("time", _BIG, nullable=False),
        sa.Column("last_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sa.Column("checkpoint", sa.String, nullable=False),
        sa.CheckConstraint("id = 1", name="log_head_one_row"),
    )
    op.create_table(
        "entries",
        sa.Column("idx", _BIG, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("chain", sa.LargeBinary(32), nullable=True),
        sa.Column("seq", _BIG, nullable=True),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=True),
        sa.Column("iss", sa.String(63), nullable=True),
        sa.Column("jti", sa.LargeBinary(16), nullable=True),
        sa.Column("position", sa.Integer, nullable=True),
        sa.Column("payload_hash", sa.LargeBinary(32), nullable=True),
        sa.UniqueConstraint("chain", "seq", name="entries_chain_seq"),
        sa.UniqueConstraint("iss", "jti", "position", name="entries_statement"),
    )
    operator = sa.text("kind = 'operator'")
    op.create_index("entries_operator", "entries", ["idx"], sqlite_where=operator, postgresql_where=operator)
    op.create_table(
        "tiles",
        sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", _BIG, primary_key=True, autoincrement=False),
        sa.Column("note", sa.String, nullable=False),
    )
    op.create_table(
        "consents",
        sa.Column("chain", sa.LargeBinary(32), primary_key=True),
        sa.Column("recipient", sa.String(63), nullable=False),
        sa.Column("holder", sa.String(63), nullable=False),
        sa.Column("subject_chain", sa.LargeBinary(32), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("expires_at", _BIG, nullable=False),
        sa.Column("opened_at", _BIG, nullable=False),
        sa.Column("basis", _BIG, nullable=False),
        sa.Column("used_day", sa.Integer, nullable=False),
        sa.Column("used_today", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    for name in ("recipient", "holder"):
        op.create_index(f"consents_{name}", "consents", [name, "opened_at"])
    op.create_index("consents_subject", "consents", ["subject_chain", "opened_at"])
    op.create_table(
        "credentials",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("subject_chain", sa.LargeBinary(32), nullable=False),
        sa.Column("enrolled_at", _BIG, nullable=False),
        sa.Column("unenrolled_at", _BIG, nullable=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_credentials_subject_chain", "credentials", ["subject_chain"])
    op.create_table(
        "used_challenges",
        sa.Column("challenge", sa.LargeBinary(32), primary_key=True),
        sa.Column("idx", _BIG, nullable=False),
    )
    op.create_table(
        "seen_tokens",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("expires_at", _BIG, nullable=False),
    )
    op.create_index("ix_seen_tokens_expires_at", "seen_tokens", ["expires_at"])


def _guard_sqlite() -> None:
    for table in APPEND_ONLY:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    # INSERT OR REPLACE deletes the old row without firing its trigger, unless the insert itself is refused
    op.execute(
        "CREATE TRIGGER entries_in_order BEFORE INSERT ON entries "
        "WHEN NEW.idx <> (SELECT coalesce(max(idx) + 1, 0) FROM entries) "
        "BEGIN SELECT RAISE(ABORT, 'entries are appended at the end, one after the other'); END"
    )
    op.execute(
        "CREATE TRIGGER tiles_once BEFORE INSERT ON tiles "
        "WHEN EXISTS (SELECT 1 FROM tiles WHERE level = NEW.level AND number = NEW.number) "
        "BEGIN SELECT RAISE(ABORT, 'tiles is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER checkpoints_rise BEFORE INSERT ON checkpoints "
        "WHEN NEW.size <= (SELECT coalesce(max(size), -1) FROM checkpoints) "
        "BEGIN SELECT RAISE(ABORT, 'checkpoints is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER log_head_stays BEFORE DELETE ON log_head BEGIN SELECT RAISE(ABORT, 'the head is never deleted'); END"
    )
    op.execute(
        "CREATE TRIGGER log_head_once BEFORE INSERT ON log_head WHEN EXISTS (SELECT 1 FROM log_head) "
        "BEGIN SELECT RAISE(ABORT, 'there is one head'); END"
    )
    op.execute(
        "CREATE TRIGGER log_head_grows BEFORE UPDATE ON log_head WHEN NEW.size < OLD.size "
        "BEGIN SELECT RAISE(ABORT, 'the log never shrinks'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION consent_ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in (*APPEND_ONLY, "log_head"):
        action = "DELETE" if table == "log_head" else "UPDATE OR DELETE"
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE {action} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION consent_ledger_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION consent_ledger_append_only()"
        )
        # ALWAYS: else session_replication_role = replica would skip them
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only")
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_no_truncate")
    op.execute(
        "CREATE FUNCTION consent_ledger_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.size < OLD.size THEN "
        "RAISE EXCEPTION 'the log never shrinks' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER log_head_grows BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION consent_ledger_grows()"
    )
    op.execute("ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_grows")
