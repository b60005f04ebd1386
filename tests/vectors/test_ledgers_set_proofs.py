"""The ledger's check of set proofs gives every vector's verdict, as far as it is about the set proof; and the verifier takes the
set proofs that the ledger makes (docs/spec/sets.md, 3)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.canonical import b64u
from ledger.documents import document_of, registration
from ledger.entries.leaf import parse_leaf
from ledger.errors import LedgerError
from ledger.merkle.hashing import leaf_hash
from ledger.notes.checkpoint import parse_checkpoint
from ledger.notes.note import parse_note
from ledger.notes.policy import parse_policy
from ledger.notes.proof_file import parse_proof
from ledger.receipts import proof_text, receipt_bytes
from ledger.set_documents import HeadsCommitted, ShardAdded, ShardHead
from ledger.set_proof import check_set_proof, set_proof_bytes
from tests.conformance import ROOT
from tests.vectors.reading import policy, read
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
