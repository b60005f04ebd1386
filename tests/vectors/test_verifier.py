"""The verifier gives every vector's verdict."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.vectors import hashing
from tests.vectors.reading import bundle, bundle_of_a_set, cases, materialised, named, policy, read
from tests.verifier.forge import write
from tests.verifier.making import refusal
from tests.verifier.running import Json, places, run, verdict
from verifier.audit.succession import document_of, note_key
from verifier.audit.transparent import TAG, check_transparent
from verifier.bytes import merkle, patricia
from verifier.bytes.encoding import decode_base64, decode_base64url, decode_canonical, encode_canonical
from verifier.bytes.growing_tree import Growth
from verifier.crypto.backend import select
from verifier.crypto.ed25519 import check_registered_key
from verifier.crypto.keys import Ed25519Key, parse_cose_key, parse_jwk
from verifier.errors import CannotCheck, Code, Refuted, refuted
from verifier.records.acts import MEMBERS
from verifier.records.commitment import accounts_hash, chain_of, check_commitment, terms_hash
from verifier.records.disclosure import read_payload
from verifier.records.leaf import parse_leaf
from verifier.records.passkey import parse_assertion
from verifier.records.statement import parse_envelope, verify_envelope
from verifier.rules.catalogue import KNOWN_RULESETS
from verifier.rules.data_maps import read_map
from verifier.rules.gestures import Gestures
from verifier.rules.succeeding import Words, successors
from verifier.tlog.checkpoint import Checkpoint
from verifier.tlog.note import parse_vkey
from verifier.tlog.policy import parse_policy
from verifier.tlog.trust import parse_trust

BACKEND = select()


@pytest.mark.parametrize("name", [f"ruleset-{number}" for number in sorted(KNOWN_RULESETS)])
def test_the_annotated_bundles_hold(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(bundle(name), tmp_path / "bundle")
    (tmp_path / "policy").write_bytes(policy(None))
    status, events = run(capsys, "bundle", f"{tmp_path}/bundle", "--policy", f"{tmp_path}/policy", "--jobs", "1")
    assert (status, events[-1]["code"]) == (0, "VALID")


@pytest.mark.parametrize("path", cases(), ids=lambda path: path.stem)
def test_a_bundle_gets_the_verdict_of_its_case(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = json.loads(path.read_text())
    write(materialised(case), tmp_path / "bundle")
    (tmp_path / "policy").write_bytes(policy(case.get("policy")))
    status, events = run(capsys, "bundle", f"{tmp_path}/bundle", "--policy", f"{tmp_path}/policy", "--jobs", "1")
    expect = case["expect"]
    assert "internal error" not in str(events[-1]["reason"])
    for kind in ("defect", "finding", "notice"):
        wanted = {(row["code"], row.get("index", row.get("file"))) for row in expect[f"{kind}s"]}
        assert places(events, kind) == wanted, kind
    assert status == expect["exit"]
    if "unchecked" in expect:
        assert (events[-1]["unchecked"] > 0) is expect["unchecked"]


@pytest.mark.parametrize("row", read("receipts")["cases"], ids=named(read("receipts")["cases"]))
def test_a_receipt_gets_its_verdict(row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "receipt").write_text(row["receipt"])
    (tmp_path / "policy").write_bytes(policy(row["policy"]))
    said = verdict(capsys, "receipt", f"{tmp_path}/receipt", "--policy", f"{tmp_path}/policy")
    assert said == (row["exit"], row["code"])


@pytest.mark.parametrize("row", read("transparent")["cases"], ids=named(read("transparent")["cases"]))
def test_a_transparent_statement_gets_its_verdict(
    row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = parse_trust(policy(row["policy"]))
    data = base64.b64decode(row["statement"])
    if data.startswith(TAG):
        (tmp_path / "statement").write_bytes(data)
        (tmp_path / "policy").write_bytes(policy(row["policy"]))
        said = verdict(capsys, "receipt", f"{tmp_path}/statement", "--policy", f"{tmp_path}/policy")
        assert said == (row["exit"], row["code"])
    else:  # the command takes it for another kind of receipt
        with refusal(Code(row["code"])):
            check_transparent(data, trust, BACKEND, None)


@pytest.mark.parametrize("row", read("set-proofs")["cases"], ids=named(read("set-proofs")["cases"]))
def test_a_shards_receipt_gets_its_verdict(row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "receipt").write_text(row["receipt"])
    (tmp_path / "proof").write_text(row["set_proof"])
    (tmp_path / "policy").write_bytes(policy(row["policy"]))
    paths = (f"{tmp_path}/receipt", "--set-proof", f"{tmp_path}/proof", "--policy", f"{tmp_path}/policy")
    assert verdict(capsys, "receipt", *paths) == (row["exit"], row["code"])


@pytest.mark.parametrize("row", read("sets")["cases"], ids=named(read("sets")["cases"]))
def test_a_set_gets_its_verdict(row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(bundle_of_a_set(row["heads"]), tmp_path / "set/heads")
    for name, part in row["shards"].items():
        write(bundle_of_a_set(part), tmp_path / "set/shards" / name)
    (tmp_path / "policy").write_bytes(policy(row["policy"]))
    status, events = run(capsys, "set", f"{tmp_path}/set", "--policy", f"{tmp_path}/policy", "--jobs", "1")
    told = {
        (one["code"], one["log"] or "", one["file"] if one["index"] is None else one["index"])
        for one in events
        if one["event"] == "defect"
    }
    assert told == {(one["code"], one["log"], one.get("index", one.get("file"))) for one in row["defects"]}
    assert (status, events[-1]["code"] or "") == (row["exit"], row["code"])
    assert any(one["event"] == "unchecked" for one in events) is row["unchecked"]


@pytest.mark.parametrize("row", read("completeness")["cases"], ids=named(read("completeness")["cases"]))
def test_a_completeness_file_gets_its_verdict(row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text(row["file"])
    (tmp_path / "policy").write_bytes(policy(row["policy"]))
    shown = []
    for n, text in enumerate(row.get("shown", [])):
        (tmp_path / f"shown{n}").write_text(text)
        shown.append(f"{tmp_path}/shown{n}")
    said = verdict(capsys, "completeness", f"{tmp_path}/file", *shown, "--policy", f"{tmp_path}/policy")
    assert said == (row["exit"], row["code"])


@pytest.mark.parametrize("row", read("packs")["cases"], ids=named(read("packs")["cases"]))
def test_a_pack_gets_its_verdict(row: Json, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {**read("packs")["files"], **row["change"]}
    write({name: text.encode() for name, text in files.items() if name not in row["remove"]}, tmp_path / "pack")
    (tmp_path / "policy").write_bytes(policy(read("packs")["policy"]))
    said = verdict(capsys, "pack", f"{tmp_path}/pack", "--policy", f"{tmp_path}/policy")
    assert said == (row["exit"], row["code"])


def accepts(work: Callable[[], object]) -> bool:
    try:
        work()
    except (Refuted, CannotCheck):
        return False
    return True


def wrong(rows: list[Json], work: Callable[[Json], object]) -> list[str]:
    """The names of the rows that are accepted and should not be, or the reverse."""
    return [row["name"] for row in rows if accepts(lambda row=row: work(row)) is not row["accept"]]  # type: ignore[misc]


def led(row: Json) -> list[Json]:
    """The keys to which the verifier is led by the documents and proofs of a row."""
    origin = read("log-keys")["origin"]
    proofs = {(one["index"], one["size"]): one["hashes"] for one in row["proofs"]}
    entries = {one["index"]: one["leaf"].encode() for one in row["documents"]}
    words = Words()
    for index, entry in entries.items():
        words.read(document_of(entry, index), index)

    def vouches(key: bytes, signature: bytes, index: int, size: int) -> None:
        path = [decode_base64url(text) for text in proofs[index, size]]
        top = merkle.inclusion_root(index, size, merkle.hash_leaf(entries[index]), path)
        BACKEND.verify(Ed25519Key(key), Checkpoint(origin, size, top).body(), signature)

    trusted = [parse_vkey(text).key for text in row["trusted"]]
    found = successors([key.raw for key in trusted if isinstance(key, Ed25519Key)], words, vouches)
    names = {one.key: note_key(origin, one.key).vkey for one in found}
    return [{"vkey": names[one.key], "by": note_key(origin, one.by).vkey, "first": one.first} for one in found]


@pytest.mark.parametrize("row", read("log-keys")["cases"], ids=named(read("log-keys")["cases"]))
def test_the_log_leads_from_key_to_key_as_its_documents_prove(row: Json) -> None:
    if row["accept"]:
        assert led(row) == row["keys"]
        return
    with pytest.raises(Refuted) as caught:
        led(row)
    assert caught.value.defect.code == row["code"]


def test_cl_json() -> None:
    assert wrong(read("cl-json")["cases"], lambda row: decode_canonical(bytes.fromhex(row["hex"]), 16_384)) == []
    for row in read("cl-json")["cases"]:
        if row["accept"]:
            raw = bytes.fromhex(row["hex"])
            assert encode_canonical(decode_canonical(raw, 16_384)) == raw


def test_base64() -> None:
    for row in read("base64")["cases"]:
        decode = decode_base64url if row["alphabet"] == "base64url" else decode_base64
        assert accepts(lambda row=row, decode=decode: decode(row["text"])) is row["accept"], row  # type: ignore[misc]
        if row["accept"]:
            assert decode(row["text"]).hex() == row["hex"]


def test_derivations() -> None:
    made = read("derivations")
    for row in made["leaves"]:
        leaf = row["leaf"].encode()
        parse_leaf(leaf)
        assert hashing.b64u(merkle.hash_leaf(leaf)) == row["hash"]
    for row in made["chains"]:
        assert hashing.b64u(chain_of(row["name"])) == row["chain"]
    for row in made["terms"]:
        assert hashing.b64u(terms_hash(json.loads(row["terms"]))) == row["hash"]
    for row in made["accounts"]:
        assert hashing.b64u(accounts_hash(row["accounts"])) == row["hash"]
    for row in made["commitments"]:
        check_commitment(hashing.unb64u(row["commitment"]), hashing.unb64u(row["opening"]), row["evidence"].encode())
    for row in made["challenges"]:
        record = {**read("passkeys")["cases"][0]["record"], "nonce": row["nonce"], "signed": json.loads(row["signed"])}
        record["public_key"] = read("passkeys")["cases"][0]["public_key"]
        assert hashing.b64u(parse_assertion(record).challenge) == row["challenge"]
    assert Growth().root().hex() == patricia.Map().root().hex() == made["nodes"][0]["hash"]
    node = made["nodes"][1]
    assert merkle.hash_node(bytes.fromhex(node["left"]), bytes.fromhex(node["right"])).hex() == node["hash"]


def proof(row: Json) -> None:
    path = [bytes.fromhex(one) for one in row["path"]]
    hashes = {
        name: bytes.fromhex(row[name]) for name in ("leaf", "root", "old_root", "new_root", "subtree") if name in row
    }
    if row["kind"] == "inclusion":
        merkle.verify_inclusion(row["index"], row["size"], hashes["leaf"], path, hashes["root"])
    elif row["kind"] == "consistency":
        merkle.verify_consistency(row["old_size"], row["new_size"], path, hashes["old_root"], hashes["new_root"])
    else:
        merkle.verify_subtree_consistency(
            row["start"], row["end"], row["size"], path, hashes["subtree"], hashes["root"]
        )


def test_trees() -> None:
    made = read("merkle")
    growing = Growth()
    roots = [growing.root().hex()]
    for leaf in made["leaves"]:
        growing.append(merkle.hash_leaf(bytes.fromhex(leaf)))
        roots.append(growing.root().hex())
    assert roots == [row["root"] for row in made["roots"]]
    assert wrong(made["proofs"], proof) == []


def map_proof(row: Json) -> None:
    key, root, steps = (bytes.fromhex(row[name]) for name in ("key", "root", "proof"))
    if row["kind"] == "present":
        patricia.verify_present(root, key, bytes.fromhex(row["value"]), steps)
    else:
        patricia.verify_absent(root, key, steps)


def test_the_completeness_map() -> None:
    made = read("map")
    pairs = [(bytes.fromhex(row["key"]), bytes.fromhex(row["value"])) for row in made["pairs"]]
    for row in made["roots"]:
        tree = patricia.Map()
        for key, value in pairs[: row["pairs"]]:
            tree.put(key, value)
        assert tree.root().hex() == row["root"]
    assert wrong(made["proofs"], map_proof) == []


def test_notes_policies_and_trust_files() -> None:
    def checkpoint(row: Json) -> None:
        text = f"log {row['vkey']}\nquorum none\n"
        parse_policy(text.encode()).verify(row["note"].encode(), BACKEND)

    assert wrong(read("notes")["notes"], checkpoint) == []
    assert wrong(read("notes")["vkeys"], lambda row: parse_vkey(row["vkey"])) == []
    assert wrong(read("policies")["policies"], lambda row: parse_policy(row["text"].encode())) == []
    assert wrong(read("policies")["trust_files"], lambda row: parse_trust(row["text"].encode())) == []


def statement(row: Json) -> None:
    """In the order of statements.md: spelling, header, key lookup, signature, and only then the payload."""
    envelope = parse_envelope(row["jws"])
    if envelope.kid != row["kid"]:
        raise refuted(Code.BAD_SIGNATURE, "another kid")
    verify_envelope(envelope, parse_jwk(row["jwk"]), BACKEND)
    read_payload(envelope.payload, read("statements")["origin"])


def test_the_form_of_each_act() -> None:
    made = read("acts")
    assert {row["name"].partition(":")[0] for row in made["cases"]} == MEMBERS.keys()
    for row in made["cases"]:
        code = ""
        try:
            read_payload(row["payload"].encode(), made["origin"])
        except Refuted as refusal:
            code = str(refusal.defect.code)
        assert code == row.get("code", ""), row["name"]


def test_statements_and_keys() -> None:
    assert wrong(read("statements")["cases"], statement) == []
    for row in read("statements")["cases"]:
        if not row["accept"]:
            with pytest.raises(Refuted) as refusal:
                statement(row)
            assert str(refusal.value.defect.code) == row["code"], row["name"]
    assert wrong(read("keys")["jwk"], key) == []
    assert wrong(read("keys")["cose"], lambda row: parse_cose_key(hashing.unb64u(row["public_key"]))) == []


def key(row: Json) -> None:
    """A key as `key.added` registers it."""
    found = parse_jwk(row["jwk"])
    if isinstance(found, Ed25519Key):
        check_registered_key(found.raw)
    if found.alg != row["alg"]:
        raise refuted(Code.BAD_SIGNATURE, "another algorithm")


def gesture(row: Json) -> None:
    """The record under the authorisation of the file, by a passkey that is enrolled with this key."""
    enrolled = Gestures(parse_trust(policy(None)), BACKEND)
    said = {"public_key": row["public_key"], "rp_id": row["record"].get("rp_id")}
    enrolled.enrol(b"chain", "bank.example", {"credential_id": row["record"]["credential_id"], **said})
    enrolled.confirm(row["record"], "consent.authorise", "bank.example", read("passkeys")["statement"])


def test_passkeys() -> None:
    assert wrong(read("passkeys")["cases"], gesture) == []


@pytest.mark.parametrize("row", read("data-maps")["cases"], ids=lambda row: row["name"])
def test_data_maps(row: Json) -> None:
    if not row["accept"]:
        with pytest.raises(Refuted):
            read_map(row["map"].encode())
        return
    given = read_map(row["map"].encode())
    assert {"fields": given.fields, "map_hash": given.hash} == row["publishes"]
