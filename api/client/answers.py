"""The shapes of the ledger's answers that the client reads parts of. Nothing in them is verified here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from api.client.errors import ReceiptRefused
from ledger.canonical import unb64u
from ledger.errors import LedgerError


class AnsweredEntry(Struct, frozen=True):
    """An entry as a submission or a page answers it."""

    index: int = -1
    receipt: Raw = Raw()
    """Empty for a statement that was recorded before: then `index` says where."""


class _Entries(Struct, frozen=True):
    entries: tuple[AnsweredEntry, ...]


class _KeyLeaf(Struct, frozen=True):
    index: int
    leaf: str


class _KeyLeaves(Struct, frozen=True):
    documents: tuple[_KeyLeaf, ...]


_entries: Final = msgspec.json.Decoder(_Entries)
_key_leaves: Final = msgspec.json.Decoder(_KeyLeaves)


def entries_of(body: bytes) -> Sequence[AnsweredEntry]:
    """Raises ReceiptRefused."""
    try:
        return _entries.decode(body).entries
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReceiptRefused(f"the answer holds no receipts: {error}") from None


def key_leaves_of(body: bytes) -> list[tuple[int, bytes]]:
    """Index and leaf of each document about a key of the log. Raises ReceiptRefused."""
    try:
        return [(one.index, unb64u(one.leaf)) for one in _key_leaves.decode(body).documents]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LedgerError) as error:
        raise ReceiptRefused(f"the answer is not a list of the log's keys: {error}") from None


def hashes_of(answer: Any) -> list[bytes]:
    """The hashes (32 bytes each) of a proof. Raises ReceiptRefused."""
    try:
        return [unb64u(value, size=32) for value in answer["hashes"]]
    except (KeyError, TypeError, LedgerError):
        raise ReceiptRefused("the proof is not a list of hashes") from None
