"""Telling the others: how far entries were looked through, where participants want to be told, and who was told of what.

None of it is part of the log: the parties of a log that is older than this are told of what comes from here on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; the cursor stands behind the last entry there is."""
    op.create_table(
        "event_cursor",
        sa.Column("id", sa.SmallInteger, primary_key=True),
        sa.Column("next_index", _BIG, nullable=False),
        sa.Column("leased_by", sa.String(64), nullable=True),
        sa.Column("leased_until", _BIG, nullable=False),
        sa.CheckConstraint("id = 1", name="event_cursor_one_row"),
    )
    op.execute(
        "INSERT INTO event_cursor (id, next_index, leased_until) SELECT 1, coalesce(max(idx) + 1, 0), 0 FROM entries"
    )
    op.create_table(
        "event_endpoints",
        sa.Column("participant", sa.String(63), primary_key=True),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("changed_at", _BIG, nullable=False),
    )
    op.create_table(
        "event_deliveries",
        sa.Column("event_id", sa.String(22), primary_key=True),
        sa.Column("idx", _BIG, nullable=False),
        sa.Column("participant", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", _BIG, nullable=False),
        sa.Column("first_at", _BIG, nullable=False),
        sa.Column("acknowledged_at", _BIG, nullable=True),
        sa.Column("last_error", sa.String(64), nullable=True),
        sa.UniqueConstraint("idx", "participant", name="event_deliveries_once"),
    )
    op.create_index("event_deliveries_due", "event_deliveries", ["state", "next_at"])
    op.create_index("event_deliveries_participant", "event_deliveries", ["participant", "state", "idx"])


def downgrade() -> None:
    """Forget who was told; the log itself is not touched."""
    for table in ("event_deliveries", "event_endpoints", "event_cursor"):
        op.drop_table(table)
