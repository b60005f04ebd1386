"""What was sent to a participant's endpoint, and what came back: attempts of the last week, trials among them.

None of it is part of the log, and nothing rests on it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "event_attempts",
        sa.Column("participant", sa.String(63), primary_key=True),
        sa.Column("at", _BIG, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.String(22), primary_key=True),
        sa.Column("idx", _BIG, nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=True),
        sa.Column("error", sa.String(64), nullable=True),
        sa.Column("milliseconds", sa.Integer, nullable=False),
    )
    op.create_index("event_attempts_at", "event_attempts", ["at"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("event_attempts")
