"""Completeness files: all entries of one chain up to an index-head, proved to whoever holds the file (docs/spec/receipts.md).

The index-head is a leaf of the log, so its receipt says how far and at what time; the map it commits says how many leaves the
chain has and which is the last; and from the last one each leaf names the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from verifier.crypto.backend import Backend
from verifier.encoding import (
    Object,
    check_members,
    check_version,
    decode_json,
    get_bytes,
    get_integer,
    get_text,
    get_texts,
)
from verifier.errors import Code, Defect, Place, Refuted, refuted
from verifier.findings import Findings
from verifier.leaf import Leaf, parse_leaf, raw_of, text_of
from verifier.patricia import EMPTY, verify_absent, verify_present
from verifier.policy import PolicyHead
from verifier.receipt import check_receipt
from verifier.trust import Trust

MAX_FILE = 4_000_000
MAX_LEAVES = 1_000
MAX_PROOF_BYTES = 65_536


@dataclass(slots=True)
class Complete:
    """What a completeness file claims, checked; see `findings` for what was wrong. `leaves`: those that are shown, by seq."""

    chain: bytes
    count: int
    index_head: Leaf | None
    head: PolicyHead | None
    leaves: dict[int, Leaf]
    findings: Findings


def check_completeness(data: bytes, trust: Trust, backend: Backend, shown: Iterable[bytes] = ()) -> Complete:
    """Check all of it. `shown`: leaves from elsewhere, such as receipts, which count where the file holds none.

    Raises Refuted(BAD_ENCODING) if it is no completeness file at all.
    """
    members = decode_json(data, MAX_FILE)
    check_version(members, "the completeness file")
    check_members(members, {"v", "chain", "count", "index_head", "map_proof", "leaves"}, {"last"})
    chain, count = get_bytes(members, "chain", 32), get_integer(members, "count")
    if ("last" in members) != (count > 0):
        raise refuted(Code.BAD_ENCODING, "a chain with leaves has a last one", field="last", found=count)
    checked = check_receipt(get_text(members, "index_head", MAX_FILE).encode("utf-8"), trust, backend, None)
    found = Complete(chain, count, checked.leaf, checked.head, {}, checked.findings)
    if checked.findings.count or checked.leaf is None:
        return found
    try:
        _check_map(members, found, checked.leaf)
    except Refuted as refusal:
        found.findings.refuse(refusal, index=checked.leaf.number)
        return found
    texts = get_texts(members, "leaves", 0, MAX_LEAVES)
    _check_leaves(members, found, [*(text.encode("utf-8") for text in texts), *shown])
    return found


def _check_map(members: Object, found: Complete, head: Leaf) -> None:
    if head.kind != "index-head":
        raise refuted(Code.INCOMPLETE, "the receipt is not that of an index-head", field="kind", found=head.kind)
    if head.map_size != head.number:
        raise refuted(
            Code.INCOMPLETE,
            "the index-head does not cover all leaves before it",
            field="map_size",
            expected=head.number,
            found=head.map_size,
        )
    root, proof = raw_of(head.map_root), get_bytes(members, "map_proof", 0, MAX_PROOF_BYTES)
    if found.count:
        value = found.count.to_bytes(8) + get_bytes(members, "last", 32)
        verify_present(root, found.chain, value, proof)
    elif root == EMPTY and proof:
        raise refuted(Code.INCOMPLETE, "the map proof does not lead to the root", field="map_proof")
    else:
        verify_absent(root, found.chain, proof)
    found.findings.checked["map proofs"] += 1


def _check_leaves(members: Object, found: Complete, shown: Iterable[bytes]) -> None:
    """From the last leaf backwards: each is the one that the leaf after it names."""
    by_hash = {sha256(b"\0" + leaf).digest(): leaf for leaf in shown}
    wanted = get_bytes(members, "last", 32) if found.count else b""
    for seq in reversed(range(found.count)):
        data = by_hash.get(wanted)
        if data is None:
            _missing(found, seq, by_hash)
            return
        try:
            leaf = parse_leaf(data)
        except Refuted as refusal:
            found.findings.refuse(refusal)
            return
        if (leaf.seq, leaf.chain) != (seq, text_of(found.chain)):
            found.findings.add(
                Defect(
                    Code.BAD_CHAIN, "the chain has a gap or a repetition", Place(leaf.number), str(seq), str(leaf.seq)
                )
            )
            return
        found.leaves[seq] = leaf
        found.findings.checked["leaves of the chain"] += 1
        wanted = raw_of(leaf.prev_in_chain)


def _missing(found: Complete, seq: int, by_hash: Mapping[bytes, bytes]) -> None:
    """Leaves that are there but not linked are a contradiction; leaves that nobody shows are only missing."""
    place = Place(found.index_head.number if found.index_head else None)
    if any(_is_of(data, found.chain, seq) for data in by_hash.values()):
        found.findings.add(
            Defect(Code.INCOMPLETE, "a leaf that is shown is not the one that the chain names", place, f"seq {seq}", "")
        )
    else:
        found.findings.add(
            Defect(
                Code.INCOMPLETE,
                "leaves of the chain are not shown: give their receipts too",
                place,
                f"{found.count} leaves",
                f"{found.count - seq - 1} leaves",
            )
        )


def _is_of(data: bytes, chain: bytes, seq: int) -> bool:
    try:
        leaf = parse_leaf(data)
    except Refuted:
        return False
    return leaf.chain == text_of(chain) and leaf.seq == seq
