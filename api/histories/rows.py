"""What readers of sources hand on: rows of customers, and what was refused, each with its place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ledger.canonical import b64u, encode
from ledger.entries.history_acts import SHEET_LIMIT, HistoryRow
from ledger.errors import InvalidInput, LedgerError

ROW_LIMIT: Final = SHEET_LIMIT - 512
"""Bytes of a row, so that a sheet with one row fits."""
SOURCE_FILES: Final = 100_000


class BroughtRow(NamedTuple):
    """A row that can be attested. `customer`: the holder's own name for her; `body`: the row's CL-JSON; `where`: its place, for
    people."""

    customer: str
    time: int
    body: bytes
    where: str


class RefusedRow(NamedTuple):
    """What cannot be attested, where it stands, and what to do. Says nothing of what stands there: that may be anybody's."""

    where: str
    why: str


class SourceFile(NamedTuple):
    """A file that is read. `name`: its path below the folder."""

    path: Path
    name: str


def brought(customer: str, members: Mapping[str, Any], where: str) -> BroughtRow | RefusedRow:
    """The row with these members, held to its form (docs/spec/history.md, 3)."""
    try:
        body = encode(dict(members))
        row = msgspec.json.decode(body, type=HistoryRow)
    except LedgerError as error:
        return RefusedRow(where, error.detail)
    except msgspec.ValidationError as error:
        return RefusedRow(where, str(error))
    if len(body) > ROW_LIMIT:
        return RefusedRow(
            where, f"the row has {len(body)} bytes; at most {ROW_LIMIT} fit on a sheet: shorten its texts"
        )
    return BroughtRow(customer, row.time, body, where)


def seconds_of(text: str) -> int:
    """A time with its distance to UTC (RFC 3339), in seconds since 1970. Raises ValueError."""
    if len(text) > 40 or "T" not in text.upper():
        raise ValueError("write a time as 2019-03-01T10:00:00Z or 2019-03-01T18:00:00+08:00")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("write a time as 2019-03-01T10:00:00Z or 2019-03-01T18:00:00+08:00") from None
    if time.utcoffset() is None:
        raise ValueError("a time needs its distance to UTC, such as Z or +08:00: without it nobody knows when it was")
    return int(time.timestamp())


def files_below(place: Path, endings: tuple[str, ...]) -> list[SourceFile]:
    """The file, or those of a folder, in the order of their paths' bytes. All must end in one of these: whoever is handed the
    folder must find in it what was read, and nothing else. Raises InvalidInput, OSError."""
    if place.is_file():
        return [SourceFile(place, place.name)]
    if not place.is_dir():
        raise InvalidInput(f"{place} is neither a file nor a folder")
    found = []
    for path in place.rglob("*"):
        if path.is_symlink():
            raise InvalidInput(f"{path} is a link: a source holds files only")
        if path.is_file() and not path.name.endswith(endings):
            raise InvalidInput(
                f"{path} is no part of the source: the folder holds files that end in {_or(endings)} only"
            )
        if path.is_file():
            found.append(SourceFile(path, path.relative_to(place).as_posix()))
        if len(found) > SOURCE_FILES:
            raise InvalidInput(f"{place} holds more than {SOURCE_FILES} files")
    if not found:
        raise InvalidInput(f"{place} holds no file that ends in {_or(endings)}")
    return sorted(found, key=lambda file: file.name.encode())


def _or(endings: tuple[str, ...]) -> str:
    return " or ".join(endings)


def hash_of(files: Iterable[SourceFile]) -> str:
    """What a history says of its source's files (docs/spec/history.md, 2). Raises OSError."""
    digests = [(_sha256(file.path), file.name) for file in files]
    if len(digests) == 1:
        return b64u(digests[0][0].digest())
    lines = "".join(f"{digest.hexdigest()}  {name}\n" for digest, name in digests)
    return b64u(hashlib.sha256(lines.encode()).digest())


def _sha256(path: Path) -> Any:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256")
