"""The standards' words as data: one JSON file each, which the adapters, the documentation and the tests all read."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Final

import msgspec
from msgspec import Struct

ANY: Final = "*"


class OutwardWord(Struct, frozen=True, forbid_unknown_fields=True):
    """A standard's answer for one of the ledger's reasons or errors."""

    status: int
    """HTTP status."""
    code: str
    """The standard's code; empty where it sends no body, or no code."""
    note: str = ""


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """One table of official items: for each, `works…` or `by design not: …`."""

    title: str
    official: str
    """Where the official list is."""
    rows: dict[str, str]
    """Name (`*` and `?` stand for what they do in a shell) → what there is of it."""


class StandardWords(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A standard's file."""

    title: str
    about: list[str]
    """Paragraphs of the page."""
    versions: list[str]
    states: dict[str, dict[str, str]]
    """Canonical state → version → the standard's name of it."""
    state_notes: dict[str, str] = {}
    reasons: dict[str, OutwardWord]
    """Reason of a denied access → the answer of a holder's resource API in this standard."""
    problems: dict[str, OutwardWord]
    """Type of the ledger's problem → this adapter's answer."""
    permissions: dict[str, list[str]]
    """The standard's permission → codes of the catalogue."""
    tables: list[Table]


@lru_cache
def words(standard: str) -> StandardWords:
    """The file of a standard."""
    text = resources.files(__package__).joinpath(f"{standard}.json").read_bytes()
    return msgspec.json.decode(text, type=StandardWords)
