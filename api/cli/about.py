"""`consent-ledger version`."""

from __future__ import annotations

import typer

from api.cli.saying import say
from api.node.version import version as installed_version

about = typer.Typer(rich_markup_mode=None)


@about.command()
def version() -> None:
    """Say which version this is."""
    say(installed_version(), version=installed_version())
