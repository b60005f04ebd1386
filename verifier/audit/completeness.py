"""Completeness files: all entries of one chain up to an index-head, proved to the holder of the file
(docs/spec/receipts.md).

The index-head is a leaf of the log, so its receipt says how far and at what time; the map it commits says how many leaves the
chain has and which is the last; and from the last one each leaf names the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from verifier.audit.histories import Histories
from verifier.audit.receipt import Checked, check_receipt
from verifier.bytes.encoding import (
    Object,
    check_members,
    check_version,
    decode_json,
    get_bytes,
    get_integer,
    get_text,
    get_texts,
)
from verifier.bytes.patricia import EMPTY, verify_absent, verify_present
from verifier.crypto.backend import Backend
from verifier.errors import Code, Defect, Place, Refuted, refuted
from verifier.records.leaf import Leaf, parse_leaf, raw_of, text_of
from verifier.rules.findings import Findings
from verifier.tlog.policy import PolicyHead
from verifier.tlog.trust import Trust

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


def check_completeness(
    data: bytes, trust: Trust, backend: Backend, shown: Mapping[str, bytes] | None = None
) -> Complete:
    """Check all of it. `shown`: receipts by the name of their file, whose leaves count where the file encloses none. Each is
    verified itself, must be of the same log, and contradict neither the file nor another.

    Raises Refuted(BAD_ENCODING) if it is not a completeness file at all, CannotCheck for a version that is not known.
    """
    members = decode_json(data, MAX_FILE)
    check_version(members, "the completeness file")
    check_members(members, {"v", "chain", "count", "index_head", "map_proof", "leaves"}, {"last"})
    chain, count = get_bytes(members, "chain", 32), get_integer(members, "count")
    if ("last" in members) != (count > 0):
        raise refuted(Code.BAD_ENCODING, "a chain with leaves has a last one", field="last", found=count)
    # Complete, step 1, which ends in `_check_map` (the steps of docs/spec/receipts.md, «Complete»).
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
    proved = _check_shown(found, trust, backend, shown or {})
    histories = Histories(trust.policy, found.findings)
    if found.head is not None:
        histories.see_head(found.head, "index_head")
    enclosed = [text.encode("utf-8") for text in texts]
    _check_leaves(members, found, [*enclosed, *(checked.receipt.leaf for checked in proved.values())], histories)
    for path, checked in proved.items():
        _hold_against(found, checked, path, histories)
    histories.finish()
    _tell_uncovered(found)
    return found


def _check_shown(found: Complete, trust: Trust, backend: Backend, shown: Mapping[str, bytes]) -> dict[str, Checked]:
    """The receipts that are shown beside the file, each verified; those with a defect are not used."""
    proved = {}
    for path, data in shown.items():
        try:
            checked = check_receipt(data, trust, backend, None)
        except Refuted as refusal:
            found.findings.refuse(refusal, file=path)
            continue
        for defect in checked.findings.defects:
            found.findings.refuse(Refuted(defect), file=path)
        if checked.findings.count or checked.head is None or checked.leaf is None:
            continue
        if found.head is not None and checked.head.head.checkpoint.origin != found.head.head.checkpoint.origin:
            found.findings.refuse(refuted(Code.BAD_PROOF, "a receipt of another log", file=path))
            continue
        found.findings.checked["receipts shown beside the file"] += 1
        proved[path] = checked
    return proved


def _hold_against(found: Complete, checked: Checked, path: str, histories: Histories) -> None:
    """A receipt contradicts neither the chain nor the map: below the index-head, an entry of this chain is counted."""
    head, leaf = found.index_head, checked.leaf
    if checked.head is None or leaf is None or head is None:
        return
    histories.see_head(checked.head, path)
    histories.see_leaf(leaf, sha256(b"\0" + checked.receipt.leaf).digest(), path)
    if leaf.chain == text_of(found.chain) and leaf.number < head.number and leaf.seq >= found.count:
        sentence = "the index-head leaves out an entry of the chain"
        expected, given = f"{found.count} entries", f"entry {leaf.number}, seq {leaf.seq}"
        found.findings.add(Defect(Code.INCOMPLETE, sentence, Place(head.number, file=path), expected, given))


def _tell_uncovered(found: Complete) -> None:
    """How much of the log lies above the index-head: the chain may have entries there."""
    if found.head is None or found.index_head is None:
        return
    above = found.head.head.size - found.index_head.number - 1
    if above > 0:
        sentence = "the log goes on above the index-head: entries there are not covered"
        found.findings.notice(
            Defect(Code.INCOMPLETE, sentence, Place(found.index_head.number), "0 entries", f"{above} entries")
        )


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
    # Complete, step 2.
    root, proof = raw_of(head.map_root), get_bytes(members, "map_proof", 0, MAX_PROOF_BYTES)
    if found.count:
        value = found.count.to_bytes(8) + get_bytes(members, "last", 32)
        verify_present(root, found.chain, value, proof)
    elif root == EMPTY and proof:
        raise refuted(Code.INCOMPLETE, "the map proof does not lead to the root", field="map_proof")
    else:
        verify_absent(root, found.chain, proof)
    found.findings.checked["map proofs"] += 1


def _check_leaves(members: Object, found: Complete, shown: Iterable[bytes], histories: Histories) -> None:
    """From the last leaf backwards: each is the one that the leaf after it names."""
    # Complete, step 3.
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
        histories.see_leaf(leaf, wanted, "leaves")
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
