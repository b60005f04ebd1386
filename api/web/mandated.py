"""The words that a standard demands for its data: what a customer is asked for, and shows later, is called by them.

They are the standard's own, in the one language that it words them in; a page in another language has our words, and so has
what the standard has no word for. The words and their sources are in `mandated.json`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from api.web.words import Words, clusters_of
from ledger.entries.terms import Terms


@dataclass(frozen=True, slots=True)
class DataCluster:
    """Data that belong together, as a page shows them."""

    name: str
    """One of CLUSTERS: which picture stands beside it."""
    title: str
    says: tuple[str, ...]


class MandatedRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a standard's table."""

    name: str
    """As of DataCluster."""
    title: str
    needs: frozenset[str]
    """Permissions of the catalogue: it stands where terms hold all of them, and earlier rows have not said them all."""
    says: tuple[str, ...]


class MandatedWords(Struct, frozen=True, forbid_unknown_fields=True):
    """A standard's table."""

    source: str
    language: str
    """BCP 47."""
    rows: tuple[MandatedRow, ...]
    """In the standard's own order, but the fuller before the shorter."""


@cache
def mandated() -> dict[str, MandatedWords]:
    """By the standard of the terms."""
    text = resources.files("api.web").joinpath("mandated.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, MandatedWords])


def data_of(words: Words, terms: Terms) -> list[DataCluster]:
    """The data of terms: in the words that their standard demands, where it does and the page is in its language."""
    said = mandated().get(terms.standard)
    held, left = frozenset(terms.permissions), set(terms.permissions)
    found: list[DataCluster] = []
    if said is not None and said.language == words.language:
        for row in said.rows:
            if row.needs <= held and row.needs & left:
                found.append(DataCluster(row.name, row.title, row.says))
                left -= row.needs
    return [*_joined(found), *_ours(words, left)]


def _joined(rows: Iterable[DataCluster]) -> list[DataCluster]:
    """Rows of one title as one cluster, where the first of them stands."""
    by_title: dict[str, DataCluster] = {}
    for row in rows:
        known = by_title.get(row.title)
        by_title[row.title] = row if known is None else DataCluster(known.name, row.title, (*known.says, *row.says))
    return list(by_title.values())


def _ours(words: Words, permissions: Iterable[str]) -> list[DataCluster]:
    return [
        DataCluster(name, words.t(f"cluster.{name}"), tuple(words.t(f"permission.{code}") for code in codes))
        for name, codes in clusters_of(permissions)
    ]
