"""Which reports a bundle holds, looked up before the pass: a report may be defined after its period began.

An entry bundle is searched for the documents' names and read only where one stands: a thousandth of the work of an audit.
"""

from __future__ import annotations

from collections.abc import Iterator

from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.encoding import Object
from verifier.bytes.growing_tree import WIDTH
from verifier.errors import NotFound, Refuted
from verifier.records.leaf import parse_leaf
from verifier.rules.report_forms import Definition, Issued, read_definition, read_issued
from verifier.rules.reporting import Wanted
from verifier.tlog.tiles import MAX_BUNDLE, split_entries, tile_path

NAMES = (b'"type":"report.issued"', b'"type":"report.defined"')
MAX_PLANNED = 100_000


def documents(archive: Archive, size: int) -> Iterator[tuple[int, int, Object]]:
    """Index, time (ms) and document of each report that was defined or issued; what cannot be read is left out here."""
    for n in range(-(-size // WIDTH)):
        width = min(WIDTH, size - n * WIDTH)
        try:
            data = archive.read(tile_path("entries", n, width), MAX_BUNDLE)
            if NAMES[0] not in data and NAMES[1] not in data:
                continue
            for offset, entry in enumerate(split_entries(data, width)):
                if NAMES[0] in entry or NAMES[1] in entry:
                    leaf = parse_leaf(entry)
                    yield n * WIDTH + offset, leaf.time, leaf.document or {}
        except (Refuted, Unreadable, NotFound):
            continue


class Plan:
    """The definitions of a bundle, and the periods of which it issued reports."""

    def __init__(self, archive: Archive, size: int) -> None:
        self.definitions: dict[str, list[Definition]] = {}
        self._issued: list[Issued] = []
        for index, time, document in documents(archive, size):
            try:
                if document.get("type") == "report.defined":
                    definition = read_definition(document, index, time)
                    self.definitions.setdefault(definition.report, []).append(definition)
                elif document.get("type") == "report.issued" and len(self._issued) < MAX_PLANNED:
                    self._issued.append(read_issued(document, index))
            except Refuted:  # told in the pass
                continue

    def wanted(self) -> Iterator[Wanted]:
        """What the issued reports are about, one for each of them."""
        for issued in self._issued:
            known = [one for one in self.definitions.get(issued.report, ()) if one.number < issued.number]
            try:
                if known:
                    yield Wanted(issued.definition_of(known), issued.since, issued.to)
            except Refuted:  # told in the pass
                continue
