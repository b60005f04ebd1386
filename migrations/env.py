"""Alembic's entry: runs the migrations on the database that `migrations.upgrade` names."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from ledger.engines.engine import make_private
from ledger.storage.tables import metadata

make_private(context.config.attributes["url"])
engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
