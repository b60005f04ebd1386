"""Frames between a front process and the sequencing process of one node.

A frame is be32 length ‖ MessagePack array. Both ends are processes of one user on one machine, so signatures are not
checked twice; shapes are, because a decoder that guesses is a defect wherever it stands.

    front → desk:   [request, statement, companion | nil, assertion | nil]   statement = [text, kid]
                    [request, statement, items]   a batch; item = [what it asks for, its place in evidence]
                    [request, documents]                                                      operator documents, JSON
                    [request, consent_id]                                                     record an expiry
    desk → front:   [request, entries] · [request, batch] · [request, indexes] (a repeat)
                    [request, error name, detail, member | nil]
                    [0, figures]  once a second
                    [0, size]     confirmed so far, before the answers that rest on it
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ledger import errors
from ledger.canonical import unb64u
from ledger.entries.acts import AccessBatch
from ledger.entries.assertion import parse_assertion
from ledger.entries.evidence import AccessOutcome, ConsentOutcome
from ledger.entries.leaf import Kind
from ledger.entries.statement import Statement, parse_payload
from ledger.errors import Corrupt, LedgerError
from ledger.planning.commands import (
    AskedItem,
    BatchItem,
    Command,
    ExpireConsent,
    RecordComposed,
    RecordDocuments,
    Recorded,
    RecordedBatch,
    RecordIndexHead,
    SubmitStatement,
)
from ledger.sequencer.answers import Answer, Repeated

FRAME_LIMIT: Final = 64 * 1024 * 1024
FIGURES: Final = 0
"""The request number of frames that answer no request."""


class _Submit(Struct, frozen=True, array_like=True, tag="s"):
    request: int
    statement: tuple[str, str]
    companion: tuple[str, str] | None
    assertion: str | None


class _Item(Struct, frozen=True, array_like=True):
    """What an item of a batch asks for: a front has read it (`parse_item`), so that only its shape is looked at here."""

    accounts: tuple[str, ...]
    consent_id: str
    customer_present: bool
    from_: int
    interaction_id: str
    permissions: tuple[str, ...]
    purpose: str
    region_or_none: str | None
    to: int

    @property
    def region(self) -> str | UnsetType:
        """As the item itself has it."""
        return UNSET if self.region_or_none is None else self.region_or_none


class _SubmitBatch(Struct, frozen=True, array_like=True, tag="b"):
    request: int
    statement: tuple[str, str]
    items: tuple[tuple[_Item, bytes], ...]


class _Documents(Struct, frozen=True, array_like=True, tag="d"):
    request: int
    documents: tuple[dict[str, Any], ...]


class _Expire(Struct, frozen=True, array_like=True, tag="e"):
    request: int
    consent_id: str


class _Entry(Struct, frozen=True, array_like=True):
    index: int
    time: int
    kind: str
    leaf: bytes
    evidence: bytes | None
    opening: bytes | None
    act: str
    consent_id: str | None
    outcome: bytes | None
    proof: tuple[bytes, ...]


class _Entries(Struct, frozen=True, array_like=True, tag="r"):
    request: int
    entries: tuple[_Entry, ...]
    checkpoint: str


class _Batch(Struct, frozen=True, array_like=True, tag="t"):
    request: int
    batch: RecordedBatch


class _Indexes(Struct, frozen=True, array_like=True, tag="i"):
    request: int
    indexes: tuple[int, ...]


class _Refusal(Struct, frozen=True, array_like=True, tag="x"):
    request: int
    name: str
    detail: str
    member: str | None


class FiguresFrame(Struct, frozen=True, array_like=True, tag="f"):
    """What the sequencing process tells its fronts about itself once a second."""

    request: int
    stopped_because: str | None
    unready_because: str | None
    figures: dict[str, Any]


class ConfirmedFrame(Struct, frozen=True, array_like=True, tag="c"):
    """How far the sequencing process knows the log to be confirmed."""

    request: int
    size: int


_ToDesk = _Submit | _SubmitBatch | _Documents | _Expire
_to_desk: Final[msgspec.msgpack.Decoder[_ToDesk]] = msgspec.msgpack.Decoder(_ToDesk)
_ToFront = _Entries | _Batch | _Indexes | _Refusal | FiguresFrame | ConfirmedFrame
_to_front: Final[msgspec.msgpack.Decoder[_ToFront]] = msgspec.msgpack.Decoder(_ToFront)
_encode: Final = msgspec.msgpack.Encoder().encode
_json: Final = msgspec.json.Encoder().encode
_access: Final = msgspec.json.Decoder(AccessOutcome)
_consent: Final = msgspec.json.Decoder(ConsentOutcome)


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return len(body).to_bytes(4, "big") + body


class Unframer:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are complete with this data. Raises Corrupt for a frame above the bound."""
        self._rest += data
        at = 0
        while len(self._rest) - at >= 4:
            length = int.from_bytes(self._rest[at : at + 4], "big")
            if length > FRAME_LIMIT:
                raise Corrupt(f"a frame of {length} bytes came over the node's socket")
            if len(self._rest) - at - 4 < length:
                break
            yield bytes(self._rest[at + 4 : at + 4 + length])
            at += 4 + length
        del self._rest[:at]


def encode_command(request: int, command: Command) -> bytes:
    """The frame that asks for a command."""
    match command:
        case SubmitStatement() if command.items:
            items = tuple((_item(item.says), item.place) for item in command.items)
            return frame(_encode(_SubmitBatch(request, _signed(command.statement), items)))
        case SubmitStatement():
            assertion = None if command.assertion is None else _json(command.assertion).decode()
            beside = None if command.companion is None else _signed(command.companion)
            return frame(_encode(_Submit(request, _signed(command.statement), beside, assertion)))
        case RecordDocuments():
            return frame(_encode(_Documents(request, tuple(dict(document) for document in command.documents))))
        case ExpireConsent():
            return frame(_encode(_Expire(request, command.consent_id)))
        case RecordIndexHead() | RecordComposed():
            raise Corrupt("index-heads and reports are recorded by the sequencing process itself")


def decode_command(body: bytes) -> tuple[int, Command]:
    """(request, command). Raises Corrupt, or LedgerError for what the front should have refused."""
    try:
        read = _to_desk.decode(body)
    except msgspec.DecodeError as error:
        raise Corrupt(f"a frame of a front process is not readable: {error}") from None
    if isinstance(read, _Documents):
        return read.request, RecordDocuments(read.documents)
    if isinstance(read, _Expire):
        return read.request, ExpireConsent(read.consent_id)
    statement = _statement(read.statement)
    if isinstance(read, _SubmitBatch):
        items = tuple(BatchItem(says, place) for says, place in read.items)
        if not isinstance(statement.payload, AccessBatch) or len(items) != statement.payload.items_count:
            raise Corrupt("a frame of a front process has not the items that its statement is about")
        return read.request, SubmitStatement(statement, items)
    if isinstance(statement.payload, AccessBatch):
        raise Corrupt("a frame of a front process has a batch without its items")
    return read.request, SubmitStatement(
        statement,
        (),
        None if read.companion is None else _statement(read.companion),
        None if read.assertion is None else parse_assertion(read.assertion),
    )


def encode_answer(request: int, answer: Answer | LedgerError) -> bytes:
    """The frame that answers a request."""
    if isinstance(answer, LedgerError):
        return frame(_encode(_Refusal(request, type(answer).__name__, answer.detail, answer.member)))
    if isinstance(answer, Repeated):
        return frame(_encode(_Indexes(request, answer.indexes)))
    if isinstance(answer, RecordedBatch):
        return frame(_encode(_Batch(request, answer)))
    entries = tuple(
        _Entry(
            entry.index,
            entry.time,
            entry.kind.value,
            entry.leaf,
            entry.evidence,
            entry.opening,
            entry.act,
            entry.consent_id,
            None if entry.outcome is None else _json(entry.outcome),
            entry.proof,
        )
        for entry in answer
    )
    return frame(_encode(_Entries(request, entries, answer[0].checkpoint if answer else "")))


def encode_figures(stopped_because: str | None, unready_because: str | None, figures: dict[str, Any]) -> bytes:
    """The frame with the sequencing process's figures."""
    return frame(_encode(FiguresFrame(FIGURES, stopped_because, unready_because, figures)))


def encode_confirmed(size: int) -> bytes:
    """The frame that says how far the log is confirmed."""
    return frame(_encode(ConfirmedFrame(FIGURES, size)))


def decode_answer(body: bytes) -> tuple[int, Answer | LedgerError | FiguresFrame | ConfirmedFrame]:
    """(request, answer). Raises Corrupt."""
    try:
        read = _to_front.decode(body)
    except msgspec.DecodeError as error:
        raise Corrupt(f"a frame of the sequencing process is not readable: {error}") from None
    match read:
        case _Indexes():
            return read.request, Repeated(read.indexes)
        case _Batch():
            return read.request, read.batch
        case _Refusal():
            return read.request, _error(read)
        case FiguresFrame() | ConfirmedFrame():
            return read.request, read
        case _Entries():
            return read.request, tuple(_recorded(entry, read.checkpoint) for entry in read.entries)


def _item(says: AskedItem) -> _Item:
    return _Item(
        says.accounts,
        says.consent_id,
        says.customer_present,
        says.from_,
        says.interaction_id,
        says.permissions,
        says.purpose,
        None if says.region is UNSET else says.region,
        says.to,
    )


def _signed(statement: Statement) -> tuple[str, str]:
    return statement.text, statement.kid


def _statement(signed: tuple[str, str]) -> Statement:
    """A statement whose signature a front process has checked."""
    text, kid = signed
    payload = unb64u(text.split(".")[1])
    read = parse_payload(payload)
    return Statement(text, kid, read, hashlib.sha256(payload).digest(), unb64u(read.jti, size=16))


def _recorded(entry: _Entry, checkpoint: str) -> Recorded:
    outcome = None
    if entry.outcome is not None:
        outcome = _access.decode(entry.outcome) if entry.act == "access.request" else _consent.decode(entry.outcome)
    return Recorded(
        entry.index,
        entry.time,
        Kind(entry.kind),
        entry.leaf,
        entry.evidence,
        entry.opening,
        entry.act,
        entry.consent_id,
        outcome,
        entry.proof,
        checkpoint,
    )


def _error(refusal: _Refusal) -> LedgerError:
    kind = getattr(errors, refusal.name, None)
    if not (isinstance(kind, type) and issubclass(kind, LedgerError)):
        return Corrupt(f"the sequencing process answered with an unknown error {refusal.name!r}")
    return kind(refusal.detail, member=refusal.member)
