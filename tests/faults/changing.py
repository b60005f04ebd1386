"""Another value for a column of the database, of the kind that it holds."""

from __future__ import annotations

from typing import Any


def changed(value: Any) -> Any:
    """Another value of the same kind: one bit of bytes and texts, one more of a number."""
    if isinstance(value, bytes):
        middle = len(value) // 2
        return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
    if isinstance(value, str):
        middle = len(value) // 2
        return value[:middle] + ("B" if value[middle] != "B" else "C") + value[middle + 1 :]
    return 20_000 + value if isinstance(value, int) else 7


def another(column: str, value: Any) -> Any:
    """Another value that the engine takes in this column."""
    if column == "kind":
        return "subject" if value == "consent" else "consent"
    if column == "status":
        return "REVOKED" if value == "ACTIVE" else "ACTIVE"
    if column in ("confirmed", "next_index", "position", "used_day", "used_today"):
        return value + 20_000
    return changed(value)
