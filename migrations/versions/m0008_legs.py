"""Which accesses have a release and a receipt, so that a second one is refused (docs/spec/reconciliation.md, At the door).

Legs that were recorded before this step are not in the table, since a migration cannot open evidence: a second one under such
an access is recorded as before, and is a finding about who signed it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "access_legs",
        sa.Column("basis", _BIG, primary_key=True, autoincrement=False),
        sa.Column("act", sa.String(16), primary_key=True),
        sa.Column("idx", _BIG, nullable=False),
    )


def downgrade() -> None:
    """Forget which legs there are; the entries stay in the log."""
    op.drop_table("access_legs")
