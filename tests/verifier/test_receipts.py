"""Receipts: what each says beside its proof, and what of it could not be checked."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.verifier.forge import RECIPIENT, Json, World, b64u, encode
from tests.verifier.making import BACKEND, refusal
from tests.verifier.making import Signer as Stranger
from verifier.audit.receipt import Checked, check_receipt, parse_receipt
from verifier.crypto.keys import parse_jwk
from verifier.errors import CannotCheck, Code
from verifier.tlog.trust import parse_trust


@cache
def world() -> World:
    made = World(3).open()
    made.grant()
    return made


REQUESTED, OPENED = 7, 0
"""Entries: a consent's first, and the log's."""


def checked(members: Json, *, keys: bool = True) -> Checked:
    signer = world().signers[RECIPIENT]
    known = {signer.kid: parse_jwk(signer.jwk)} if keys else None
    return check_receipt(encode(members), parse_trust(world().policy().encode()), BACKEND, known)


def codes(found: Checked) -> list[str]:
    return [str(defect.code) for defect in found.findings.defects]


def test_a_receipt_is_checked_down_to_its_signature() -> None:
    found = checked(world().receipt(REQUESTED, cosign=True)).findings
    assert found.defects == []
    assert found.unchecked == {}
    assert found.checked == {
        "inclusion proof": 1,
        "checkpoint signatures": 2,
        "commitment": 1,
        "statement signature": 1,
    }


def test_without_keys_the_signature_is_told_as_not_checked() -> None:
    found = checked(world().receipt(REQUESTED), keys=False).findings
    assert found.defects == []
    assert list(found.unchecked.values()) == [1]
    assert "statement signature" not in found.checked


def test_a_receipt_says_that_it_discloses_nothing() -> None:
    shown = {name: value for name, value in world().receipt(REQUESTED).items() if name not in ("evidence", "opening")}
    found = checked(shown).findings
    assert (found.defects, list(found.unchecked.values())) == ([], [1])
    opened = checked(world().receipt(OPENED)).findings
    assert (opened.defects, opened.unchecked) == ([], {})
    evidence = {name: world().receipt(REQUESTED)[name] for name in ("evidence", "opening")}
    assert codes(checked({**world().receipt(OPENED), **evidence})) == ["BAD_ENCODING"]


def test_leaf_and_proof_are_of_one_entry_and_evidence_is_the_leafs() -> None:
    one, other = world().receipt(REQUESTED), world().receipt(REQUESTED + 1)
    assert codes(checked({**one, "proof": other["proof"]})) == ["BAD_PROOF", "BAD_PROOF"]
    assert codes(checked({**one, "evidence": other["evidence"]})) == ["BAD_COMMITMENT"]
    assert codes(checked({**one, "opening": b64u(bytes(32))})) == ["BAD_COMMITMENT"]


def test_a_statement_under_an_unknown_key_is_a_defect_of_its_entry() -> None:
    found = check_receipt(encode(world().receipt(REQUESTED)), parse_trust(world().policy().encode()), BACKEND, {})
    assert [(defect.code, defect.place.index) for defect in found.findings.defects] == [(Code.BAD_SIGNATURE, REQUESTED)]


def test_a_receipt_of_a_log_that_is_not_trusted_has_that_one_defect() -> None:
    stranger = parse_trust(f"log {Stranger('stranger.example').vkey}\nquorum none\n".encode())
    found = check_receipt(encode(world().receipt(REQUESTED)), stranger, BACKEND, None)
    assert (codes(found), found.head) == (["BAD_SIGNATURE"], None)


def test_unsigned_and_unreadable_requests_count_as_unsigned() -> None:
    made = World(4).open()
    consent = made.grant(expires_at=made.time // 1000 + 60)
    made.tick(60_000)
    expired = made.expire(consent)
    made.bend_evidence = lambda _, evidence: evidence.update(more=1)
    made.request()
    trust = parse_trust(made.policy().encode())
    for index, expected in ((expired, []), (expired + 1, ["BAD_ENCODING"])):
        found = check_receipt(encode(made.receipt(index)), trust, BACKEND, {})
        assert codes(found) == expected
        assert found.findings.checked["statement signature"] == 0


def receipt(**changes: Any) -> bytes:
    return encode(
        {name: value for name, value in {**world().receipt(REQUESTED), **changes}.items() if value is not None}
    )


@pytest.mark.parametrize(
    "changes", [{"v": 0}, {"v": "1"}, {"v": 1.0}, {"evidence": None}, {"opening": None}, {"more": 1}]
)
def test_anything_but_a_receipt_is_refused(changes: dict[str, Any]) -> None:
    with refusal(Code.BAD_ENCODING):
        parse_receipt(receipt(**changes))


@pytest.mark.parametrize(("name", "limit"), [("leaf", 1_024), ("evidence", 49_152)])
def test_leaf_and_evidence_are_bounded(name: str, limit: int) -> None:
    assert len(getattr(parse_receipt(receipt(**{name: "x" * limit})), name)) == limit
    with refusal(Code.BAD_ENCODING):
        parse_receipt(receipt(**{name: "x" * (limit + 1)}))


def test_a_receipt_has_at_most_1_400_000_bytes() -> None:
    assert parse_receipt(receipt().ljust(1_400_000)).proof.index == REQUESTED
    with refusal(Code.BAD_ENCODING):
        parse_receipt(receipt().ljust(1_400_001))


def test_objects_of_a_later_version_are_not_judged() -> None:
    """A receipt, or the leaf in it: neither right nor wrong, so exit status 2."""
    trust = parse_trust(world().policy().encode())
    leaf = json.loads(world().receipt(REQUESTED)["leaf"]) | {"v": 2}
    for changes in ({"v": 2}, {"leaf": encode(leaf).decode()}):
        with pytest.raises(CannotCheck, match="version"):
            check_receipt(receipt(**changes), trust, BACKEND, None)


def test_a_receipt_is_read_in_any_spelling_of_its_members_and_in_no_other() -> None:
    made = json.loads(receipt())
    spelled = json.dumps(dict(reversed(made.items())), indent=2).encode()
    assert parse_receipt(spelled) == parse_receipt(receipt())
    for other in (
        b"\xef\xbb\xbf" + spelled,
        spelled[:-1] + b',"v":1}',
        spelled.replace(b'"v": 1', b'"v": 1.0'),
        spelled + b"{}",
    ):
        with refusal(Code.BAD_ENCODING):
            parse_receipt(other)


def test_the_proof_of_a_receipt_has_no_extra_line() -> None:
    proof = world().receipt(REQUESTED)["proof"].replace("index", "extra AAAA\nindex", 1)
    with refusal(Code.BAD_ENCODING):
        parse_receipt(receipt(proof=proof))
