"""Receipts in the form of COSE: what the ledger signs, an independent library of SCITT and COSE reads, and the verifier too;
and what each refuses (docs/spec/cose.md)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
import scitt_cose
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.cose import LEAF_TYPE, transparent_statement
from ledger.custody.log_key import read_signer
from ledger.errors import BadSignature, LedgerError
from ledger.notes.keys import Ed25519NoteSigner
from ledger.receipts import receipt_bytes
from tests.verifier.forge import Forge
from tests.verifier.running import run
from tests.world import Node, running
from verifier.bytes.merkle import hash_leaf
from verifier.crypto.backend import select
from verifier.crypto.keys import ed25519_key
from verifier.errors import Code, Refuted
from verifier.tlog.cose import parse_receipt

Told = tuple[int, list[dict[str, Any]]]
SEED = bytes(range(32))


@pytest.fixture
def node(sqlite_url: str, tmp_path: Path) -> Any:
    with running(sqlite_url, tmp_path / "node") as made:
        yield made


def public_pem(node: Node) -> bytes:
    data = base64.b64decode(node.ledger.vkey.format().split("+", 2)[2])
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return Ed25519PublicKey.from_public_bytes(data[1:]).public_bytes(serialization.Encoding.PEM, spki)


def signer_of(node: Node) -> Any:
    return read_signer(node.config.log_key_file)


def made(node: Node, *, disclose: bool = True) -> tuple[bytes, bytes]:
    """The receipt of an access, and its transparent statement."""
    entry = node.access(node.grant())
    receipt = receipt_bytes(entry, disclose=disclose)
    return receipt, transparent_statement(receipt, signer_of(node))


def asked(
    node: Node, statement: bytes, place: Path, capsys: pytest.CaptureFixture[str], *words: object, quorum: str = ""
) -> Told:
    (place / "statement").write_bytes(statement)
    (place / "policy").write_text(f"log {node.ledger.vkey.format()}\n{quorum or 'quorum none'}\n")
    return run(capsys, "receipt", place / "statement", "--policy", place / "policy", *words)  # type: ignore[return-value]


def parts(statement: bytes) -> list[Any]:
    protected, unprotected, payload, signature = cbor2.loads(statement).value
    return [protected, dict(unprotected), payload, signature]


def whole(items: list[Any]) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(18, items), canonical=True)


def test_an_independent_library_reads_statement_and_receipt(node: Node) -> None:
    receipt, statement = made(node)
    pem = public_pem(node)
    read = scitt_cose.parse_signed_statement(statement, public_key_pem=pem)
    origin = node.ledger.vkey.format().split("+")[0]
    assert read["signature_verified"] is True
    index = json.loads(read["payload"])["index"]
    assert (read["issuer"], read["subject"], read["content_type"]) == (origin, f"entry/{index}", LEAF_TYPE)
    assert read["payload"] in receipt.replace(b'\\"', b'"')
    [inner] = scitt_cose.extract_receipts(statement)
    result = scitt_cose.verify_receipt(inner, leaf_entry_hex=read["payload"].hex(), log_public_key_pem=pem)
    assert (result.ok, result.leaf_index, result.tree_size) == (True, index, index + 1)
    assert (result.issuer, result.subject) == (origin, f"entry/{index}")
    other = scitt_cose.verify_receipt(inner, leaf_entry_hex=(read["payload"] + b" ").hex(), log_public_key_pem=pem)
    assert other.ok is False


def test_the_verifier_reads_it_and_says_what_it_says(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, statement = made(node)
    status, events = asked(node, statement, tmp_path, capsys)
    facts = {one["name"]: one["value"] for one in events if one["event"] == "fact"}
    assert (status, events[-1]["code"]) == (0, "VALID")
    assert facts["decision"] == "allow"
    assert facts["act"].startswith("access.request by fintech-b")
    _, bare = made(node, disclose=False)
    status, events = asked(node, bare, tmp_path, capsys)
    unchecked = [one["what"] for one in events if one["event"] == "unchecked"]
    assert (status, unchecked) == (0, ["the entry's content (not disclosed by this receipt)"])


def test_a_cose_receipt_is_logged_and_never_witnessed(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, statement = made(node)
    forge = Forge()
    witness = forge.vkey(forge.witness_key, "witness.example", 4)
    quorum = f"witness w {witness}\nquorum w"
    status, events = asked(node, statement, tmp_path, capsys, quorum=quorum)
    assert (status, events[-1]["code"]) == (3, "VALID_UNWITNESSED")
    status, events = asked(node, statement, tmp_path, capsys, "--max-age", "24h")
    assert (status, "--max-age" in events[-1]["reason"]) == (2, True)


def changed(statement: bytes, how: Callable[[list[Any]], None]) -> bytes:
    items = parts(statement)
    how(items)
    return whole(items)


def inner(items: list[Any], how: Callable[[list[Any]], None]) -> None:
    """A change of the receipt within."""
    items[1][394] = [changed(items[1][394][0], how)]


def proof(items: list[Any], how: Callable[[list[Any]], None]) -> None:
    """A change of the inclusion proof within the receipt."""

    def then(receipt: list[Any]) -> None:
        size, index, path = cbor2.loads(dict(receipt[1][396])[-1][0])
        numbers = [size, index, list(path)]
        how(numbers)
        receipt[1] = {396: {-1: [cbor2.dumps(numbers)]}}

    inner(items, then)


def flip(items: list[Any], at: int) -> None:
    items[at] = bytes([items[at][0] ^ 1]) + items[at][1:]


WRONG: list[tuple[str, str, Callable[[list[Any]], None]]] = [
    ("the leaf", "BAD_SIGNATURE", lambda i: i.__setitem__(2, i[2].replace(b'"seq":2', b'"seq":3'))),
    ("the signature", "BAD_SIGNATURE", lambda i: flip(i, 3)),
    ("the receipt's signature", "BAD_SIGNATURE", lambda i: inner(i, lambda r: flip(r, 3))),
    ("the path", "BAD_SIGNATURE", lambda i: proof(i, lambda n: n[2].__setitem__(0, bytes(32)))),
    ("the path's length", "BAD_PROOF", lambda i: proof(i, lambda n: n[2].pop())),
    ("the index", "BAD_PROOF", lambda i: proof(i, lambda n: n.__setitem__(1, n[1] + 1))),
    ("a header more", "BAD_ENCODING", lambda i: i[1].update({"more": 1})),
    ("two receipts", "BAD_ENCODING", lambda i: i[1].update({394: i[1][394] * 2})),
    ("no receipt", "BAD_ENCODING", lambda i: i[1].pop(394)),
    ("evidence without opening", "BAD_ENCODING", lambda i: i[1].pop("opening")),
    ("another opening", "BAD_COMMITMENT", lambda i: i[1].update({"opening": bytes(32)})),
    ("other evidence", "BAD_COMMITMENT", lambda i: i[1].update({"evidence": i[1]["evidence"].replace(b"allow", b"deny!")})),
    ("a detached payload", "BAD_ENCODING", lambda i: i.__setitem__(2, None)),
    ("a root attached", "BAD_ENCODING", lambda i: inner(i, lambda r: r.__setitem__(2, bytes(32)))),
    ("another content type", "BAD_ENCODING", lambda i: i.__setitem__(
        0, cbor2.dumps({**dict(cbor2.loads(i[0])), 3: "text/plain"}, canonical=True))),
    ("another subject", "BAD_SIGNATURE", lambda i: i.__setitem__(
        0, cbor2.dumps({**dict(cbor2.loads(i[0])), 15: {1: dict(cbor2.loads(i[0])[15])[1], 2: "entry/1"}}, canonical=True))),
    ("another issuer", "BAD_SIGNATURE", lambda i: i.__setitem__(
        0, cbor2.dumps({**dict(cbor2.loads(i[0])), 15: {1: "other.example/1", 2: "entry/1"}}, canonical=True))),
    ("another algorithm", "BAD_SIGNATURE", lambda i: i.__setitem__(
        0, cbor2.dumps({**dict(cbor2.loads(i[0])), 1: -7}, canonical=True))),
]  # fmt: skip


@pytest.mark.parametrize(("what", "code", "how"), WRONG, ids=[row[0] for row in WRONG])
def test_every_change_is_refuted(
    what: str,
    code: str,
    how: Callable[[list[Any]], None],
    node: Node,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, statement = made(node)
    assert changed(statement, lambda _: None) == statement
    status, events = asked(node, changed(statement, how), tmp_path, capsys)
    assert (status, next(one["code"] for one in events if one["event"] == "defect")) == (1, code), what


def test_bytes_that_are_no_statement_are_refuted(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, statement = made(node)
    for wrong in (
        statement + b"\0",
        statement[:-1],
        b"\xd2",
        b"\xd2\x80",
        whole([b"", {}, b"", b""]),
        statement[:1] + bytes(131_072),
    ):
        status, events = asked(node, wrong, tmp_path, capsys)
        assert (status, events[-1]["code"]) == (1, "BAD_ENCODING")


def test_a_key_with_bounds_vouches_for_none_of_them(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, statement = made(node)
    (tmp_path / "statement").write_bytes(statement)
    vkey = node.ledger.vkey.format()
    bounds: list[tuple[dict[str, Any], str]] = [
        ({"valid_from_size": 0, "valid_to_size": None}, "VALID"),
        ({"valid_from_size": 0, "valid_to_size": 10_000}, "POLICY_REJECTED"),
        ({"valid_from_size": 5, "valid_to_size": None}, "POLICY_REJECTED"),
        ({"valid_from_size": 0, "valid_to_size": None, "compromised_from_size": 99_999}, "POLICY_REJECTED"),
    ]
    for bound, code in bounds:
        trust = {
            "v": 1,
            "version": 1,
            "expires": 2**50,
            "policy": f"log {vkey}\nquorum none\n",
            "rp_ids": [],
            "origins": [],
            "keys": [{"vkey": vkey, **bound}],
        }
        (tmp_path / "trust").write_text(json.dumps(trust))
        _, events = run(capsys, "receipt", tmp_path / "statement", "--policy", tmp_path / "trust")
        assert events[-1]["code"] == code


def test_the_verifier_reads_what_the_library_builds() -> None:
    """A receipt that shares no line of ours: keys, tree, CBOR and signature are the library's."""
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    entries = [bytes([n]) for n in range(11)]
    for index in (0, 5, 10):
        receipt = scitt_cose.build_receipt(
            leaf_entry_hex=entries[index].hex(),
            leaf_index=index,
            tree_entries_hex=[one.hex() for one in entries],
            alg="EdDSA",
            log_private_key_pem=pem,
            iss="ledger.example/1",
            sub=f"entry/{index}",
            kid=b"ledger.example/1+0",
        )
        raw = ed25519_key(key.public_key().public_bytes_raw())
        assert parse_receipt(receipt).verify_inclusion(entries[index], raw, select("pure"))
        with pytest.raises(Refuted) as refused:
            parse_receipt(receipt).verify_inclusion(entries[index - 1], raw, select("pure"))
        assert refused.value.defect.code is Code.BAD_SIGNATURE
    assert hash_leaf(entries[0]).hex() == scitt_cose.leaf_hash(entries[0].hex())


# --- what the log's key signs ---------------------------------------------------------------------------------


def test_the_log_key_signs_no_root_that_it_did_not_sign_before(node: Node) -> None:
    receipt, _ = made(node)
    origin = node.ledger.vkey.format().split("+")[0]
    stranger = Ed25519NoteSigner(origin, SEED)
    with pytest.raises(BadSignature):
        transparent_statement(receipt, stranger)
    for wrong in (receipt[:-9] + receipt[-8:], b"{}", receipt.replace(b"allow", b"denyy")):
        with pytest.raises(LedgerError):
            transparent_statement(wrong, signer_of(node))
