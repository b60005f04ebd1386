"""Real logs of others and scripted ones, whole: Rekor, Certificate Transparency, split views, witnesses."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest

from tests.conformance import files
from tests.verifier.making import BACKEND, accepts, refusal, without_seed
from tests.verifier.trees import root_of
from tests.verifier.vectors import cases, hashes
from verifier.bytes import merkle
from verifier.bytes.encoding import decode_base64
from verifier.errors import Code
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.evidence import FORK, SAME_SIZE, check_evidence, encode_evidence, judge
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import parse_note, parse_vkey
from verifier.tlog.source import Directory
from verifier.tlog.tiles import (
    STATIC_CT,
    TileReader,
    parse_tile_path,
    split_hashes,
    tile_path,
)
from verifier.tlog.witness import decide

pytestmark = pytest.mark.conformance


def rekor_head(case: dict[str, Any]) -> Head:
    keys = [parse_vkey(text) for text in case["log_vkeys"]]
    origin = case["checkpoint"].partition("\n")[0]
    return open_head(case["checkpoint"].encode(), keys, BACKEND, origin=origin)


def check_rekor(case: dict[str, Any]) -> None:
    """As the command does for a foreign log: signature, inclusion, and what was claimed outside the signature."""
    head = rekor_head(case)
    entry, path = decode_base64(case["entry_b64"]), [decode_base64(item) for item in case["proof_b64"]]
    merkle.verify_inclusion(case["index"], head.size, merkle.hash_leaf(entry), path, head.root)
    claimed = case["unauthenticated"]
    if (claimed["tree_size"], claimed["root_hash"]) != (head.size, base64.b64encode(head.root).decode()):
        raise AssertionError(case["name"])


def test_real_rekor_proofs_have_their_verdicts() -> None:
    for case in cases("vectors/rekor/*.json", "checkpoint", "entry_b64", "expect"):
        expect = case["expect"]
        assert accepts(lambda c=case: rekor_head(c)) is expect["log_signature_ok"], case["name"]
        assert accepts(lambda c=case: parse_note(c["checkpoint"].encode())) is expect["note_parses"]
        body = parse_note(case["checkpoint"].encode()).text
        assert accepts(lambda b=body: parse_checkpoint(b)) is expect["checkpoint_parses"]
        assert accepts(lambda c=case: check_rekor(c)) is expect["overall_log_level"], case["name"]


def test_real_ct_tiles_hold_the_leaf_hashes_of_their_entries() -> None:
    checked = 0
    for path in files("vectors/ct-*/tile/data/**/*"):
        root = next(parent for parent in path.parents if parent.name.startswith("ct-"))
        _, n, width = parse_tile_path(path.relative_to(root).as_posix())
        expected = split_hashes((root / tile_path(0, n, width)).read_bytes(), width)
        entries = STATIC_CT.split(path.read_bytes(), 256)
        assert [STATIC_CT.hash(entry) for entry in entries] == expected
        with refusal(Code.BAD_ENCODING):
            STATIC_CT.split(path.read_bytes()[:-1], 256)
        checked += width
    assert checked > 256


def test_a_whole_foreign_log_verifies_at_every_size_and_between_all_sizes() -> None:
    for vkey in files("vectors/*/log.vkey", shape=lambda p: (p.parent / "checkpoint.1").exists()):
        root, key = vkey.parent, parse_vkey(vkey.read_text().strip())
        heads: list[Head] = []
        readers: list[TileReader] = []
        for size in range(len(list(root.glob("checkpoint.*")))):
            head = open_head((root / f"checkpoint.{size}").read_bytes(), [key], BACKEND)
            reader = TileReader(Directory(root), head.size, head.root)
            assert head.size == size
            leaves = [merkle.hash_leaf(reader.entry(index)) for index in range(size)]
            assert root_of(leaves) == head.root
            heads.append(head)
            readers.append(reader)
        for (old, a), (new, b) in itertools.combinations(enumerate(heads), 2):
            if old:
                proof = without_seed(old, readers[new].consistency(old))
                merkle.verify_consistency(old, new, proof, a.root, b.root)


def test_forged_tiles_are_refused_and_the_honest_ones_verify() -> None:
    for path in files("vectors/*/*.json", shape=lambda p: "forged_index" in p.read_text()):
        case = json.loads(path.read_text())
        for name in ("honest", "forged"):
            root = path.parent / name
            key = parse_vkey((root / "log.vkey").read_text().strip())
            head = open_head((root / "checkpoint").read_bytes(), [key], BACKEND)
            reader = TileReader(Directory(root), head.size, head.root)
            assert head.size == case["size"]
            if name == "honest":
                assert sum(len(reader.bundle(n)) for n in range(-(-head.size // 256))) == head.size
            else:
                with refusal(Code.BAD_PROOF):
                    reader.entry(case["forged_index"])
                with refusal(Code.BAD_PROOF):
                    reader.leaf(case["forged_index"])


def test_split_views_are_told_from_growth() -> None:
    for path in files("vectors/split-view/*.json"):
        whole = json.loads(path.read_text())
        key = parse_vkey(whole["log_vkey"])
        for case in whole["cases"]:
            a, b = (open_head(case[f"checkpoint_{x}"].encode(), [key], BACKEND) for x in "ab")
            proof = hashes(case.get("offered_consistency_proof"))
            if case["expect"] == "equivocation":
                found = judge(a, b)
                assert found.proven
                assert found.kind == SAME_SIZE
                assert check_evidence(encode_evidence(found, 1, ["x"]), BACKEND, [key]) == found
            elif case["expect"] == "consistent":
                merkle.verify_consistency(a.size, b.size, proof, a.root, b.root)
                with refusal(Code.BAD_PROOF):
                    judge(a, b, proof)
            else:
                with refusal(Code.BAD_PROOF):
                    merkle.verify_consistency(a.size, b.size, proof, a.root, b.root)
                assert judge(a, b).kind == FORK
                assert not judge(a, b).proven


def test_a_witness_answers_every_request_as_the_script_says() -> None:
    for path in files("vectors/witness/*.json"):
        script = json.loads(path.read_text())
        known = {script["origin"]: parse_vkey(script["log_vkey"])}
        state: Head | None = None
        for request in script["requests"]:
            answer = decide(known, state, request["request_body"].encode(), BACKEND)
            assert answer.status in {request["status"], *request.get("also_acceptable_status", [])}, request["name"]
            if answer.status == 409:
                assert answer.body == request["response_contains"]
            state = answer.head or state
