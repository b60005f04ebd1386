"""A receipt of a shard, and the proof that the head log committed to it (docs/spec/sets.md, 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from verifier.audit.receipt import Checked, check_receipt
from verifier.bytes.encoding import (
    MAX_LEAF,
    check_entry_version,
    check_members,
    check_version,
    decode_base64url,
    decode_json,
    get_text,
    get_texts,
)
from verifier.bytes.merkle import HASH, hash_leaf, verify_inclusion
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.errors import CannotCheck, Code, OtherVersion, Refuted, refuted
from verifier.records.commitment import chain_of
from verifier.records.leaf import Leaf, parse_leaf, text_of
from verifier.rules.findings import Findings
from verifier.rules.sets import HEADS_CHAIN, MEMBERS, ShardHead, read_heads
from verifier.tlog.policy import PolicyHead
from verifier.tlog.proof import Proof, parse_proof
from verifier.tlog.trust import Trust

MAX_SET_PROOF = 65_536
MAX_PATH = 63
KIND = "heads.committed"
UNNAMED = "the shard's own signature (the policy does not name the shard: the head log alone vouches for it)"


@dataclass(frozen=True, slots=True)
class SetProof:
    """A parsed set proof; nothing is verified yet. `leaf` is that of a `heads.committed`, `proof` its place in the head log,
    `path` the place of the shard's entry below the head that it commits to."""

    leaf: bytes
    proof: Proof
    path: tuple[bytes, ...]


@dataclass(slots=True)
class CheckedInSet:
    """What a receipt and a set proof show together. `head` is the head log's, None if it was refused; `committed` the head of
    the shard that the entry lies below."""

    findings: Findings = field(default_factory=Findings)
    head: PolicyHead | None = None
    committing: Leaf | None = None
    committed: ShardHead | None = None
    receipt: Checked | None = None


def parse_set_proof(data: bytes) -> SetProof:
    """Read a set proof. Raises Refuted(BAD_ENCODING), CannotCheck for a version that is not known."""
    members = decode_json(data, MAX_SET_PROOF)
    check_version(members, "the set proof")
    check_members(members, {"v", "leaf", "path", "proof"})
    proof = parse_proof(get_text(members, "proof", MAX_SET_PROOF).encode("utf-8"))
    if proof.extra is not None:
        raise refuted(Code.BAD_ENCODING, "the proof of a set has no extra data: nobody vouches for them", field="proof")
    path = tuple(decode_base64url(text, HASH) for text in get_texts(members, "path", 0, MAX_PATH))
    return SetProof(get_text(members, "leaf", MAX_LEAF).encode("utf-8"), proof, path)


def check_in_set(
    data: bytes, beside: bytes, where: str, trust: Trust, backend: Backend, keys: Mapping[str, PublicKey] | None
) -> CheckedInSet:
    """Check a receipt with the set proof `beside` it, which is called `where`, under a policy that names the head log. Every
    defect is collected. `keys`: see check_receipt. Raises Refuted(BAD_ENCODING) if the receipt is none, and CannotCheck for
    versions that are not known."""
    checked = CheckedInSet()
    # Set proof, step 5.
    receipt = checked.receipt = check_receipt(data, trust, backend, keys, unnamed=UNNAMED)
    found = checked.findings
    try:
        proof = parse_set_proof(beside)
        heads = _heads(checked, proof, trust, backend)
        if receipt.leaf is not None:
            _hold(checked, proof, heads, receipt)
    except OtherVersion as refusal:
        raise CannotCheck(str(refusal)) from None
    except Refuted as refusal:
        found.refuse(refusal, file=where)
    found.take(receipt.findings)
    return checked


def _heads(checked: CheckedInSet, proof: SetProof, trust: Trust, backend: Backend) -> list[ShardHead]:
    """What the head log commits to, in a leaf that is proved to be its own. Raises Refuted."""
    # Set proof, steps 1 and 6.
    head = checked.head = trust.verify(proof.proof.checkpoint, backend)
    checked.findings.checked["checkpoint signatures"] += len(head.head.log) + len(head.head.cosignatures)
    # Set proof, step 2.
    leaf = parse_leaf(proof.leaf)
    document = leaf.document or {}
    if leaf.kind != "operator" or leaf.chain != text_of(chain_of(HEADS_CHAIN)) or document.get("type") != KIND:
        raise refuted(Code.BAD_ENCODING, "the leaf of a set proof commits to no heads", field="leaf", expected=KIND)
    check_entry_version(document, "the operator document", 2)
    if document["v"] != 2:
        raise refuted(Code.BAD_ENCODING, "the leaf of a set proof commits to no heads", field="v", expected=2)
    check_members(document, MEMBERS[KIND] | {"type", "v"})
    heads = read_heads(document)
    if leaf.number != proof.proof.index:
        sentence = "leaf and proof name different indexes"
        raise refuted(Code.BAD_PROOF, sentence, field="index", expected=proof.proof.index, found=leaf.number)
    verify_inclusion(leaf.number, head.head.size, hash_leaf(proof.leaf), proof.proof.path, head.head.root)
    checked.committing = leaf
    return heads


def _hold(checked: CheckedInSet, proof: SetProof, heads: list[ShardHead], receipt: Checked) -> None:
    """The entry of the receipt lies below a head that was committed. Raises Refuted."""
    index, origin = receipt.receipt.proof.index, receipt.origin
    # Set proof, step 3.
    committed = next((head for head in heads if head.origin == origin and head.size > index), None)
    if committed is None:
        told = ", ".join(f"{head.origin}: {head.size}" for head in heads)
        sentence = "the head log commits here to no head of the receipt's log that holds its entry"
        raise refuted(Code.BAD_PROOF, sentence, field="leaf", expected=f"{origin}: above {index}", found=told)
    # Set proof, step 4.
    verify_inclusion(index, committed.size, hash_leaf(receipt.receipt.leaf), proof.path, committed.root)
    checked.committed = committed
    checked.findings.checked["heads of shards that the head log committed"] += 1
