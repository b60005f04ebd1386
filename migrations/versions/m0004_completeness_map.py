"""The completeness map: its pages, and which leaves they cover (docs/adr/0014).

Empty at first, also for a log that has entries: «consent-ledger migrate» fills it in portions when this is done, and a server
does so itself if that was cut short. Nothing here is append-only: what protects the map is the root that index-heads sign.
"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the state of a map over nothing."""
    state = op.create_table(
        "map_state",
        sa.Column("id", sa.SmallInteger, primary_key=True),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("head", _BIG, nullable=False),
        sa.Column("head_time", _BIG, nullable=False),
        sa.CheckConstraint("id = 1", name="map_state_one_row"),
    )
    op.create_table(
        "map_pages",
        sa.Column("prefix", sa.String(64), primary_key=True),
        sa.Column("page", sa.LargeBinary, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "size": 0, "root": hashlib.sha256(b"").digest(), "head": -1, "head_time": 0}])


def downgrade() -> None:
    """Forget the map; it can be made again."""
    for table in ("map_pages", "map_state"):
        op.drop_table(table)
