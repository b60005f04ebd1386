"""The OpenAPI document of a ledger as it is served, on standard output: `python -m tests.sdks.document`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.api.service import running_service


def served() -> bytes:
    with (
        tempfile.TemporaryDirectory() as place,
        running_service(f"sqlite:///{place}/ledger.sqlite", Path(place, "state")) as service,
    ):
        return service.http.get("/openapi.json").content


if __name__ == "__main__":
    sys.stdout.buffer.write(served())
