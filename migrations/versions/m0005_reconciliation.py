"""What reconciliation reports have found: indexes and codes only, so that it can be asked for (docs/spec/reconciliation.md)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reconciliation_findings",
        sa.Column("key", _BIG, primary_key=True, autoincrement=False),
        sa.Column("report", _BIG, nullable=False),
        sa.Column("access", _BIG, nullable=False),
        sa.Column("closed_by", _BIG, nullable=True),
    )
    open_ones = sa.text("closed_by IS NULL")
    op.create_index(
        "reconciliation_open", "reconciliation_findings", ["key"], sqlite_where=open_ones, postgresql_where=open_ones
    )


def downgrade() -> None:
    """Forget the findings; the reports stay in the log."""
    op.drop_table("reconciliation_findings")
