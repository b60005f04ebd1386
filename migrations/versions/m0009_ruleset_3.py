"""What ruleset 3 keeps: the window of a one-off consent, and leaves of participants' own chains (docs/spec/ruleset-3.md).

Counts by unit lie in the sealed state. Rows that are there already stay as they are: nothing of ruleset 3 has happened to them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Room for the kind «participant», an index that finds such leaves, and the end of a window."""
    if op.get_bind().dialect.name == "postgresql":  # SQLite bounds no text, and would copy the whole table for it
        op.alter_column("entries", "kind", type_=sa.String(11), existing_type=sa.String(10), existing_nullable=False)
    declared = sa.text("kind = 'participant'")
    op.create_index("entries_participant", "entries", ["idx"], sqlite_where=declared, postgresql_where=declared)
    op.add_column("consents", sa.Column("once_until", _BIG, nullable=False, server_default="0"))


def downgrade() -> None:
    """Back to what ruleset 2 keeps."""
    op.drop_column("consents", "once_until")
    op.drop_index("entries_participant", "entries")
