"""How far the log is confirmed, and which key store belongs to it (docs/spec/log.md, «Confirmed horizon»; docs/operating.md).

`confirmed` begins at 0: the first node that starts confirms what is there by a commit of its own. The key store is named
when a node first opens both.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("log_head", sa.Column("confirmed", big, nullable=False, server_default="0"))
    op.create_table(
        "named_key_store",
        sa.Column("id", sa.SmallInteger, primary_key=True),
        sa.Column("store_id", sa.LargeBinary(16), nullable=False),
        sa.CheckConstraint("id = 1", name="named_key_store_one_row"),
    )


def downgrade() -> None:
    """Forget both; the log itself is not touched."""
    op.drop_table("named_key_store")
    op.drop_column("log_head", "confirmed")
