"""A standard's table of words beside the official names: what it lacks, and what is about nothing official."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from api.standards.words import words


def rows(standard: str, table: str) -> dict[str, str]:
    [found] = [one.rows for one in words(standard).tables if one.title == table]
    return found


def missing(names: set[str], told: dict[str, str]) -> list[str]:
    return sorted(name for name in names if not any(fnmatchcase(name, pattern) for pattern in told))


def idle(names: set[str], told: dict[str, str]) -> list[str]:
    """Rows that are about nothing official."""
    return sorted(pattern for pattern in told if not any(fnmatchcase(name, pattern) for name in names))


def operations(document: dict[str, Any]) -> set[str]:
    methods = {"get", "put", "post", "delete", "patch"}
    return {f"{m.upper()} {path}" for path, item in document["paths"].items() for m in item if m in methods}
