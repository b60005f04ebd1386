"""Receipts: one entry, proved to the holder of the file (docs/spec/receipts.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from verifier.audit.histories import TOO_YOUNG, window_of
from verifier.bytes.encoding import MAX_LEAF, check_members, check_version, decode_json, get_bytes, get_text
from verifier.bytes.merkle import hash_leaf, verify_inclusion
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.errors import CannotCheck, Code, Defect, OtherVersion, Place, Refuted, refuted
from verifier.records.commitment import check_commitment
from verifier.records.disclosure import Reader
from verifier.records.facts import OTHER_VERSION, Facts
from verifier.records.leaf import EVIDENT, Leaf, parse_leaf, raw_of
from verifier.rules.findings import Findings
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.note import parse_note, verify_note
from verifier.tlog.policy import PolicyHead
from verifier.tlog.proof import Proof, parse_proof, verify_proof
from verifier.tlog.trust import Trust

MAX_RECEIPT = 1_400_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """A parsed receipt; nothing is verified yet."""

    leaf: bytes
    proof: Proof
    evidence: bytes | None
    opening: bytes | None


@dataclass(slots=True)
class Checked:
    """A receipt that was checked: see `findings` for what was wrong. `head` is None if the proof was refused, or if its log is
    none of the policy and need not be; `origin` is the checkpoint's."""

    receipt: Receipt
    head: PolicyHead | None
    leaf: Leaf | None
    facts: Facts | None
    findings: Findings

    @property
    def origin(self) -> str:
        """The log that the receipt names."""
        return self.head.head.checkpoint.origin if self.head else _origin(self.receipt)


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt file. Raises Refuted(BAD_ENCODING), CannotCheck for a version that is not known."""
    members = decode_json(data, MAX_RECEIPT)
    check_version(members, "the receipt")
    check_members(members, {"v", "leaf", "proof"}, {"evidence", "opening"})
    if ("evidence" in members) != ("opening" in members):
        raise refuted(Code.BAD_ENCODING, "evidence and opening come together or not at all")
    disclosed = "evidence" in members
    proof = parse_proof(get_text(members, "proof", MAX_RECEIPT).encode("utf-8"))
    if proof.extra is not None:
        raise refuted(
            Code.BAD_ENCODING, "the proof of a receipt has no extra data: nobody vouches for them", field="proof"
        )
    return Receipt(
        get_text(members, "leaf", MAX_LEAF).encode("utf-8"),
        proof,
        get_text(members, "evidence", 49_152).encode("utf-8") if disclosed else None,
        get_bytes(members, "opening", 32) if disclosed else None,
    )


def check_receipt(
    data: bytes, trust: Trust, backend: Backend, keys: Mapping[str, PublicKey] | None, unnamed: str = ""
) -> Checked:
    """Check all of it and collect every defect. `keys`: participants' keys by kid; None leaves statement signatures
    unchecked, which the findings say. `unnamed`: what to count as not checked if the policy does not name the receipt's log,
    for which something else vouches then; empty: the policy must name it. Raises Refuted(BAD_ENCODING) if it is not a receipt
    at all, and CannotCheck for a version of it or of its leaf that is not known."""
    receipt = parse_receipt(data)
    checked = Checked(receipt, None, None, None, Findings())
    found = checked.findings
    try:
        # Receipt, steps 1, 3 and 8 (the steps of docs/spec/receipts.md, «Checking one»).
        if unnamed and checked.origin not in {key.name for key in trust.policy.logs}:
            _check_unsigned(receipt, trust, backend)
            found.unchecked[unnamed] += 1
        else:
            checked.head = _head(receipt, trust, backend)
            found.checked["checkpoint signatures"] += len(checked.head.head.log) + len(checked.head.head.cosignatures)
        found.checked["inclusion proof"] += 1
    except Refuted as refusal:
        found.refuse(refusal)
    try:
        # Receipt, step 2.
        checked.leaf = leaf = parse_leaf(receipt.leaf)
        if leaf.number != receipt.proof.index:
            raise refuted(
                Code.BAD_PROOF,
                "leaf and proof name different indexes",
                field="index",
                expected=receipt.proof.index,
                found=leaf.number,
            )
        _check_time(checked, leaf, trust)
        disclosed = receipt.evidence, receipt.opening
        checked.facts = check_disclosed(found, leaf, disclosed, checked.origin, backend, keys)
    except OtherVersion as refusal:
        raise CannotCheck(str(refusal)) from None
    except Refuted as refusal:
        found.refuse(refusal, index=receipt.proof.index)
    return checked


def _check_time(checked: Checked, leaf: Leaf, trust: Trust) -> None:
    bound = None if checked.head is None else window_of(trust.policy, checked.head).latest
    if bound is not None and leaf.time > bound:
        checked.findings.add(
            Defect(Code.TIME_INVALID, TOO_YOUNG, Place(leaf.number, field="time"), f"at most {bound}", str(leaf.time))
        )


def _head(receipt: Receipt, trust: Trust, backend: Backend) -> PolicyHead:
    trust.verify(receipt.proof.checkpoint, backend)  # intervals of keys, which a bare policy does not know
    found = verify_proof(receipt.proof, receipt.leaf, trust.policy, backend)
    return trust.verify(found.head.note, backend)


def _check_unsigned(receipt: Receipt, trust: Trust, backend: Backend) -> None:
    """All that can be asked of a checkpoint whose log's key nobody knows. Raises Refuted."""
    note = parse_note(receipt.proof.checkpoint)
    known = [key for key in trust.policy.witnesses.values() if any(key.key_id == line.key_id for line in note.lines)]
    if any((line.name, line.key_id) == (key.name, key.key_id) for key in known for line in note.lines):
        verify_note(note, known, backend)
    checkpoint = parse_checkpoint(note.text)
    leaf, path = hash_leaf(receipt.leaf), receipt.proof.path
    verify_inclusion(receipt.proof.index, checkpoint.size, leaf, path, checkpoint.root)


def check_disclosed(
    found: Findings,
    leaf: Leaf,
    disclosed: tuple[bytes | None, bytes | None],
    origin: str,
    backend: Backend,
    keys: Mapping[str, PublicKey] | None,
) -> Facts | None:
    """Evidence and opening, if they are disclosed: what the evidence says. Defects go to `found`; raises Refuted for what
    ends the reading, CannotCheck for a version that is not known."""
    evidence, opening = disclosed
    if evidence is None or opening is None:
        if leaf.kind in EVIDENT:
            found.unchecked["the entry's content (not disclosed by this receipt)"] += 1
        return None
    if leaf.kind not in EVIDENT:
        raise refuted(Code.BAD_ENCODING, "a receipt of this kind of leaf discloses no evidence", found=leaf.kind)
    # Receipt, step 4.
    check_commitment(raw_of(leaf.commitment), opening, evidence)
    found.checked["commitment"] += 1
    # Receipt, steps 5, 6 and 7: those of an entry's evidence, which are numbered 7.1 to 7.15 in verdicts.md.
    reader = Reader(origin, backend, keys or {}, signatures=keys is not None)
    result = reader.read_evidence(leaf.kind, leaf.chain, leaf.time, evidence)
    for code, sentence, field, expected, given in result.defects:
        if code == OTHER_VERSION:
            raise CannotCheck(f"{sentence}: {given}")
        found.add(Defect(Code(code), sentence, Place(leaf.number, field=field or None), expected, given))
    if keys is None:
        found.unchecked["the participant's signature (give --bundle to learn the participants' keys)"] += 1
    elif result.facts is not None and result.facts.kid:
        found.checked["statement signature"] += 1
    return result.facts


def _origin(receipt: Receipt) -> str:
    return receipt.proof.checkpoint.partition(b"\n")[0].decode("utf-8", "replace")
