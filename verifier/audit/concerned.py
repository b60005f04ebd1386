"""Reads again the entries that a report names, so that it can say what each of them is about (`records.concern`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from verifier.audit.evidence_files import INDEXES_A_FILE, evidence_path
from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.growing_tree import WIDTH
from verifier.bytes.gzipped import gzip_lines
from verifier.errors import NotFound, Refuted
from verifier.records.concern import Concern, concern_of_evidence, concern_of_leaf
from verifier.records.evidence_lines import MAX_LINE, line_index
from verifier.records.leaf import Leaf, parse_leaf
from verifier.rules.chain_store import Shelf
from verifier.tlog.tiles import MAX_BUNDLE, split_entries, tile_path

MAX_TOLD = 1_000
"""Entries that are told at most: as many as a report shows."""
_BROKEN = (Refuted, Unreadable, NotFound, ValueError, TypeError, LookupError)


def concerns(archive: Archive, size: int, shelf: Shelf, indexes: Iterable[int]) -> dict[int, Concern]:
    """What the entries at these indexes of a bundle of `size` entries say, those that can be read; recipient and holder of a
    consent are those of its chain at the end of the audit, on the `shelf`. At most MAX_TOLD."""
    wanted = sorted({index for index in indexes if 0 <= index < size})[:MAX_TOLD]
    found: dict[int, Concern] = {}
    leaves = dict(_leaves(archive, size, wanted))
    for index, leaf in leaves.items():
        found[index] = concern_of_leaf(leaf)
    for index, line in _lines(archive, [index for index, leaf in leaves.items() if leaf.commitment]):
        try:
            found[index] = concern_of_evidence(leaves[index], line)
        except _BROKEN:
            continue
    return {index: _with_parties(concern, leaves[index], shelf) for index, concern in found.items()}


def _with_parties(concern: Concern, leaf: Leaf, shelf: Shelf) -> Concern:
    chain = shelf.get(leaf.chain) if leaf.kind == "consent" else None
    if chain is None or chain.consent is None:
        return concern
    terms = chain.consent.terms
    return replace(concern, parties=tuple(dict.fromkeys((*concern.parties, terms.recipient, terms.holder))))


def _leaves(archive: Archive, size: int, wanted: list[int]) -> Iterator[tuple[int, Leaf]]:
    read, entries = -1, list[bytes]()
    for index in wanted:
        n = index // WIDTH
        try:
            if n != read:
                read, entries = n, []
                data = archive.read(tile_path("entries", n, min(WIDTH, size - n * WIDTH)), MAX_BUNDLE)
                entries = split_entries(data)
            yield index, parse_leaf(entries[index % WIDTH])
        except _BROKEN:
            continue


def _lines(archive: Archive, wanted: list[int]) -> Iterator[tuple[int, bytes]]:
    for n in sorted({index // INDEXES_A_FILE for index in wanted}):
        left = {index for index in wanted if index // INDEXES_A_FILE == n}
        try:
            for line, _ in gzip_lines(archive, evidence_path(n), MAX_LINE):
                index = line_index(line)
                if index in left:
                    left.discard(index)
                    yield index, line
                if not left:
                    break
        except _BROKEN:
            continue
