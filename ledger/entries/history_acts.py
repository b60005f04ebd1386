"""Attested history: what a holder brings from before the log (docs/spec/history.md). The log decided none of it."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.canonical import b64u
from ledger.entries.fields import (
    SAFE_INTEGER,
    Bytes16,
    Bytes32,
    Code,
    Count,
    Origin,
    ParticipantId,
    Reference,
    Seconds,
    Text,
    require_sorted_unique,
)
from ledger.entries.payload import Payload, Principal, ProtocolVersion
from ledger.tags import SHEET

SHEET_LIMIT: Final = 8_192
"""Bytes of a sheet as CL-JSON."""
ROWS_LIMIT: Final = 64
"""Rows of a sheet."""
Number = Annotated[int, Meta(ge=1, le=SAFE_INTEGER)]
When = Annotated[int, Meta(ge=1, le=9_999_999_999)]
"""Seconds since 1970; never 0."""

_CSV: Final = frozenset({"files", "hash"})
_QLDB: Final = _CSV | {
    "checked",
    "first_block",
    "last_block",
    "mapping_hash",
    "redacted",
    "revisions",
    "strand",
    "tip",
}
_PLACES: Final = {"csv": frozenset({"file", "record"}), "qldb": frozenset({"block", "document", "hash", "version"})}
_OF_ALL: Final = frozenset({"kind", "place", "time"})
_SAID: Final = _OF_ALL | {"consent", "note", "permissions", "purpose", "recipient", "recipient_id"}
_OF_KIND: Final = {
    "access": _SAID | {"reason", "result"},
    "consent": _SAID | {"until"},
    "redacted": _OF_ALL,
    "revocation": _SAID | {"reason"},
}


class HistorySource(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was read: files by their hash and, of a journal, its blocks by the last one's hash."""

    checked: bool | UnsetType = UNSET
    """Whether the holder recomputed every hash of the journal."""
    files: Number
    first_block: Count | UnsetType = UNSET
    hash: Bytes32
    kind: Literal["csv", "qldb"]
    last_block: Count | UnsetType = UNSET
    mapping_hash: Bytes32 | UnsetType = UNSET
    redacted: Count | UnsetType = UNSET
    revisions: Count | UnsetType = UNSET
    strand: Code | UnsetType = UNSET
    tip: Bytes32 | UnsetType = UNSET

    def __post_init__(self) -> None:
        _require_members(self, (_CSV if self.kind == "csv" else _QLDB) | {"kind"}, self.kind)
        if self.kind == "qldb" and (self.first_block > self.last_block or self.redacted > self.revisions):  # type: ignore[operator]  # they are there
            raise ValueError("first_block is at most last_block, and redacted at most revisions")


class RowPlace(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where in the source a row comes from: file and record of a table, or block, document and version of a journal."""

    block: Count | UnsetType = UNSET
    document: Code | UnsetType = UNSET
    file: Count | UnsetType = UNSET
    hash: Bytes32 | UnsetType = UNSET
    record: Number | UnsetType = UNSET
    version: Count | UnsetType = UNSET

    def __post_init__(self) -> None:
        _require_members(self, _PLACES[self.kind], f"place of a {self.kind}")

    @property
    def kind(self) -> str:
        """The kind of source that has such places."""
        return "csv" if self.block is UNSET else "qldb"


class HistoryRow(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the holder's own records say of one event; times in seconds."""

    consent: Text | UnsetType = UNSET
    kind: Literal["access", "consent", "redacted", "revocation"]
    note: Text | UnsetType = UNSET
    permissions: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=32)] | UnsetType = UNSET
    place: RowPlace
    purpose: Text | UnsetType = UNSET
    reason: Text | UnsetType = UNSET
    recipient: Text | UnsetType = UNSET
    recipient_id: ParticipantId | UnsetType = UNSET
    result: Literal["allowed", "refused"] | UnsetType = UNSET
    time: When
    until: When | UnsetType = UNSET

    def __post_init__(self) -> None:
        may = _OF_KIND[self.kind]
        needed = _OF_ALL if self.kind == "redacted" else _OF_ALL | {"recipient"}
        has = _members(self)
        if strange := sorted(has - may):
            raise ValueError(f"a row of kind {self.kind} has no {strange[0]}")
        if missing := sorted(needed - has):
            raise ValueError(f"a row of kind {self.kind} has a {missing[0]}")
        if self.kind == "redacted" and self.place.kind != "qldb":
            raise ValueError("only a journal has redacted rows")
        if self.permissions is not UNSET:
            require_sorted_unique("permissions", self.permissions)


class Sheet(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rows of one customer: the `part`-th of her `parts` sheets of this history, at `position` under its root."""

    part: Count
    parts: Number
    position: Count
    rows: Annotated[tuple[HistoryRow, ...], Meta(min_length=1, max_length=ROWS_LIMIT)]
    salt: Bytes32
    subject: Reference

    def __post_init__(self) -> None:
        if self.part >= self.parts:
            raise ValueError("part is below parts")
        if any(one.time > after.time for one, after in pairwise(self.rows)):
            raise ValueError("the time of the rows never falls")
        if len(self.encoded()) > SHEET_LIMIT:
            raise ValueError(f"a sheet has at most {SHEET_LIMIT} bytes")

    def encoded(self) -> bytes:
        """The bytes that the history's tree has as a leaf."""
        return _encode(self)


class HistoryAttest(Payload, frozen=True, kw_only=True):
    """A holder attests what its own records say of the time before: `rows` of `customers` on `sheets` under `root`."""

    act: Literal["history.attest"]
    aud: Origin
    customers: Number
    first: Seconds
    history: Code
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    last: Seconds
    left_out: Count
    on_behalf_of: Principal = UNSET
    root: Bytes32
    rows: Count
    sheets: Count
    source: HistorySource
    title: Text
    v: ProtocolVersion

    def __post_init__(self) -> None:
        if not self.first <= self.last <= self.iat:
            raise ValueError("first is at most last, and last at most iat: a history ends before it is attested")
        if not self.customers <= self.sheets <= self.rows:
            raise ValueError("there are as many sheets as customers or more, and as many rows as sheets or more")


class HistoryWithdraw(Payload, frozen=True, kw_only=True):
    """The holder stands by this history no more."""

    act: Literal["history.withdraw"]
    aud: Origin
    history: Code
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    reason: Code
    v: ProtocolVersion


class HistorySheet(Payload, frozen=True, kw_only=True):
    """One sheet of the history that was attested at entry `history`, with its `path` to the root."""

    act: Literal["history.sheet"]
    aud: Origin
    history: Count
    iat: Seconds
    iss: ParticipantId
    jti: Bytes16
    on_behalf_of: Principal = UNSET
    path: Annotated[tuple[Bytes32, ...], Meta(max_length=63)]
    sheet: Sheet
    v: ProtocolVersion


HistoryAct = HistoryAttest | HistoryWithdraw
"""The two that are declarations; a sheet stands in a customer's history chain."""

_encode: Final = msgspec.json.Encoder().encode


def sheet_jti(root: bytes, position: int) -> str:
    """The one `jti` (b64u of 16 bytes) that the sheet at this position under this root may have."""
    return b64u(hashlib.sha256(SHEET + root + position.to_bytes(8, "big")).digest()[:16])


def _members(value: Struct) -> set[str]:
    return {name for name in value.__struct_fields__ if getattr(value, name) is not UNSET}


def _require_members(value: Any, wanted: frozenset[str], what: str) -> None:
    has = _members(value)
    if has != wanted:
        wrong = min(has ^ wanted)
        raise ValueError(f"a {what} has {'no' if wrong in has else 'a'} {wrong}")
