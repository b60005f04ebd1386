"""Whether a server records, asked with the standard library alone: a container asks every few seconds, and each question starts
a process. `python -m api.cli.readiness [URL]` ends with 0 if it does, else with 1 and the reason."""

from __future__ import annotations

import http.client
import sys
from typing import Final
from urllib.parse import urlsplit

DEFAULT: Final = "http://127.0.0.1:8000"
SECONDS: Final = 3.0
SHOWN: Final = 300
"""Bytes of the reason that are told on."""


def unready(url: str) -> str | None:
    """Why the server at a base address does not record, in a sentence; None if it does."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return f"{url!r} is not a base address: write it like {DEFAULT}"
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        line = kind(parts.hostname, parts.port, timeout=SECONDS)
        line.request("GET", parts.path.rstrip("/") + "/health/ready")
        answer = line.getresponse()
        said = answer.read(SHOWN).decode("utf-8", "replace")
        line.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{url} does not answer ({type(error).__name__})"
    return None if answer.status == 200 else f"{url} is not ready: {said}"


def main() -> None:
    """See the module."""
    why = unready(sys.argv[1] if len(sys.argv) > 1 else DEFAULT)
    if why is not None:
        print(f"consent-ledger: {why}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
