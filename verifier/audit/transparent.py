"""Transparent statements: a receipt as a COSE receipt within a statement of the log (docs/spec/cose.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.audit.receipt import check_disclosed
from verifier.bytes.cbor import Cbor, Key, Tagged, decode_cbor
from verifier.bytes.encoding import MAX_LEAF
from verifier.crypto.backend import Backend
from verifier.crypto.keys import Ed25519Key, PublicKey
from verifier.errors import CannotCheck, Code, OtherVersion, Refuted, refuted
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf, parse_leaf
from verifier.rules.findings import Findings
from verifier.tlog.cose import ALG, MAX_RECEIPT, VDP, VDS, CoseReceipt, parse_receipt, verify_sign1
from verifier.tlog.note import ED25519, NoteKey
from verifier.tlog.policy import NONE
from verifier.tlog.trust import Trust

TAG = b"\xd2"
"""The first byte of a tagged COSE_Sign1, and of no JSON."""
MAX_STATEMENT = 131_072
LEAF_TYPE = "application/vnd.consent-ledger.leaf+json"
EDDSA = -8
CONTENT_TYPE, KID, CLAIMS, RECEIPTS = 3, 4, 15, 394
_COMMON = {ALG, KID, CLAIMS}


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed transparent statement; nothing is verified yet."""

    protected: bytes
    headers: dict[Key, Cbor]
    leaf: bytes
    signature: bytes
    receipt: CoseReceipt
    evidence: bytes | None
    opening: bytes | None


@dataclass(slots=True)
class CheckedStatement:
    """A statement that was checked: see `findings`. `key`: the log's that signed it, `root` that of the tree; `witnessed`:
    the policy asks for no witnesses, of which a COSE receipt has none."""

    findings: Findings = field(default_factory=Findings)
    key: NoteKey | None = None
    root: bytes = b""
    size: int = 0
    leaf: Leaf | None = None
    facts: Facts | None = None
    witnessed: bool = False


def parse_statement(data: bytes) -> Statement:
    """Read a transparent statement. Raises Refuted(BAD_ENCODING)."""
    if len(data) > MAX_STATEMENT:
        raise _bad("the statement is too long", f"{len(data)} bytes")
    outer = decode_cbor(data)
    match outer.item if isinstance(outer, Tagged) and outer.tag == 18 else None:
        case [bytes(protected), dict(unprotected), bytes(leaf), bytes(signature)]:
            headers = decode_cbor(protected)
        case _:
            raise _bad("not a COSE_Sign1 with its payload", data)
    if not isinstance(headers, dict) or headers.keys() != _COMMON | {CONTENT_TYPE}:
        raise _bad("not the protected headers of a transparent statement", protected)
    if headers[CONTENT_TYPE] != LEAF_TYPE or len(leaf) > MAX_LEAF:
        raise _bad("the payload is not a leaf", headers[CONTENT_TYPE])
    evidence, opening = unprotected.get("evidence"), unprotected.get("opening")
    disclosed = isinstance(evidence, bytes) and isinstance(opening, bytes) and len(opening) == 32
    if unprotected.keys() != {RECEIPTS} | ({"evidence", "opening"} if disclosed else set()):
        raise _bad("not the unprotected headers of a transparent statement", ", ".join(map(str, unprotected)))
    match unprotected[RECEIPTS]:
        case [bytes(inner)] if len(inner) <= MAX_RECEIPT:
            receipt = parse_receipt(inner)
        case _:
            raise _bad("a transparent statement has one receipt", "another number")
    exactly = receipt.headers.keys() == _COMMON | {VDS} and receipt.unprotected == {VDP}
    if not exactly or len(receipt.inclusion) != 1 or receipt.consistency:
        raise _bad("not a receipt of one inclusion with exactly its headers", receipt.protected)
    return Statement(
        protected,
        headers,
        leaf,
        signature,
        receipt,
        evidence if isinstance(evidence, bytes) else None,
        opening if isinstance(opening, bytes) else None,
    )


def check_transparent(
    data: bytes, trust: Trust, backend: Backend, keys: Mapping[str, PublicKey] | None
) -> CheckedStatement:
    """Check all of it and collect every defect; `keys` as for a receipt. Raises Refuted(BAD_ENCODING) if it is no transparent
    statement at all, and CannotCheck for a version of its leaf that is not known."""
    # Transparent, step 1 (the steps of docs/spec/cose.md, «Checking one»).
    statement = parse_statement(data)
    size, index, _ = statement.receipt.inclusion[0]
    checked = CheckedStatement(size=size)
    found = checked.findings
    try:
        # Transparent, step 2.
        checked.key, raw = _key_of(statement, trust)
        # Transparent, step 3.
        checked.root = statement.receipt.verify_inclusion(statement.leaf, raw, backend)
        found.checked["inclusion proof"] += 1
        # Transparent, step 4.
        verify_sign1(statement.protected, statement.leaf, raw, statement.signature, backend)
        found.checked["signatures of COSE"] += 2
    except Refuted as refusal:
        found.refuse(refusal)
    try:
        # Transparent, step 5.
        checked.leaf = leaf = parse_leaf(statement.leaf)
        claims = statement.headers[CLAIMS]
        subject = claims.get(2) if isinstance(claims, dict) else None
        if leaf.number != index or subject != f"entry/{leaf.number}":
            raise refuted(
                Code.BAD_PROOF,
                "leaf and proof name different indexes",
                field="index",
                expected=leaf.number,
                found=f"{index}, {subject!r}",
            )
        # Transparent, step 6.
        origin = checked.key.name if checked.key is not None else _issuer(statement.headers)
        checked.facts = check_disclosed(found, leaf, (statement.evidence, statement.opening), origin, backend, keys)
    except OtherVersion as refusal:
        raise CannotCheck(str(refusal)) from None
    except Refuted as refusal:
        found.refuse(refusal, index=index)
    # Transparent, step 7.
    checked.witnessed = trust.policy.quorum == NONE
    return checked


def _key_of(statement: Statement, trust: Trust) -> tuple[NoteKey, Ed25519Key]:
    """The key of the policy that statement and receipt name. Raises Refuted."""
    for headers in (statement.headers, statement.receipt.headers):
        if headers[ALG] != EDDSA:
            raise refuted(Code.BAD_SIGNATURE, "not the algorithm of a log key", expected=EDDSA, found=headers[ALG])
    named = [(headers[KID], headers[CLAIMS]) for headers in (statement.headers, statement.receipt.headers)]
    for key in trust.policy.logs:
        kid = "+".join(key.vkey.split("+", 2)[:2]).encode("utf-8")
        names_it = [kid_ == kid and isinstance(claims, dict) and claims.get(1) == key.name for kid_, claims in named]
        if not all(names_it) or key.kind != ED25519 or not isinstance(key.key, Ed25519Key):
            continue
        first, last = trust.intervals.get(key.vkey, (0, None))
        if last is not None or first or key.vkey in trust.compromised:
            raise refuted(
                Code.POLICY_REJECTED,
                "nobody signs the size of a COSE receipt: a key with bounds vouches for none",
                expected="a log key without bounds",
                found=key.vkey,
            )
        return key, key.key
    raise refuted(
        Code.BAD_SIGNATURE,
        "neither statement nor receipt names a log key of the policy, or they name two",
        expected=", ".join(key.vkey for key in trust.policy.logs),
        found=", ".join(str(kid) for kid, _ in named),
    )


def _issuer(headers: dict[Key, Cbor]) -> str:
    claims = headers[CLAIMS]
    return str(claims.get(1)) if isinstance(claims, dict) else ""


def _bad(sentence: str, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, found=found)
