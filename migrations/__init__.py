"""The history of the database's shape: one for both engines. `upgrade` brings a database to the newest one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from migrations.grants import grant, grant_keys
from migrations.shape import refuse_newer, refuse_other_versions

if TYPE_CHECKING:  # a server that only starts need not wait for Alembic to load
    from alembic.config import Config

__all__ = ["alembic_config", "downgrade", "grant", "grant_keys", "refuse_newer", "refuse_other_versions", "upgrade"]


def alembic_config(url: str) -> Config:
    """Alembic's configuration for one database, without an ini file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Apply all migrations up to `revision`. Raises InvalidInput for a database that a newer version has been at."""
    from alembic import command

    refuse_newer(url)
    command.upgrade(alembic_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Undo migrations down to `revision`; refused by the database once the log holds entries."""
    from alembic import command

    command.downgrade(alembic_config(url), revision)
