"""The ledger's check of set proofs gives every vector's verdict, as far as it is about the set proof; and the verifier takes the
set proofs that the ledger makes (docs/spec/sets.md, 3). What the ledger reads in the head log of a set bears out the verdict on the
set (4)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.documents import ParticipantRegistered, document_of, parse_document, registration
from ledger.entries.leaf import OperatorLeaf, parse_leaf
from ledger.errors import LedgerError
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.notes.checkpoint import parse_checkpoint
from ledger.notes.note import parse_note
from ledger.notes.policy import parse_policy
from ledger.notes.proof_file import parse_proof
from ledger.receipts import proof_text, receipt_bytes
from ledger.set_documents import HeadsCommitted, HolderPlaced, ShardAdded, ShardHead
from ledger.set_proof import check_set_proof, set_proof_bytes
from ledger.sets import ShardSet
from tests.conformance import ROOT
from tests.vectors.log import ORIGIN
from tests.vectors.reading import bundle_of_a_set, policy, read
from tests.world import running_world

OF_THE_RECEIPT = {
    "a shard that the policy names, and whose signature is wrong",
    "a receipt that does not lead to its own root",
}
"""What is wrong with the receipt and not with the proof beside it."""


@pytest.mark.parametrize("case", read("set-proofs")["cases"], ids=lambda case: case["name"])
def test_a_set_proof_is_taken_or_refused_as_its_case_says(case: dict[str, str]) -> None:
    receipt = json.loads(case["receipt"])
    leaf = receipt["leaf"].encode()
    origin = parse_checkpoint(parse_note(parse_proof(receipt["proof"]).checkpoint).text).origin
    vkeys = [log for log in parse_policy(policy(case["policy"])).logs if log.name != origin]

    def check() -> None:
        check_set_proof(case["set_proof"].encode(), origin, parse_leaf(leaf).index, leaf_hash(leaf), vkeys)

    if int(case["exit"]) in (0, 3) or case["name"] in OF_THE_RECEIPT:
        check()
    else:
        with pytest.raises(LedgerError):
            check()


def leaves(name: str) -> list[bytes]:
    """The entries of a bundle, however many lie in its one tile."""
    [tile] = [content for path, content in bundle_of_a_set(name).items() if path.startswith("tile/entries/")]
    found = []
    while tile:
        size = int.from_bytes(tile[:2])
        found.append(tile[2 : 2 + size])
        tile = tile[2 + size :]
    return found


def told_by(heads: str) -> ShardSet:
    """What the ledger makes of a head log's documents."""
    known = ShardSet()
    for leaf in map(parse_leaf, leaves(heads)):
        if isinstance(leaf, OperatorLeaf):
            document = parse_document(leaf.document)
            if isinstance(document, ShardAdded | HolderPlaced | HeadsCommitted):
                known = known.after(document, leaf.index, leaf.time, ORIGIN, ())
    return known


def places_found(row: dict[str, Any]) -> set[tuple[str, str, int | str]]:
    """What the ledger's own fold and tree say is wrong between the head log and the shards that are honest by themselves."""
    known, wrong = told_by(row["heads"]), set[tuple[str, str, int | str]]()
    for part in row["shards"].values():
        entries = leaves(part)
        [origin] = [one.document["origin"] for one in map(parse_leaf, entries[:1]) if isinstance(one, OperatorLeaf)]
        head = known.shards[origin].head
        assert head is not None
        if len(entries) < head.size:
            wrong.add(("ROLLBACK", origin, "checkpoint"))
        elif Edge().grow([leaf_hash(entry) for entry in entries[: head.size]]).root != head.root:
            wrong.add(("EQUIVOCATION", ORIGIN, head.index))
        for leaf in map(parse_leaf, entries):
            document = parse_document(leaf.document) if isinstance(leaf, OperatorLeaf) else None
            if isinstance(document, ParticipantRegistered) and "holder" in document.roles:
                home = known.holders.get(document.participant)
                if home is None or home.origin != origin:
                    wrong.add(("CONSENT_INVALID", origin, leaf.index))
    return wrong


BETWEEN = {"ROLLBACK", "EQUIVOCATION", "CONSENT_INVALID", "VALID", "VALID_UNWITNESSED"}
"""Verdicts that are about the head log and its shards together, and not about one bundle or the folder."""


@pytest.mark.parametrize(
    "row", [row for row in read("sets")["cases"] if row["code"] in BETWEEN], ids=lambda row: row["name"]
)
def test_the_ledger_finds_the_same_wrong_between_a_head_log_and_its_shards(row: dict[str, Any]) -> None:
    told = {(one["code"], one["log"], one.get("index", one.get("file"))) for one in row["defects"]}
    assert places_found(row) == told


def test_the_verifier_takes_what_the_ledger_makes(sqlite_url: str, tmp_path: Path) -> None:
    head_folder, shard_folder = tmp_path / "head", tmp_path / "shard"
    head_folder.mkdir()
    shard_folder.mkdir()
    with (
        running_world(sqlite_url, head_folder) as head,
        running_world(f"sqlite:///{shard_folder / 'log.sqlite'}", shard_folder, origin="ledger.example/shard") as shard,
    ):
        [entry] = shard.ledger.record_documents(registration("bank-a", "The Bank", ["holder"]))
        checkpoint = parse_checkpoint(parse_note(shard.ledger.tree.checkpoint()).text)
        vkey = shard.ledger.vkey
        head.ledger.record_documents(document_of(ShardAdded, origin=vkey.name, key=b64u(vkey.public_key)))
        told = ShardHead(origin=vkey.name, root=b64u(checkpoint.root), size=checkpoint.size)
        [committed] = head.ledger.record_documents(document_of(HeadsCommitted, heads=(told,)))
        path = shard.ledger.tree.inclusion(entry.index, checkpoint.size)
        (tmp_path / "set-proof").write_bytes(set_proof_bytes(committed.leaf, proof_text(committed), path))
        (tmp_path / "receipt").write_bytes(receipt_bytes(entry))
        (tmp_path / "policy").write_text(f"log {head.ledger.vkey.format()}\nquorum none\n")
    files = ["receipt", str(tmp_path / "receipt"), "--set-proof", str(tmp_path / "set-proof")]
    judged = subprocess.run(
        [sys.executable, "-m", "verifier", *files, "--policy", str(tmp_path / "policy")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
