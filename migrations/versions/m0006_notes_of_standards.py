"""What outward standards say of a consent beyond its terms, sealed under the consent's data key.

None of it is part of the log, which holds its hash in the terms (`details_hash`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "standard_notes",
        sa.Column("chain", sa.LargeBinary(32), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", _BIG, nullable=False),
    )


def downgrade() -> None:
    """Forget how foreign standards worded requests; the log itself is not touched."""
    op.drop_table("standard_notes")
