"""Two officers of the operator approve what one alone must not order."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.saying import USAGE, fail

Officers = Annotated[
    list[str], typer.Option("--approved-by", help="An officer who approves it; twice, of two different persons.")
]


def two_of(officers: list[str]) -> tuple[str, str]:
    """Two different officers, sorted as documents want them. Exits when there are not two."""
    if len(set(officers)) != 2 or len(officers) != 2:
        fail("two different officers approve it: say --approved-by twice", status=USAGE)
    first, second = sorted(officers)
    return first, second
