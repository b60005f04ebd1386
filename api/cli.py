"""`consent-ledger`, the command. What it can do stands in api/commands.py."""

from __future__ import annotations

import sys

from api.loading import load


def main() -> None:
    """Run the command line."""
    try:
        load("api.commands").app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
