"""Witnesses' cosignatures, beside the checkpoints they are about. They can be asked for again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "cosignatures",
        sa.Column("size", _BIG, primary_key=True, autoincrement=False),
        sa.Column("witness", sa.String(255), primary_key=True),
        sa.Column("line", sa.String(1024), nullable=False),
        sa.Column("time", _BIG, nullable=False),
    )


def downgrade() -> None:
    """Forget them; the log itself is not touched."""
    op.drop_table("cosignatures")
