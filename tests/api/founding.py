"""New logs for served nodes: as `consent-ledger init` makes them, on tables that were migrated once for all tests."""

from __future__ import annotations

from api.node.founding import initialise
from api.node.settings import Settings
from ledger.clock import Clock
from tests.databases import migrated


def initialised(settings: Settings, origin: str, *, clock: Clock | None = None) -> None:
    """What `consent-ledger init` does, which finds nothing left to migrate."""
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    migrated(settings.database_url)
    initialise(settings, origin, clock=clock)
