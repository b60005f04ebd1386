"""What clients of outward standards have registered of themselves (RFC 7591): where their customers may be sent back to.

None of it is part of the log, which holds the clients' keys.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "client_registrations",
        sa.Column("client", sa.String(63), primary_key=True),
        sa.Column("signed", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Forget the registrations: clients register anew. Their keys in the log are not touched."""
    op.drop_table("client_registrations")
