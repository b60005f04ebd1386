"""The ledger gives every vector's verdict for what it reads or derives itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec

from api.client.digest import REQUEST
from ledger.canonical import b64u, decode, encode, unb64, unb64u
from ledger.cose import transparent_statement
from ledger.datamaps import parse_map
from ledger.entries.assertion import accounts_hash, check_ceremony, cose_verifier, parse_assertion
from ledger.entries.consent_acts import ConsentAuthorise
from ledger.entries.keys import verifier_of
from ledger.entries.leaf import commitment, consent_chain, ledger_chain, parse_leaf, participant_chain, subject_chain
from ledger.entries.statement import header_text, parse_payload, parse_statement, unknown_key
from ledger.entries.terms import Terms
from ledger.errors import LedgerError
from ledger.merkle.hashing import EMPTY_ROOT, leaf_hash
from ledger.merkle.pages import PagedMap
from ledger.merkle.proofs import verify_consistency, verify_inclusion
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.keys import Ed25519NoteSigner, parse_vkey
from ledger.notes.policy import parse_policy
from ledger.packs import PackItem, item_hash
from ledger.policy.reconciliation import Finding, findings_hash
from ledger.receipts import check_receipt
from tests.vectors.hashing import sha
from tests.vectors.log import ORIGIN
from tests.vectors.reading import policy, read
from tests.vectors.signing import Ed25519

Json = dict[str, Any]


def accepts(work: Callable[[], object]) -> bool:
    try:
        work()
    except LedgerError:
        return False
    return True


def wrong(rows: list[Json], work: Callable[[Json], object]) -> list[str]:
    """The names of the rows that are accepted and should not be, or the reverse."""
    return [row["name"] for row in rows if accepts(lambda row=row: work(row)) is not row["accept"]]  # type: ignore[misc]


def test_encodings() -> None:
    assert wrong(read("cl-json")["cases"], lambda row: decode(bytes.fromhex(row["hex"]), limit=16_384)) == []
    for row in read("base64")["cases"]:
        read_text = unb64u if row["alphabet"] == "base64url" else unb64
        assert accepts(lambda row=row, read_text=read_text: read_text(row["text"])) is row["accept"], row  # type: ignore[misc]


def test_derivations() -> None:
    made = read("derivations")
    for row in made["leaves"]:
        parse_leaf(row["leaf"].encode())
        assert b64u(leaf_hash(row["leaf"].encode())) == row["hash"]
    for row in made["chains"]:
        assert b64u(chain(row["name"])) == row["chain"]
    for row in made["commitments"]:
        assert b64u(commitment(row["evidence"].encode(), unb64u(row["opening"]))) == row["commitment"]
    for row in made["accounts"]:
        assert accounts_hash(tuple(row["accounts"])) == row["hash"]
    for row in made["findings"]:
        assert findings_hash(tuple(Finding(one["access"], one["finding"]) for one in row["findings"])) == row["hash"]
    for row in made["requests"]:
        assert b64u(sha(REQUEST, encode(row["request"]))) == row["digest"]
    for row in made["challenges"]:
        record = {**read("passkeys")["cases"][0]["record"], "nonce": row["nonce"], "signed": json.loads(row["signed"])}
        assert b64u(parse_assertion(encode(record).decode()).challenge()) == row["challenge"]
    for row in made["terms"]:
        assert b64u(terms(row["terms"]).hash()) == row["hash"]


def chain(name: str) -> bytes:
    match name.split(":", 2):
        case ["subject", holder, subject]:
            return subject_chain(holder, subject)
        case ["operator", "ledger"]:
            return ledger_chain()
        case ["operator", "participant", participant]:
            return participant_chain(participant)
        case _:
            return consent_chain(name)


def terms(text: str) -> Terms:
    return msgspec.json.decode(text, type=Terms)


def proof(row: Json) -> None:
    path = [bytes.fromhex(one) for one in row["path"]]
    if row["kind"] == "inclusion":
        verify_inclusion(row["index"], row["size"], bytes.fromhex(row["leaf"]), path, bytes.fromhex(row["root"]))
    else:
        roots = [bytes.fromhex(row[name]) for name in ("old_root", "new_root")]
        verify_consistency(row["old_size"], row["new_size"], path, *roots)


def test_trees() -> None:
    assert wrong([row for row in read("merkle")["proofs"] if row["kind"] != "subtree"], proof) == []


def test_the_completeness_map() -> None:
    """The ledger makes the roots and proofs that a reader accepts, to the byte."""
    made, pages = read("map"), dict[str, bytes]()
    pairs = [(bytes.fromhex(row["key"]), bytes.fromhex(row["value"])) for row in made["pairs"]]
    roots, tree = [], PagedMap(EMPTY_ROOT, lambda wanted: {one: pages[one] for one in wanted if one in pages})
    for n in range(len(pairs) + 1):
        roots.append(tree.root.hex())
        pages |= tree.update(dict(pairs[n : n + 1])).pages
    assert [roots[row["pairs"]] for row in made["roots"]] == [row["root"] for row in made["roots"]]
    rows = [row for row in made["proofs"] if row["accept"] and row["root"] == roots[-1]]
    assert {row["kind"] for row in rows} == {"present", "absent"}
    for row in rows:
        found = tree.find(bytes.fromhex(row["key"]))
        assert (found.proof.hex(), found.value and found.value.hex()) == (row["proof"], row.get("value"))


def test_notes_and_policies() -> None:
    assert wrong(read("notes")["notes"], lambda row: open_checkpoint(row["note"], parse_vkey(row["vkey"]))) == []
    assert wrong(read("notes")["vkeys"], lambda row: parse_vkey(row["vkey"])) == []
    assert wrong(read("policies")["policies"], lambda row: parse_policy(row["text"].encode())) == []


def statement(row: Json) -> None:
    verify = verifier_of(row["alg"], row["jwk"])

    def check(header: str, signed: bytes, signature: bytes) -> str:
        if header != header_text(row["alg"], row["kid"]):
            raise unknown_key(header)
        verify(signed, signature)
        return str(row["kid"])

    parse_statement(row["jws"], check)


def test_statements_and_keys() -> None:
    assert wrong(read("statements")["cases"], statement) == []
    assert wrong(read("keys")["jwk"], lambda row: verifier_of(row["alg"], row["jwk"])) == []
    assert wrong(read("keys")["cose"], lambda row: cose_verifier(unb64u(row["public_key"]))) == []


def test_the_form_of_each_act() -> None:
    """Its log, and for whom it speaks, are looked at where the statement is submitted."""
    elsewhere = {"consent.revoke: for another log", "consent.acknowledge: for itself as somebody else"}
    rows = [row for row in read("acts")["cases"] if row["name"] not in elsewhere]
    assert len(rows) == len(read("acts")["cases"]) - len(elsewhere)
    assert wrong(rows, lambda row: parse_payload(row["payload"].encode())) == []


def gesture(row: Json) -> None:
    act = msgspec.convert(read("passkeys")["statement"], ConsentAuthorise)
    record = parse_assertion(encode(row["record"]).decode())
    check_ceremony(record, act)
    signed = unb64u(record.authenticator_data) + sha(unb64u(record.client_data))
    cose_verifier(unb64u(row["public_key"]))(signed, unb64u(record.signature))


def test_passkeys() -> None:
    assert wrong(read("passkeys")["cases"], gesture) == []


def test_receipts() -> None:
    """The ledger's own check of a receipt: commitment, leaf, inclusion, signature of the log. Statements are left to
    the verifier."""
    key = parse_vkey(policy("policy").decode().split()[1])
    of_others = {"BAD_CHAIN", "TIME_INVALID", "KEY_COMPROMISED"}
    """What a statement, or a reader's trust file, says."""
    rows = [
        {**row, "accept": row["exit"] in (0, 3)}
        for row in read("receipts")["cases"]
        if row["code"] not in of_others
        and row["name"] not in ("a statement for another log", "an item of another batch")
        and not row["name"].startswith("a declaration ")
    ]
    assert wrong(rows, lambda row: check_receipt(row["receipt"].encode(), key)) == []


def test_a_transparent_statement_is_made_byte_by_byte_of_a_receipt() -> None:
    signer = Ed25519NoteSigner(ORIGIN, bytes(Ed25519("log").key))
    rows = [row for row in read("transparent")["cases"] if "receipt" in row]
    assert len(rows) > 5
    for row in rows:
        made = transparent_statement(row["receipt"].encode(), signer)
        assert made == base64.b64decode(row["statement"]), row["name"]


def test_the_leaves_of_a_pack() -> None:
    made = read("packs")
    pack_id = unb64u(json.loads(made["files"]["pack.json"])["pack_id"])
    for n, expected in enumerate(made["leaves"]):
        item = json.loads(made["files"][f"items/{n:06d}.json"])
        found = item_hash(pack_id, PackItem(item["name"], item["value"].encode(), unb64u(item["salt"])))
        assert found.hex() == expected


def test_data_maps() -> None:
    rows = read("data-maps")["cases"]
    assert wrong(rows, lambda row: parse_map(row["map"].encode())) == []
    for row in rows:
        if row["accept"]:
            found = parse_map(row["map"].encode())
            said = {"fields": len(found.fields), "map_hash": b64u(sha(b"", found.encoded()))}
            assert said == row["publishes"], row["name"]
