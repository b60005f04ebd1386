"""Attested history: what a holder brings from before the log (docs/spec/history.md, 1–3). Members and form.

Whether an act is legal where it stands is the business of `rules.histories`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256

from verifier.bytes import tags
from verifier.bytes.encoding import (
    Json,
    Object,
    check_members,
    encode_base64url,
    encode_canonical,
    get_bytes,
    get_flag,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.bytes.merkle import hash_leaf
from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import CODE, PARTICIPANT, check_sorted, get_choice

SHEET = "history.sheet"
MEMBERS: dict[str, frozenset[str]] = {
    "history.attest": frozenset(
        {"customers", "first", "history", "last", "left_out", "root", "rows", "sheets", "source", "title"}
    ),
    "history.withdraw": frozenset({"history", "reason"}),
}
"""Of the declarations; a sheet stands in a chain of the customer."""
ROLES: dict[str, tuple[str, ...]] = dict.fromkeys(MEMBERS, ("holder",))
SHEET_MEMBERS = frozenset({"history", "path", "sheet"})
REFERENCE = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)
KINDS = ("access", "consent", "redacted", "revocation")
MAX_PATH, MAX_ROWS, MAX_SHEET, MAX_PERMISSIONS, MAX_FREE = 63, 64, 8_192, 32, 200

_CSV = frozenset({"files", "hash", "kind"})
_QLDB = _CSV | {
    "checked",
    "first_block",
    "last_block",
    "mapping_hash",
    "redacted",
    "revisions",
    "strand",
    "tip",
}
_FILED, _BLOCK = frozenset({"file", "record"}), frozenset({"block", "document", "hash", "version"})
_ANY, _TOLD = frozenset({"kind", "place", "time"}), frozenset({"consent", "note", "permissions", "purpose"})
_MORE: dict[str, frozenset[str]] = {
    "access": frozenset({"reason", "result"}),
    "consent": frozenset({"until"}),
    "revocation": frozenset({"reason"}),
}
"""What only rows of this kind may have."""


def check_attest(payload: Object) -> None:
    """The form of a `history.attest`. Raises Refuted(BAD_ENCODING)."""
    get_text(payload, "history", 64, CODE)
    get_text(payload, "title", MAX_FREE)
    get_bytes(payload, "root", 32)
    first = get_integer(payload, "first")
    get_integer(payload, "last", first, get_integer(payload, "iat"))
    get_integer(payload, "left_out")
    sheets = get_integer(payload, "sheets", get_integer(payload, "customers", 1))
    get_integer(payload, "rows", sheets)
    _check_source(get_object(payload, "source"))


def _check_source(source: Object) -> None:
    kind = get_choice(source, "kind", ("csv", "qldb"))
    check_members(source, _CSV if kind == "csv" else _QLDB)
    get_integer(source, "files", 1)
    get_bytes(source, "hash", 32)
    if kind == "qldb":
        get_flag(source, "checked")
        get_integer(source, "last_block", get_integer(source, "first_block"))
        get_bytes(source, "mapping_hash", 32)
        get_integer(source, "redacted", 0, get_integer(source, "revisions"))
        get_text(source, "strand", 64, CODE)
        get_bytes(source, "tip", 32)


def check_withdraw(payload: Object) -> None:
    """The form of a `history.withdraw`, whose reason was looked at. Raises Refuted(BAD_ENCODING)."""
    get_text(payload, "history", 64, CODE)


def read_sheet(payload: Object) -> Object:
    """The form of a `history.sheet`; its members with `sheet_hash` beside them, that of its leaf below `root`. Raises
    Refuted(BAD_ENCODING)."""
    get_integer(payload, "history")
    for text in get_texts(payload, "path", 0, MAX_PATH):
        get_bytes({"path": text}, "path", 32)
    sheet = get_object(payload, "sheet")
    check_members(sheet, {"part", "parts", "position", "rows", "salt", "subject"})
    get_integer(sheet, "parts", get_integer(sheet, "part") + 1)
    get_integer(sheet, "position")
    get_bytes(sheet, "salt", 32)
    get_text(sheet, "subject", 64, REFERENCE)
    last = 0
    for row in rows_of(sheet):
        _check_row(row)
        last = get_integer(row, "time", max(1, last))
    data = encode_canonical(sheet)
    if len(data) > MAX_SHEET:
        raise _bad("the sheet is too long", "sheet", f"at most {MAX_SHEET} bytes", len(data))
    return {**payload, "sheet_hash": encode_base64url(hash_leaf(data))}


def rows_of(sheet: Object) -> list[Object]:
    """The rows of a sheet. Raises Refuted(BAD_ENCODING)."""
    rows = sheet["rows"]
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not isinstance(rows, list) or not 1 <= len(found) == len(rows) <= MAX_ROWS:
        raise _bad("not a list of the expected length", "rows", f"1 to {MAX_ROWS} objects", "another")
    return found


def _check_row(row: Object) -> None:
    kind = get_choice(row, "kind", KINDS)
    if kind == "redacted":
        check_members(row, _ANY)
        if not _BLOCK.issuperset(get_object(row, "place")):
            raise _bad("only a journal has rows that were redacted", "place", "a block", "a record of a file")
    else:
        check_members(row, _ANY | {"recipient"}, _TOLD | {"recipient_id"} | _MORE[kind])
    _check_place(get_object(row, "place"))
    for name in ("consent", "note", "purpose", "reason", "recipient"):
        if name in row:
            get_text(row, name, MAX_FREE)
    if "permissions" in row:
        permissions = get_texts(row, "permissions", 1, MAX_PERMISSIONS)
        check_sorted(permissions, "permissions")
        for text in permissions:
            get_text({"permissions": text}, "permissions", MAX_FREE)
    if "recipient_id" in row:
        get_text(row, "recipient_id", 63, PARTICIPANT)
    if "result" in row:
        get_choice(row, "result", ("allowed", "refused"))
    if "until" in row:
        get_integer(row, "until", 1)


def _check_place(place: Object) -> None:
    if "file" in place:
        check_members(place, _FILED)
        get_integer(place, "file")
        get_integer(place, "record", 1)
    else:
        check_members(place, _BLOCK)
        get_integer(place, "block")
        get_text(place, "document", 64, CODE)
        get_bytes(place, "hash", 32)
        get_integer(place, "version")


def sheet_id(root: bytes, position: int) -> str:
    """The `jti` that the sheet at this position has (base64url)."""
    return encode_base64url(sha256(tags.SHEET + root + position.to_bytes(8)).digest()[:16])


READERS: dict[str, Callable[[Object], None]] = {"history.attest": check_attest, "history.withdraw": check_withdraw}


def number(value: Json) -> int:
    """A member whose form was checked."""
    assert isinstance(value, int)  # noqa: S101 - the form was checked when the statement was read
    return value


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
