"""Opens a source by what it is: CSV files, or the export of a QLDB journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from api.histories.journal import JournalSource
from api.histories.mapping import ReadMapping
from api.histories.rows import BroughtRow, RefusedRow, SourceFile, files_below, hash_of
from api.histories.tables import rows_of_tables


class BroughtSource(Protocol):
    """A source whose rows can be attested."""

    @property
    def hash(self) -> str:
        """Of its files (b64u)."""

    def rows(self) -> Iterator[BroughtRow | RefusedRow]:
        """All of them, in their order. Raises InvalidInput for what is not of its form, OSError."""

    def source(self) -> dict[str, Any]:
        """What the history says of it (docs/spec/history.md, 2); known once all rows were read."""


class TableSource:
    """CSV files."""

    def __init__(self, files: list[SourceFile]) -> None:
        self._files = files
        self.hash = hash_of(files)

    def rows(self) -> Iterator[BroughtRow | RefusedRow]:
        """See BroughtSource."""
        return rows_of_tables(self._files)

    def source(self) -> dict[str, Any]:
        """See BroughtSource."""
        return {"files": len(self._files), "hash": self.hash, "kind": "csv"}


def open_source(place: Path, mapping: Path | None) -> BroughtSource:
    """Raises InvalidInput for what is no source, OSError."""
    if mapping is None:
        return TableSource(files_below(place, (".csv",)))
    return JournalSource(files_below(place, (".ion", ".manifest")), ReadMapping.load(mapping))
