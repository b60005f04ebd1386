"""Which accesses have a release and a receipt, so that a second one is refused (docs/spec/reconciliation.md, At the door).

A migration cannot open evidence. So it only notes how far the legs in the log are still to be found (`basis` −1), and the node
that starts next finds them (ledger/storage/legs.py).
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
    op.execute("INSERT INTO access_legs (basis, act, idx) SELECT -1, 'from', size FROM log_head WHERE size > 0")


def downgrade() -> None:
    """Forget which legs there are; the entries stay in the log."""
    op.drop_table("access_legs")
