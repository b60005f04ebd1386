"""Reads a history from CSV files (RFC 4180, UTF-8): one row a record, columns by their names (docs/history.md)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

from api.histories.rows import BroughtRow, RefusedRow, SourceFile, brought, seconds_of
from ledger.errors import InvalidInput

LINE_LIMIT: Final = 64 * 1024
"""Bytes of a line, its end included."""
FIELD_LIMIT: Final = 16 * 1024
"""Characters of a field, which may go over several lines."""
COLUMNS: Final = (
    "customer",
    "kind",
    "time",
    "recipient",
    "recipient_id",
    "consent",
    "permissions",
    "purpose",
    "result",
    "reason",
    "until",
    "note",
)
NEEDED: Final = ("customer", "kind", "time", "recipient")
_TIMES: Final = frozenset({"time", "until"})


def rows_of_tables(files: Sequence[SourceFile]) -> Iterator[BroughtRow | RefusedRow]:
    """The rows of all files, in their order. Raises InvalidInput for what is no such table, with file and line; OSError."""
    for number, file in enumerate(files):
        with file.path.open("rb") as stream:
            yield from _rows(number, file.name, stream)


def _rows(number: int, name: str, stream: BinaryIO) -> Iterator[BroughtRow | RefusedRow]:
    before = csv.field_size_limit(FIELD_LIMIT)
    try:
        records = csv.reader(_lines(name, stream), strict=True)
        columns = _heading(name, records)
        for record, fields in enumerate(_records(name, records), 1):
            where = f"{name}, line {records.line_num}"
            if len(fields) != len(columns):
                raise InvalidInput(
                    f"{where}: {len(fields)} fields, and the heading names {len(columns)} columns. A comma or a line's end "
                    "inside a field needs quotation marks around it"
                )
            yield _row(dict(zip(columns, fields, strict=True)), {"file": number, "record": record}, where)
    finally:
        csv.field_size_limit(before)


def _heading(name: str, records: Iterator[list[str]]) -> list[str]:
    columns = next(_records(name, records), [])
    strange = [column for column in columns if column not in COLUMNS]
    if strange:
        raise InvalidInput(
            f"{name}, line 1: column {columns.index(strange[0]) + 1} has no name that is known. The columns are "
            f"{', '.join(COLUMNS)}"
        )
    twice = [column for column in COLUMNS if columns.count(column) > 1]
    missing = [column for column in NEEDED if column not in columns]
    if twice or missing:
        what = f"is there twice: {twice[0]}" if twice else f"is missing: {missing[0]}"
        raise InvalidInput(f"{name}, line 1: a column {what}. The first line names the columns: {', '.join(COLUMNS)}")
    return columns


def _records(name: str, records: Any) -> Iterator[list[str]]:
    try:
        for fields in records:
            if fields:  # an empty line
                yield fields
    except csv.Error as error:
        raise InvalidInput(f"{name}, line {records.line_num}: {error} (RFC 4180)") from None


def _lines(name: str, stream: BinaryIO) -> Iterator[str]:
    """The lines of a file, each bounded before it is decoded. Raises InvalidInput."""
    number = 0
    while line := stream.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise InvalidInput(f"{name}, line {number}: more than {LINE_LIMIT} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")  # as spreadsheets begin
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise InvalidInput(f"{name}, line {number}: not UTF-8. Save the table as «CSV UTF-8»") from None
        if "\0" in text:
            raise InvalidInput(f"{name}, line {number}: a zero byte")
        yield text


def _row(given: dict[str, str], place: dict[str, int], where: str) -> BroughtRow | RefusedRow:
    members: dict[str, Any] = {"place": place}
    for column, text in given.items():
        if column == "customer" or not text:
            continue
        if column in _TIMES:
            try:
                members[column] = seconds_of(text)
            except ValueError as error:
                return RefusedRow(f"{where}, column {column}", str(error))
        elif column == "permissions":
            members[column] = sorted({each.strip() for each in text.split("|")} - {""})
        else:
            members[column] = text
    if not given["customer"] or len(given["customer"]) > 200:
        return RefusedRow(
            f"{where}, column customer", "name the customer as your own systems do, in 1 to 200 characters"
        )
    return brought(given["customer"], members, where)
