"""The published vectors give their expected verdicts, from whatever folder CONFORMANCE_DIR names."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import files
from tests.verifier.making import BACKEND, accepts, refusal, without_seed
from tests.verifier.trees import inclusion_path, root_of, subtree_path
from verifier.bytes import merkle, patricia
from verifier.bytes.encoding import decode_base64
from verifier.bytes.growing_tree import Growth
from verifier.crypto.backend import select
from verifier.crypto.keys import Ed25519Key, p256_key
from verifier.errors import CannotCheck, Code, Refuted
from verifier.tlog import cose
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.evidence import FORK, SAME_SIZE, check_evidence, encode_evidence, judge
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import COSIGNATURE, parse_note, parse_vkey, verify_note
from verifier.tlog.policy import Policy, parse_policy
from verifier.tlog.proof import parse_proof, verify_proof
from verifier.tlog.source import Directory
from verifier.tlog.tiles import (
    STATIC_CT,
    TileReader,
    parse_tile_path,
    split_entries,
    split_hashes,
    tile_path,
)
from verifier.tlog.witness import decide, parse_request

pytestmark = pytest.mark.conformance


def cases(pattern: str, *members: str) -> list[dict[str, Any]]:
    """The objects of all JSON lists (or lists inside an object) that have these members."""
    found: list[dict[str, Any]] = []
    for path in files(pattern):
        whole = json.loads(path.read_text())
        for part in [whole, *(whole.values() if isinstance(whole, dict) else [])]:
            if isinstance(part, list):
                found += [{**c, "_path": path} for c in part if isinstance(c, dict) and c.keys() >= set(members)]
    assert found, f"no case with {members} in {pattern}"
    return found


def hashes(texts: list[str] | None) -> list[bytes]:
    return [raw(text) for text in texts or []]


def raw(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


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


# --- whole logs -----------------------------------------------------------------------------------------------


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
    for path in files("vectors/*/case.json", shape=lambda p: "forged_index" in p.read_text()):
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
