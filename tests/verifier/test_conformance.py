"""The published vectors give their expected verdicts, from whatever folder CONFORMANCE_DIR names."""

from __future__ import annotations

import hashlib
import itertools
import json
import shlex
from pathlib import Path

import pytest

from tests.conformance import files
from tests.verifier.making import BACKEND, accepts, refusal
from tests.verifier.trees import inclusion_path, root_of, subtree_path
from tests.verifier.vectors import cases, hashes, raw
from verifier.bytes import merkle, patricia
from verifier.bytes.growing_tree import Growth
from verifier.crypto.backend import select
from verifier.crypto.keys import Ed25519Key, p256_key
from verifier.errors import CannotCheck, Code, Refuted
from verifier.tlog import cose
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.head import open_head
from verifier.tlog.note import COSIGNATURE, parse_note, parse_vkey, verify_note
from verifier.tlog.policy import Policy, parse_policy
from verifier.tlog.proof import parse_proof, verify_proof
from verifier.tlog.tiles import (
    split_entries,
    split_hashes,
)
from verifier.tlog.witness import decide, parse_request

pytestmark = pytest.mark.conformance


# --- Merkle ---------------------------------------------------------------------------------------------------


def test_every_merkle_proof_case_has_its_verdict() -> None:
    checked = 0
    for case in cases("vectors/merkle/*.json", "wantErr", "desc"):
        proof = hashes(case["proof"])
        if "size1" in case:
            arguments = (case["size1"], case["size2"], proof, raw(case["root1"]), raw(case["root2"]))
            accepted = accepts(merkle.verify_consistency, *arguments)
        elif "size" in case:
            arguments = (
                case["start"],
                case["end"],
                case["size"],
                proof,
                raw(case["root1"]),
                raw(case["root2"]),
            )
            accepted = accepts(merkle.verify_subtree_consistency, *arguments)
        elif "start" in case:
            leaf, root = raw(case["leafHash"]), raw(case["root"])
            arguments = (case["leafIdx"], case["start"], case["end"], leaf, proof, root)
            accepted = accepts(merkle.verify_subtree_inclusion, *arguments)
        else:
            leaf, root = raw(case["leafHash"]), raw(case["root"])
            arguments = (case["leafIdx"], case["treeSize"], leaf, proof, root)
            accepted = accepts(merkle.verify_inclusion, *arguments)
        if "note" not in case:
            assert accepted is not case["wantErr"], case
            checked += 1
    assert checked >= 100


def test_the_definitions_give_the_known_roots_and_nodes() -> None:
    for path in files("vectors/merkle/*.json", shape=lambda p: "root_hashes_hex_by_size" in p.read_text()):
        known = json.loads(path.read_text())
        leaves = [merkle.hash_leaf(bytes.fromhex(entry)) for entry in known["leaf_inputs_hex"]]
        assert [leaf.hex() for leaf in leaves] == known["leaf_hashes_hex"]
        growth = Growth()
        for size, root in enumerate(known["root_hashes_hex_by_size"]):
            assert root_of(leaves[:size]).hex() == root
            assert growth.root().hex() == root
            if size < len(leaves):
                growth.append(leaves[size])
        for level, nodes in enumerate(known["node_hashes_hex_by_level"]):
            width = 1 << level
            complete = [leaves[at : at + width] for at in range(0, len(leaves) - width + 1, width)]
            assert [root_of(part).hex() for part in complete] == nodes[: len(complete)]


def test_the_definitions_give_the_accumulated_hashes_of_all_small_trees() -> None:
    for path in files("vectors/merkle/*.json", shape=lambda p: "subtree_inclusion_proofs" in p.read_text()):
        expected = json.loads(path.read_text())
        leaves = [merkle.hash_leaf(bytes([number])) for number in range(130)]
        subtrees, inclusion, consistency = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        for end in range(131):
            for start in [s for s in range(end + 1) if accepts(lambda s=s, e=end: merkle.check_subtree(s, e, e))]:
                part = leaves[start:end]
                subtrees.update(f"[{start}, {end}) {root_of(part).hex()}\n".encode())
                for index in range(start, end):
                    proof = inclusion_path(index - start, part)
                    inclusion.update(f"{index} [{start}, {end}){spaced(proof)}\n".encode())
        for n in range(131):
            for end in range(n + 1):
                for start in [s for s in range(end + 1) if accepts(lambda s=s, e=end: merkle.check_subtree(s, e, e))]:
                    proof = subtree_path(start, end, leaves[:n])
                    consistency.update(f"[{start}, {end}) {n}{spaced(proof)}\n".encode())
        assert subtrees.hexdigest() == expected["subtree_hashes"]["sha256"]
        assert inclusion.hexdigest() == expected["subtree_inclusion_proofs"]["sha256"]
        assert consistency.hexdigest() == expected["subtree_consistency_proofs"]["sha256"]


def spaced(proof: list[bytes]) -> str:
    return "".join(" " + item.hex() for item in proof)


# --- notes, checkpoints, policies, proofs ---------------------------------------------------------------------


def test_every_note_has_its_verdict() -> None:
    for case in cases("vectors/notes/*.json", "note", "vkeys"):
        keys = [parse_vkey(text) for text in case["vkeys"]]
        data = case["note"].encode()
        if case["expect"].startswith(("malformed", "implementation limit")):
            with refusal(Code.BAD_ENCODING):
                parse_note(data)
        elif case["expect"].startswith(("no-known", "reject")):
            with refusal(Code.BAD_SIGNATURE):
                verify_note(parse_note(data), keys, BACKEND)
        else:
            signed = verify_note(parse_note(data), keys, BACKEND)
            verified = case.get("verified", case["vkeys"])
            assert sorted(s.key.vkey for s in signed) == sorted(verified), case["name"]
            if "timestamp_ms" in case:
                assert case["timestamp_ms"] in {s.time_ms for s in signed}


def test_a_note_of_every_kind_is_refused_when_its_text_or_signature_is_changed() -> None:
    for case in cases("vectors/notes/*.json", "note", "vkeys"):
        if case["expect"] in ("verified", "all signatures verify"):
            keys = [parse_vkey(text) for text in case["vkeys"]]
            note = parse_note(case["note"].encode())
            for changed in (b"x" + note.text, note.text.replace(b"\n", b"0\n", 2)):
                with refusal(Code.BAD_SIGNATURE):
                    verify_note(type(note)(changed, note.lines), keys, BACKEND)


def test_every_checkpoint_body_has_its_verdict() -> None:
    for case in cases("vectors/notes/*.json", "body", "valid"):
        accepted = accepts(lambda c=case: parse_checkpoint(c["body"].encode()))
        assert accepted is case["valid"], case["name"]


def test_every_policy_has_its_verdict_and_its_quorums() -> None:
    for case in cases("vectors/tlog-policy/*.json", "policy", "valid"):
        data = case["policy"].encode()
        if not case["valid"]:
            with pytest.raises(CannotCheck):
                parse_policy(data)
            continue
        policy = parse_policy(data)
        assert policy.is_satisfied(case["satisfied_by"])
        if case["not_satisfied_by"] is not None:
            assert not policy.is_satisfied(case["not_satisfied_by"])


def test_every_good_proof_verifies_and_for_no_other_entry() -> None:
    for path in files("vectors/tlog-proof/*.tlog-proof"):
        entry = next(p for p in (path.with_suffix(".entry"), path.with_suffix(".entry.json")) if p.exists())
        policies = [parse_policy(p.read_bytes()) for p in files("vectors/tlog-proof/*.policy")]
        proof = parse_proof(path.read_bytes())
        fitting = [p for p in policies if accepts(verify_proof, proof, entry.read_bytes(), p, BACKEND)]
        assert len(fitting) == 1
        assert verify_proof(proof, entry.read_bytes(), fitting[0], BACKEND).level is Code.VALID
        with refusal(Code.BAD_PROOF):
            verify_proof(proof, entry.read_bytes() + b"\n", fitting[0], BACKEND)


def test_every_bad_proof_is_refused() -> None:
    for case in cases("vectors/tlog-proof/*.json", "proof", "policy", "expect"):
        policy = parse_policy((case["_path"].parent / case["policy"]).read_bytes())
        entry = case["entry"].encode()
        accepted = accepts(
            lambda c=case, p=policy, e=entry: verify_proof(parse_proof(c["proof"].encode()), e, p, BACKEND)
        )
        assert accepted is case["expect"], case["name"]


# --- maps, receipts, signatures -------------------------------------------------------------------------------


def unhex(word: str) -> bytes:
    return b"" if word == "''" else bytes.fromhex(word)


def script_lines(path: Path) -> list[list[str]]:
    text = path.read_text().replace("\\\n", " ")
    return [words for line in text.split("\n") if (words := shlex.split(line.replace("''", "\"''\""), comments=True))]


def test_the_map_has_the_hashes_of_the_script_in_every_order_of_insertion() -> None:
    for path in files("vectors/mpt/*.txt", shape=lambda p: "\nkv " in p.read_text()):
        pairs: list[tuple[bytes, bytes]] = []
        for command, *words in script_lines(path):
            if command == "kv":
                pairs.append((unhex(words[0]), unhex(words[1])))
                continue
            for order in itertools.islice(itertools.permutations(pairs), 24):
                tree = patricia.Map()
                for key, value in order:
                    tree.put(key, b"an older value")
                    tree.root()
                    tree.put(key, value)
                assert tree.root().hex() == words[0]
            pairs = []


def check_map(command: str, root: bytes, proof: bytes, state: dict[str, list[str]]) -> None:
    if command == "verifyprefix":
        patricia.verify_prefix(root, unhex(state["prefix"][0]), unhex(state["hash"][0]), proof)
    elif state["val"] == ["-"]:
        patricia.verify_absent(root, unhex(state["key"][0]), proof)
    else:
        patricia.verify_present(root, unhex(state["key"][0]), unhex(state["val"][0]), proof)


def test_every_map_proof_has_its_verdict() -> None:
    checked = 0
    for path in files("vectors/mpt/*.txt", shape=lambda p: "\nverify " in p.read_text()):
        state: dict[str, list[str]] = {}
        for command, *words in script_lines(path):
            if not command.startswith("verify"):
                state[command] = words
                continue
            root, proof = unhex(state["snap"][0]), b"".join(map(unhex, state["proof"]))

            assert accepts(check_map, command, root, proof, state) is (words[0] == "true"), state
            checked += 1
    assert checked >= 10


def test_foreign_cose_receipts_have_their_verdicts() -> None:
    for path in files("vectors/cose-receipt/*.json"):
        case = json.loads(path.read_text())
        jwk = case["issuer_public_key"]
        key = p256_key(bytes.fromhex(jwk["x_hex"]), bytes.fromhex(jwk["y_hex"]))
        data = path.with_name(path.stem + ".receipt.cbor").read_bytes()
        entry = case["entries_utf8"][case["entry_index_proved"]].encode()
        for backend in (BACKEND, select("pure")):
            root = cose.parse_receipt(data).verify_inclusion(entry, key, backend)
            assert root.hex() == case["expected_root_hex"]
        with refusal(Code.BAD_SIGNATURE):
            cose.parse_receipt(data).verify_inclusion(entry + b"!", key, BACKEND)


def test_the_worked_example_verifies_in_every_part() -> None:
    for path in files("vectors/worked-example/*.json"):
        x = json.loads(path.read_text())
        entries = [entry.encode() for entry in x["entries"]]
        leaves = [merkle.hash_leaf(entry) for entry in entries]
        assert [leaf.hex() for leaf in leaves] == x["leaf_hashes"]
        assert all(root_of(leaves[: int(size)]).hex() == root for size, root in x["roots"].items())
        assert [item.hex() for item in inclusion_path(2, leaves)] == x["inclusion_2_of_5"]
        assert [item.hex() for item in subtree_path(0, 3, leaves)] == x["consistency_3_5"]
        assert split_hashes(bytes.fromhex(x["tile_0_000_p_5_hex"]), 5) == leaves
        assert split_entries(bytes.fromhex(x["entries_bundle_hex"])) == entries
        log, w1 = parse_vkey(x["log_vkey"]), parse_vkey(x["w1_vkey"])
        head = open_head(x["checkpoint5"].encode(), [log], BACKEND, witnesses=[w1, parse_vkey(x["w2_vkey"])])
        assert (head.size, head.root.hex()) == (5, x["roots"]["5"])
        assert [s.time_ms for s in head.cosignatures if s.key == w1] == [1_767_225_600_000]
        assert w1.kind == COSIGNATURE
        policy: Policy = parse_policy(x["policy"].encode())
        proof = parse_proof(x["tlog_proof"].encode())
        assert verify_proof(proof, entries[2], policy, BACKEND).level is Code.VALID
        assert isinstance(log.key, Ed25519Key)
        receipt = cose.parse_receipt(bytes.fromhex(x["cose_receipt_hex"]))
        assert receipt.verify_inclusion(entries[2], log.key, BACKEND) == head.root
        old, sent, _ = parse_request(x["add_checkpoint_request"].encode())
        assert (old, sent) == (3, subtree_path(0, 3, leaves))
        state = open_head(x["checkpoint3"].encode(), [log], BACKEND)
        assert decide({log.name: log}, state, x["add_checkpoint_request"].encode(), BACKEND).status == 200


@pytest.mark.parametrize("name", ["pure", "pynacl", "cryptography"])
def test_every_wycheproof_case_has_its_verdict_in_every_backend(name: str) -> None:
    backend = select(name)
    checked = 0
    for path in files("vectors/wycheproof/*.json", shape=lambda p: "EddsaVerify" in p.read_text()):
        for group in json.loads(path.read_text())["testGroups"]:
            key = bytes.fromhex(group["publicKey"]["pk"])
            for case in group["tests"]:
                message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
                try:
                    backend.ed25519(key, message, signature)
                    verdict = "valid"
                except Refuted:
                    verdict = "invalid"
                assert verdict == case["result"], case["tcId"]
                checked += 1
    assert checked > 100
