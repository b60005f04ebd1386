"""The evidence and request files of a bundle, each read as one stream of lines beside the leaves they belong to."""

from __future__ import annotations

from collections.abc import Callable, Generator

from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.gzipped import Broken, gzip_lines
from verifier.errors import Code, Defect, NotFound, Place, Refuted
from verifier.records.evidence_lines import MAX_LINE, line_index
from verifier.records.leaf import EVIDENT
from verifier.rules.findings import Findings
from verifier.tlog.tiles import tile_path

INDEXES_A_FILE = 65_536
"""How many indexes an evidence file covers."""


def evidence_path(n: int) -> str:
    """The path of evidence file `n`."""
    return tile_path(0, n).replace("tile/0/", "evidence/", 1) + ".jsonl.gz"


def request_path(n: int) -> str:
    """The path of request file `n`."""
    return tile_path(0, n).replace("tile/0/", "requests/", 1) + ".jsonl.gz"


class LinesByIndex:
    """The lines of all files of a kind in rising index order. `sentences`: what is told of a line out of order, and of a file
    without lines."""

    def __init__(
        self,
        archive: Archive,
        findings: Findings,
        size: int,
        start: int,
        wanted: bool,
        *,
        sentences: tuple[str, str],
        path_of: Callable[[int], str],
        limit: int,
        index_of: Callable[[bytes], int],
    ) -> None:
        self._archive, self._findings, self._size, self._start = archive, findings, size, start
        self._sentences, self._path_of, self._limit, self._index_of = sentences, path_of, limit, index_of
        self._numbers = range(start // INDEXES_A_FILE, -(-size // INDEXES_A_FILE)) if wanted else range(0)
        self._lines = self._read()
        self._next: tuple[int, bytes, str, int] | None = None
        self._advance()

    def _advance(self) -> None:
        self._next = next(self._lines, None)

    def _row_of(self, position: int) -> tuple[int, bytes, str, int] | None:
        """The line of an entry with its place, if there is one; it is then behind us."""
        waiting = self._next
        if waiting is None or waiting[0] != position:
            return None
        self._advance()
        return waiting

    def close(self) -> None:
        """Let go of the file that is being read, wherever that ended."""
        self._lines.close()

    def _read(self) -> Generator[tuple[int, bytes, str, int], None, None]:
        # Steps 7.1, 7.17.
        last = -1
        for n in self._numbers:
            path = self._path_of(n)
            low, high = n * INDEXES_A_FILE, min((n + 1) * INDEXES_A_FILE, self._size)
            number = 0
            try:
                for number, (line, ended) in enumerate(gzip_lines(self._archive, path, self._limit), 1):
                    try:
                        index = self._index_of(line)
                    except Refuted as refusal:
                        self._findings.refuse(refusal, file=path, line=number)
                        continue
                    row = (index, line, path, number)
                    if not ended:
                        self._bad(row, "the last line has no end", "a newline", "none")
                    if not max(low, last + 1) <= index < high:
                        self._bad(
                            row,
                            self._sentences[0],
                            f"{max(low, last + 1)} to {high - 1}",
                            str(index),
                        )
                        continue
                    last = index
                    if index >= self._start:
                        yield row
            except NotFound:
                continue
            except Broken as error:  # the rest after the last whole line is lost
                self._findings.add(Defect(Code.BAD_ENCODING, str(error), Place(max(last + 1, low), file=path)))
            except Unreadable as error:
                self._findings.add(Defect(Code.BAD_ENCODING, str(error), Place(file=path)))
            else:
                if not number:
                    self._findings.add(Defect(Code.BAD_ENCODING, self._sentences[1], Place(file=path)))

    def _bad(self, row: tuple[int, bytes, str, int], sentence: str, expected: str, found: str) -> None:
        self._findings.add(Defect(Code.BAD_ENCODING, sentence, Place(row[0], row[2], row[3]), expected, found))


class Evidence(LinesByIndex):
    """The evidence lines of the whole bundle, handed out entry by entry."""

    def __init__(self, archive: Archive, findings: Findings, size: int, start: int, wanted: bool) -> None:
        super().__init__(
            archive,
            findings,
            size,
            start,
            wanted,
            sentences=("an evidence line out of order or in the wrong file", "an evidence file without lines"),
            path_of=evidence_path,
            limit=MAX_LINE,
            index_of=line_index,
        )

    def line_of(self, position: int, kind: str) -> bytes | None:
        """The line of an entry, if there is one."""
        row = self._row_of(position)
        if row is None:
            return None
        # Step 7.2.
        if kind in EVIDENT:
            return row[1]
        if kind:
            self._bad(row, "an evidence line for a leaf that has none", ", ".join(EVIDENT), kind)
        return None
