"""Which table of a journal, and which fields of a document, become what of a row (docs/history.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from api.histories.ion.values import Ion, IonTime
from api.histories.rows import seconds_of
from ledger.canonical import b64u
from ledger.errors import InvalidInput

MAPPING_LIMIT: Final = 1024 * 1024
RowKind = Literal["access", "consent", "revocation"]
Path_ = Annotated[str, Meta(pattern=r"^[^.]+(\.[^.]+){0,15}\Z", max_length=512)]
"""A field of a document, or one within it, with points between."""


class MappedKind(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a document is, by a field of it; null: nothing to attest."""

    field: Path_
    values: dict[str, RowKind | None]


class MappedResult(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an access ended, by a field."""

    field: Path_
    values: dict[str, Literal["allowed", "refused"]]


class MappedTable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the journal."""

    table: str
    kind: RowKind | MappedKind
    customer: Path_
    recipient: Path_
    consent: Path_ | UnsetType = UNSET
    note: Path_ | UnsetType = UNSET
    permissions: Path_ | UnsetType = UNSET
    purpose: Path_ | UnsetType = UNSET
    reason: Path_ | UnsetType = UNSET
    recipient_id: Path_ | UnsetType = UNSET
    result: MappedResult | UnsetType = UNSET
    time: Path_ | UnsetType = UNSET
    """Without it, a row has its block's time."""
    until: Path_ | UnsetType = UNSET


class HistoryMapping(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    tables: Annotated[tuple[MappedTable, ...], Meta(min_length=1, max_length=100)]


class ReadMapping:
    """A mapping, and the hash of its file."""

    def __init__(self, data: bytes) -> None:
        """Raises InvalidInput."""
        if len(data) > MAPPING_LIMIT:
            raise InvalidInput(f"the mapping has more than {MAPPING_LIMIT} bytes")
        try:
            said = msgspec.json.decode(data, type=HistoryMapping)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(f"the mapping does not read: {error}") from None
        self.hash = b64u(hashlib.sha256(data).digest())
        self.tables: Mapping[str, MappedTable] = {each.table: each for each in said.tables}
        if len(self.tables) != len(said.tables):
            raise InvalidInput("the mapping names a table twice")

    @classmethod
    def load(cls, path: Path) -> ReadMapping:
        """Raises InvalidInput, OSError."""
        return cls(path.read_bytes())


def customer_in(table: MappedTable, document: Ion) -> str:
    """The customer that a document names. Raises ValueError."""
    found = text_at(document, table.customer)
    if not found or len(found) > 200:
        raise ValueError(f"the field {table.customer} names no customer")
    return found


def members_of(table: MappedTable, document: Ion, block_time: int) -> dict[str, Any] | None:
    """The members of a row, without its place; None if there is nothing to attest. Raises ValueError."""
    kind = _kind(table, document)
    if kind is None:
        return None
    members: dict[str, Any] = {"kind": kind, "time": block_time}
    for name in ("recipient", "recipient_id", "consent", "purpose", "note"):
        _put(members, name, getattr(table, name), document)
    if kind != "consent":
        _put(members, "reason", table.reason, document)
    if table.permissions is not UNSET and (found := _texts(at_path(document, table.permissions))):
        members["permissions"] = sorted(set(found))
    if table.time is not UNSET:
        members["time"] = _time(at_path(document, table.time), table.time)
    if table.until is not UNSET and kind == "consent" and (until := at_path(document, table.until)) is not None:
        members["until"] = _time(until, table.until)
    if kind == "access" and table.result is not UNSET and (said := text_at(document, table.result.field)):
        if said not in table.result.values:
            raise ValueError(f"the field {table.result.field} has a value that the mapping does not name")
        members["result"] = table.result.values[said]
    return members


def at_path(document: Ion, path: str) -> Ion | None:
    """The value of a field; None without one, and for a null."""
    found: Ion | None = document
    for name in path.split("."):
        found = None if found is None else found.member(name)
    return None if found is None or found.value is None else found


def text_at(document: Ion, path: str) -> str:
    """The text of a field, empty without one. Raises ValueError for a value that is none."""
    found = at_path(document, path)
    return "" if found is None else _text(found, path)


def _put(members: dict[str, Any], name: str, path: Any, document: Ion) -> None:
    if path is not UNSET and (text := text_at(document, path)):
        members[name] = text


def _kind(table: MappedTable, document: Ion) -> RowKind | None:
    if not isinstance(table.kind, MappedKind):
        return table.kind
    said = text_at(document, table.kind.field)
    if said not in table.kind.values:
        raise ValueError(f"the field {table.kind.field} has a value that the mapping does not name")
    return table.kind.values[said]


def _text(value: Ion, path: str) -> str:
    if value.kind in ("string", "symbol", "int"):
        return str(value.value)
    if value.kind == "bool":
        return "true" if value.value else "false"
    raise ValueError(f"the field {path} is no text")


def _texts(value: Ion | None) -> list[str]:
    if value is None:
        return []
    each = value.value if value.kind in ("list", "sexp") else [value]
    return [_text(one, "permissions") for one in each]


def _time(value: Ion | None, path: str) -> int:
    if value is not None and isinstance(value.value, IonTime):
        return value.value.seconds()
    if value is not None and value.kind == "string":
        return seconds_of(value.value)
    raise ValueError(f"the field {path} is no timestamp, and no text such as 2019-03-01T10:00:00Z")
