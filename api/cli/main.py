"""`consent-ledger`, the command. What it can do stands in api/cli/log.py."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from api.server.loading import begin_preloading, load


def main() -> None:
    """Run the command line."""
    if _serves_with_several(sys.argv[1:], os.environ):
        begin_preloading()  # on another core, while this process loads the same
    try:
        load("api.cli.log").app()
    except KeyboardInterrupt:
        sys.exit(130)


def _serves_with_several(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a node of several processes is about to be started. A guess that is wrong costs time, and nothing else."""
    asked = any(argument.startswith("--workers") for argument in arguments) or "CONSENT_LEDGER_WORKERS" in environment
    return arguments[:1] == ["serve"] and asked


if __name__ == "__main__":
    main()
