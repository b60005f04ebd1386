"""Reads receipts as a relying party: what the log's signature proves, and whether it answers the question.

`open_receipt` establishes docs/spec/receipts.md, «Checking one», 1–4, 6 and 7; statement signatures (5) are checked
where the participants' keys are known: by `Directory.check_statement` and by the independent verifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from api.client.errors import ReceiptRefused
from api.client.statements import Question, item_of
from ledger.canonical import b64u, unb64u
from ledger.entries.acts import AccessBatch, AccessItem, AccessRequest, Act
from ledger.entries.declarations import Declaration
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, Evidence, decode_evidence, encode_evidence
from ledger.entries.history_acts import HistorySheet
from ledger.entries.leaf import (
    CommitmentLeaf,
    Leaf,
    OperatorLeaf,
    consent_chain,
    declaration_chain,
    history_chain,
    subject_chain,
)
from ledger.entries.payload import acting_for
from ledger.entries.statement import parse_item, payload_of
from ledger.errors import LedgerError
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import verify_inclusion
from ledger.notes.checkpoint import Checkpoint, open_checkpoint
from ledger.notes.keys import VerifierKey
from ledger.notes.note import open_note
from ledger.notes.proof_file import parse_proof
from ledger.receipts import check_receipt

MAX_SKEW_MS: Final = 300_000
"""How far `iat` of a statement may be from its leaf's time."""

WITHOUT_OUTCOME: Final = frozenset(
    {"access.receive", "access.release", "history.sheet", "subject.consent", "subject.enrol", "subject.unenrol"}
)

Level = Literal["logged", "witnessed"]


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys that a participant trusts: the log's, learnt out of band, and perhaps witnesses'."""

    vkey: VerifierKey
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    """How many of the witnesses must have cosigned a checkpoint for it to count as witnessed; 0 = never counts."""
    further: tuple[VerifierKey, ...] = ()
    """Other keys of this log, where it changes its key or has changed it: the next one, or those of former times."""

    @property
    def vkeys(self) -> tuple[VerifierKey, ...]:
        """All keys of the log: each may have signed a checkpoint."""
        return (self.vkey, *self.further)

    def level(self, note: str) -> Level:
        """How well a checkpoint is attested. Raises BadSignature when a known key's line does not verify."""
        opened = open_note(note, [*self.vkeys, *self.witnesses])
        cosigned = {key.name for key, _ in opened.verified if key not in self.vkeys}
        return "witnessed" if 0 < self.quorum <= len(cosigned) else "logged"


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt whose proof and contents have been checked. The file can be handed on as it is."""

    file: bytes
    index: int
    time: int
    """Milliseconds since 1970: when the ledger recorded the entry."""
    leaf: Leaf
    checkpoint: Checkpoint
    note: str
    """The signed checkpoint."""
    level: Level
    act: str
    statement: str | None = None
    """The participant's compact JWS; None for operator documents, expiries, and receipts that disclose nothing."""
    payload: Act | None = None
    item: AccessItem | None = None
    """What was asked for, when this is an access (alone or in a batch)."""
    position: int | None = None
    """Its place in its batch."""
    outcome: AccessOutcome | ConsentOutcome | None = None
    document: dict[str, Any] | None = None
    """An operator document."""

    def __repr__(self) -> str:  # type: ignore[explicit-override]  # (3.11 has no typing.override)
        """One line for logs: which entry, and what it says; never what was disclosed."""
        decided = f" {self.outcome.decision}" if isinstance(self.outcome, AccessOutcome) else ""
        return f"<VerifiedReceipt {self.index} {self.act}{decided} ({self.level}), {len(self.file)} bytes>"

    @property
    def decision(self) -> AccessOutcome:
        """The ledger's decision. Raises ReceiptRefused when this is not an access."""
        if not isinstance(self.outcome, AccessOutcome):
            raise ReceiptRefused(f"entry {self.index} is {self.act}: it holds no decision about an access")
        return self.outcome

    @property
    def allowed(self) -> bool:
        """Whether the access was allowed. Raises ReceiptRefused when this is not an access."""
        return self.decision.decision == "allow"


def open_receipt(file: bytes, trust: Trust) -> VerifiedReceipt:
    """Check a receipt file as far as the pinned keys reach, and read it. Raises ReceiptRefused."""
    try:
        return _open(file, trust)
    except (LedgerError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ReceiptRefused(f"the receipt is refused: {error}") from error


def _open(file: bytes, trust: Trust) -> VerifiedReceipt:
    read, leaf = check_receipt(file, trust.vkeys)
    note = parse_proof(read.proof).checkpoint
    proved = (file, leaf.index, leaf.time, leaf, open_checkpoint(note, trust.vkeys), note, trust.level(note))
    if isinstance(leaf, OperatorLeaf):
        return VerifiedReceipt(*proved, act=str(leaf.document.get("type")), document=leaf.document)
    if not isinstance(leaf, CommitmentLeaf) or read.evidence is UNSET:
        return VerifiedReceipt(*proved, act=leaf.kind)
    evidence = decode_evidence(read.evidence.encode())
    if encode_evidence(evidence) != read.evidence.encode():
        raise ReceiptRefused("the evidence is not in its one spelling")
    outcome = None if evidence.outcome is UNSET else evidence.outcome
    if not evidence.statements:
        return VerifiedReceipt(*proved, act=evidence.act, outcome=outcome)
    if len(evidence.statements) != 1:
        raise ReceiptRefused(f"evidence holds one statement, not {len(evidence.statements)}")
    [statement] = evidence.statements
    payload = payload_of(statement)
    item = _item(evidence, payload)
    _check_place(leaf, payload, item, trust.vkey.name)
    expected = "access.request" if item is not None else payload.act
    if evidence.act != expected:
        raise ReceiptRefused(f"the evidence says {evidence.act}, its statement says {expected}")
    position = None if evidence.item is UNSET else evidence.item.position
    return VerifiedReceipt(*proved, evidence.act, statement, payload, item, position, outcome)


def _item(evidence: Evidence, payload: Act) -> AccessItem | None:
    """The access that the evidence is about; for a member of a batch, proved to stand under the signed `items_root`."""
    if isinstance(payload, AccessRequest) and evidence.item is UNSET:
        return item_of(payload)
    if isinstance(payload, AccessBatch) and evidence.item is not UNSET:
        place = evidence.item
        body = place.body.encode()
        path = [unb64u(value, size=32) for value in place.path]
        root = unb64u(payload.items_root, size=32)
        verify_inclusion(place.position, payload.items_count, leaf_hash(body), path, root)
        return parse_item(body)
    if evidence.item is not UNSET or isinstance(payload, AccessBatch):
        raise ReceiptRefused("the evidence of a batch holds one of its items, and no other evidence does")
    return None


def _check_place(leaf: CommitmentLeaf, payload: Act, item: AccessItem | None, origin: str) -> None:
    """The statement was made for this log, at this time, and is filed where its parties will look for it."""
    if payload.aud != origin:
        raise ReceiptRefused(f"the statement was made for the log {payload.aud}")
    if abs(payload.iat * 1000 - leaf.time) > MAX_SKEW_MS:
        raise ReceiptRefused("the entry's time is more than 300 s away from its statement's")
    if payload.act.startswith("subject."):
        kind, chain = (
            "subject",
            subject_chain(acting_for(payload.iss, payload.on_behalf_of), getattr(payload, "subject", "")),
        )
    elif isinstance(payload, HistorySheet):
        holder = acting_for(payload.iss, payload.on_behalf_of)
        kind, chain = "subject", history_chain(holder, payload.sheet.subject)
    elif isinstance(payload, Declaration):
        kind, chain = "participant", declaration_chain(acting_for(payload.iss, payload.on_behalf_of))
    else:
        about = payload if item is None else item
        kind, chain = "consent", consent_chain(getattr(about, "consent_id", ""))
    if (leaf.kind, leaf.chain) != (kind, b64u(chain)):
        raise ReceiptRefused("the entry is filed under another chain than the one its statement is about")


def check_answer(question: Question, receipts: Sequence[VerifiedReceipt]) -> None:
    """The receipts are those of exactly this question: one per entry, in order. Raises ReceiptRefused."""
    expected: list[tuple[str, str | None]] = [(question.text, item) for item in question.items]
    if not expected:
        asked = (question, question.companion)
        expected = [(part.text, None) for part in asked if part is not None]
    if len(receipts) != len(expected):
        raise ReceiptRefused(f"{len(expected)} entries were asked for, and {len(receipts)} receipts came")
    if len({receipt.index for receipt in receipts}) != len(receipts):
        raise ReceiptRefused("two receipts of the answer are about one entry")
    for position, (receipt, (statement, item)) in enumerate(zip(receipts, expected, strict=True)):
        if receipt.statement != statement:
            raise ReceiptRefused(f"receipt {position} is about another statement than the one that was sent")
        if item is not None and (receipt.position != position or msgspec.json.encode(receipt.item).decode() != item):
            raise ReceiptRefused(f"receipt {position} is about another item than the one at its place")
        declared = isinstance(receipt.payload, Declaration)  # what belongs to no consent has no outcome
        if receipt.outcome is None and not declared and receipt.act not in WITHOUT_OUTCOME:
            raise ReceiptRefused(f"the receipt of {receipt.act} says nothing about its outcome")
