"""The series of the specification that are served, as data: what one says otherwise than the other."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class AaSeries(Struct, frozen=True, kw_only=True):
    """Versions that share an address and a shape."""

    base: str
    numbers: tuple[str, ...]
    """The last one stands in answers to requests that name none."""
    by_address: bool = False
    """Handles and consents are asked for by GET, with the id in the address; else by POST of a message."""
    failed: frozenset[str] = frozenset()
    """States of a handle that this series calls FAILED."""


V2: Final = AaSeries(base="/aa/v2", numbers=("2.0.0", "2.1.0"))
V1: Final = AaSeries(
    base="/aa/v1", numbers=("1.1.2", "1.1.3"), by_address=True, failed=frozenset({"EXPIRED", "REJECTED"})
)
SERIES: Final = (V2, V1)


def series_at(path: str) -> AaSeries:
    """The series that answers at an address."""
    return next((one for one in SERIES if f"{one.base}/" in f"{path}/"), V2)
