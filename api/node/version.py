"""Which version this is."""

from __future__ import annotations

import importlib.metadata


def version() -> str:
    """The installed distribution's version; a checkout that is run without being installed has none."""
    try:
        return importlib.metadata.version("consent-ledger")
    except importlib.metadata.PackageNotFoundError:
        return "0+checkout"
