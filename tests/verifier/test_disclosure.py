"""Evidence at the edges of its form, one entry alone: what the strict reader takes, with which facts, and what it refuses
(docs/spec/statements.md, «Evidence»)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier.forge import (
    HOLDER,
    ORIGIN,
    RECIPIENT,
    START,
    Forge,
    Signer,
    World,
    b64u,
    chain_of,
    encode,
    leaf_hash,
    path_of,
    sha,
    tree,
)
from verifier.crypto.backend import select
from verifier.crypto.keys import parse_jwk
from verifier.errors import Code
from verifier.records.disclosure import Reader
from verifier.records.facts import Facts, Found
from verifier.records.leaf import parse_leaf

SIGNERS = {who: Signer(who, who) for who in (HOLDER, RECIPIENT, "p" * 63)}
KEYS = {who: parse_jwk(signer.jwk) for who, signer in SIGNERS.items()}
CONSENT = "urn:forge:" + "c" * 22
REF, HASH = "r" * 22, b64u(bytes(32))
STATE = {"consent_version": 1, "ruleset": 2, "status": "REVOKED"}
DENIED = {
    "basis": 7, "consent_version": 1, "decision": "deny", "obligations": {}, "reasons": ["CONSENT_PAUSED"], "ruleset": 2,
    "used_today": 0,
}  # fmt: skip
ITEM = {
    "accounts": [], "consent_id": CONSENT, "customer_present": False, "from": 1, "to": 2, "interaction_id": "i" * 8,
    "permissions": ["ReadBalances"], "purpose": "AIS", "request_digest": HASH,
}  # fmt: skip
LEG = {"consent_id": CONSENT, "interaction_id": "i" * 8, "basis": 7, "rows": 1, "bytes": 2, "digest": HASH}


def payload(act: str, iss: str = HOLDER, **members: Any) -> dict[str, Any]:
    made = Forge(1).payload(iss, act)
    plain: dict[str, Any] = {
        "consent.revoke": {"consent_id": CONSENT, "reason": "asked", "by": "customer"},
        "access.request": ITEM,
        "access.release": LEG,
        "access.batch": {},
        "subject.consent": {"consent_id": CONSENT, "subject": REF},
    }[act]
    return {**made, **plain, **members}


def signed(content: dict[str, Any]) -> str:
    return SIGNERS[content["iss"]].sign(content)


def evidence(content: dict[str, Any], outcome: Any = None, **members: Any) -> dict[str, Any]:
    """By default as it should be."""
    made = {"act": content["act"], "statements": [signed(content)], "v": 1}
    return made | ({} if outcome is None else {"outcome": outcome}) | members


REVOKED = evidence(payload("consent.revoke"), STATE)
ASKED = evidence(payload("access.request", RECIPIENT), DENIED)


def reader(**options: Any) -> Reader:
    return Reader(ORIGIN, select(None), KEYS, **options)


def read(
    shown: dict[str, Any], *, kind: str = "consent", name: str = CONSENT, time: int = START, by: Any = None
) -> Found:
    found: Found = (by or reader()).read_evidence(kind, b64u(chain_of(name)).encode(), time, encode(shown))
    return found


def facts(shown: dict[str, Any], **place: Any) -> Facts:
    found = read(shown, **place)
    assert found.defects == []
    assert found.facts is not None
    return found.facts


def place_of(shown: dict[str, Any]) -> str:
    """The member that its one defect names."""
    [(_, _, field, _, _)] = read(shown).defects
    return field


def refused(code: Code, shown: dict[str, Any], **place: Any) -> None:
    """Nothing of it may count."""
    found = read(shown, **place)
    assert found.facts is None, shown
    assert [row[0] for row in found.defects] == [str(code)], found.defects


# --- what is taken --------------------------------------------------------------------------------------------


def test_a_statement_is_read_with_its_act_its_signer_and_its_identity() -> None:
    content = payload("consent.revoke")
    assert facts(REVOKED) == Facts(
        "consent.revoke",
        HOLDER,
        HOLDER,
        START // 1000,
        sha(f"{HOLDER}\0{content['jti']}".encode())[:16],
        sha(encode(content))[:16],
        -1,
        False,
        content,
        STATE,
        None,
        "",
    )
    long = evidence(payload("consent.revoke", "p" * 63), STATE)
    assert facts(long).iss == "p" * 63
    assert facts(REVOKED | {"assertion": {"a": 1}}).assertion == {"a": 1}


def test_of_an_access_only_what_the_rules_ask_about_is_kept() -> None:
    kept = {name: value for name, value in ITEM.items() if name not in ("consent_id", "request_digest")}
    made = facts(ASKED)
    assert (made.content, made.outcome, made.relayed, made.position, made.party) == (kept, DENIED, False, -1, RECIPIENT)
    content = payload("access.request", RECIPIENT, relayed=True, asserted=["RATE_LIMITED"], on_behalf_of=HOLDER)
    relayed = facts(evidence(content, DENIED | {"asserted": ["RATE_LIMITED"]}))
    assert relayed.content == kept | {"asserted": ["RATE_LIMITED"]}
    assert (relayed.relayed, relayed.behalf, relayed.party, relayed.iss) == (True, HOLDER, HOLDER, RECIPIENT)


def test_an_expiry_has_no_statement_and_nothing_beside_its_outcome() -> None:
    expiry = {"act": "consent.expire", "outcome": STATE, "statements": [], "v": 1}
    assert facts(expiry) == Facts("consent.expire", "", "", 0, b"", b"", -1, False, {}, STATE, None, "")
    for wrong in (
        {"statements": REVOKED["statements"]},
        {"item": {}},
        {"assertion": {}},
        {"item": {}, "assertion": {}},
    ):
        refused(Code.BAD_ENCODING, expiry | wrong)
    refused(Code.BAD_ENCODING, expiry, kind="subject")


# --- evidence and outcomes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "fine", "wrong"),
    [
        ("v", [1], [0, "2", True]),
        ("act", [], ["", 1]),
        ("statements", [], [[], REVOKED["statements"] * 2, "x", [1]]),
        ("assertion", [{}], ["x", None]),
        ("more", [], [1]),
        ("outcome", [STATE], [None, "x", {}, STATE | {"more": 1}, STATE | {"asserted": ["RATE_LIMITED"]}]),
    ],
)
def test_members_of_evidence_are_bounded(member: str, fine: list[Any], wrong: list[Any]) -> None:
    for value in fine:
        facts(REVOKED | {member: value})
    for value in wrong:
        refused(Code.BAD_ENCODING, REVOKED | {member: value})
    for name in REVOKED:
        refused(Code.BAD_ENCODING, {key: value for key, value in REVOKED.items() if key != name})


CODES = [f"A{'BCDEFGHIJKLMNOPQRSTUVWXYZ'[number // 2]}{'AB'[number % 2]}" for number in range(33)]


@pytest.mark.parametrize(
    ("shown", "member", "fine", "wrong"),
    [
        (REVOKED, "status", ["s", "s" * 16], ["", "s" * 17, 1]),
        *((shown, "ruleset", [1, 2], [0, -1, True]) for shown in (REVOKED, ASKED)),
        *((shown, "consent_version", [0, 1], [-1, True]) for shown in (REVOKED, ASKED)),
        (ASKED, "basis", [-1, 0], [-2, True]),
        (ASKED, "used_today", [0, 1], [-1, True]),
        (ASKED, "obligations", [{}, {"from": 0}], [{"from": True}, {"from": 1, "to": False}, [], None]),
        (ASKED, "reasons", [[], CODES[:32]], [CODES, "A", [1]]),
        (ASKED, "asserted", [CODES[:1], CODES[:32]], [[], CODES, "A", [1]]),
        (ASKED, "decision", ["allow", "deny"], ["", "maybe", True]),
        (ASKED, "more", [], [1]),
    ],
)
def test_members_of_outcomes_are_bounded(shown: Any, member: str, fine: list[Any], wrong: list[Any]) -> None:
    for value in fine:
        outcome = facts(shown | {"outcome": shown["outcome"] | {member: value}}).outcome
        assert outcome is not None
        assert outcome[member] == value
    for value in wrong:
        refused(Code.BAD_ENCODING, shown | {"outcome": shown["outcome"] | {member: value}})
    for name in shown["outcome"]:
        lacking = {key: value for key, value in shown["outcome"].items() if key != name}
        refused(Code.BAD_ENCODING, shown | {"outcome": lacking})


def test_consents_and_accesses_have_an_outcome_and_nothing_else_has() -> None:
    release, companion = evidence(payload("access.release")), evidence(payload("subject.consent"))
    facts(release)
    subject = {"kind": "subject", "name": f"subject:{HOLDER}:{REF}"}
    facts(companion, **subject)
    for outcome in (STATE, DENIED):
        refused(Code.BAD_ENCODING, release | {"outcome": outcome})
        refused(Code.BAD_ENCODING, companion | {"outcome": outcome}, **subject)
    refused(Code.BAD_ENCODING, REVOKED | {"outcome": DENIED})
    refused(Code.BAD_ENCODING, ASKED | {"outcome": STATE})


def test_the_evidence_is_of_the_act_that_was_signed() -> None:
    refused(Code.CONSENT_INVALID, REVOKED | {"act": "consent.pause"})
    release = evidence(payload("access.release"))
    refused(Code.CONSENT_INVALID, release | {"act": "access.receive"})
    refused(Code.CONSENT_INVALID, release | {"act": "a" * 64})
    refused(Code.BAD_ENCODING, release | {"act": "a" * 65})
    batch = payload("access.batch", RECIPIENT, items_count=1, items_root=HASH)
    refused(Code.CONSENT_INVALID, evidence(batch))
    refused(Code.CONSENT_INVALID, evidence(batch) | {"act": "access.request", "outcome": DENIED})
    refused(Code.CONSENT_INVALID, ASKED | {"item": {}})
    refused(Code.CONSENT_INVALID, evidence(batch) | {"item": {}})


# --- where and when -------------------------------------------------------------------------------------------


def test_a_statement_is_made_within_300_seconds_of_its_entry() -> None:
    for late in (-300_000, 0, 300_000):
        facts(REVOKED, time=START + late)
    for late in (-300_001, 300_001):
        found = read(REVOKED, time=START + late)
        assert found.facts is not None  # it was signed all the same
        expected = f"{(START + late) // 1000} ± 300"
        assert found.defects == [
            (
                str(Code.TIME_INVALID),
                "the statement was not made within 300 s of the entry",
                "iat",
                expected,
                str(START // 1000),
            ),
        ]


def test_an_entry_stands_in_the_chain_that_its_statement_names() -> None:
    refused(Code.BAD_CHAIN, REVOKED, name=CONSENT + "c")
    refused(Code.BAD_CHAIN, REVOKED, kind="subject")
    for content in (payload("subject.consent"), payload("subject.consent", RECIPIENT, on_behalf_of=HOLDER)):
        companion = evidence(content)
        facts(companion, kind="subject", name=f"subject:{HOLDER}:{REF}")
        for wrong in (
            {"kind": "consent", "name": f"subject:{HOLDER}:{REF}"},
            {"kind": "consent", "name": CONSENT},
            {"kind": "subject", "name": f"subject:{HOLDER}:{REF}r"},
            {"kind": "subject", "name": f"subject:{'p' * 63}:{REF}"},
        ):
            refused(Code.BAD_CHAIN, companion, **wrong)


# --- statements -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (Code.BAD_ENCODING, {"v": 0}),
        (Code.BAD_ENCODING, {"v": "1"}),
        (Code.BAD_ENCODING, {"jti": b64u(bytes(15))}),
        (Code.BAD_ENCODING, {"jti": b64u(bytes(17))}),
        (Code.BAD_ENCODING, {"act": ""}),
        (Code.BAD_ENCODING, {"act": "consent.unknown"}),
        (Code.BAD_ENCODING, {"iat": -1}),
        (Code.BAD_ENCODING, {"more": 1}),
        (Code.BAD_SIGNATURE, {"aud": "ledger.example/other"}),
        (Code.BAD_SIGNATURE, {"aud": 1}),
    ],
)
def test_what_every_statement_says_is_bounded(code: Code, changes: dict[str, Any]) -> None:
    refused(code, evidence({**payload("consent.revoke"), **changes}, STATE, act="consent.revoke"))


@pytest.mark.parametrize("iss", ["p", "p" * 64, "P" * 3, ""])
def test_a_signer_has_the_name_of_a_participant(iss: str) -> None:
    jws = SIGNERS[HOLDER].sign({**payload("consent.revoke"), "iss": iss})
    refused(Code.BAD_ENCODING, REVOKED | {"statements": [jws]})


def test_a_bad_signature_is_told_and_the_statement_replayed_all_the_same() -> None:
    content = payload("consent.revoke")
    header = {"alg": "EdDSA", "kid": "nobody.1", "typ": "consent-statement+jwt"}
    unknown = SIGNERS[HOLDER].sign(content, header)
    other = SIGNERS[HOLDER].sign(content, header | {"kid": RECIPIENT})
    for jws, kid in ((unknown, "nobody.1"), (other, RECIPIENT)):
        found = read(REVOKED | {"statements": [jws]})
        assert [row[0] for row in found.defects] == [str(Code.BAD_SIGNATURE)]
        assert found.facts is not None
        assert (found.facts.kid, found.facts.content) == (kid, content)
        assert read(REVOKED | {"statements": [jws]}, by=reader(signatures=False)).defects == []


@pytest.mark.parametrize(
    "change",
    [
        lambda jws: jws + ".AA",
        lambda jws: jws.rpartition(".")[0],
        lambda jws: "é" + jws,
        lambda jws: jws + "=",
        lambda jws: "." + jws,
        lambda jws: jws + "A" * 16_384,
        lambda jws: jws.replace(".", ".é", 1),
        lambda jws: jws + "é",
    ],
)
def test_a_statement_has_three_parts_in_their_one_spelling(change: Any) -> None:
    by = reader()
    assert read(REVOKED, by=by).defects == []  # its header is known from here on
    refused(Code.BAD_ENCODING, REVOKED | {"statements": [change(REVOKED["statements"][0])]}, by=by)


def test_a_statement_whose_header_is_not_ours_is_not_a_statement() -> None:
    header = {"alg": "EdDSA", "kid": HOLDER, "typ": "consent-statement+jwt"}
    for change in ({"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"crit": ["b64"]}):
        jws = SIGNERS[HOLDER].sign(payload("consent.revoke"), header | change)
        refused(Code.BAD_SIGNATURE, REVOKED | {"statements": [jws]})
    # What is signed may look like a header, and is not read as one.
    refused(Code.BAD_ENCODING, REVOKED | {"statements": [SIGNERS[HOLDER].sign(header | {"kid": "nobody.1"})]})


def test_a_line_opens_the_commitment_of_its_leaf() -> None:
    world = World(5).open()
    consent = world.grant()
    keys = {signer.kid: parse_jwk(signer.jwk) for signer in world.signers.values()}
    for index in (world.access(consent), world.revoke(consent)):
        leaf, line = parse_leaf(world.entries[index]), world.line(index)[:-1]
        place = leaf.kind, leaf.chain, leaf.commitment, leaf.time
        by = Reader(ORIGIN, select(None), keys)
        assert by.read(*place, line).defects == []
        body, opening = world.evidence[index]
        world.evidence[index] = body, bytes(32)
        for wrong, code in ((world.line(index)[:-1], Code.BAD_COMMITMENT), (line + b"}", Code.BAD_ENCODING)):
            found = by.read(*place, wrong)
            assert found.facts is None
            assert [row[0] for row in found.defects] == [str(code)]
        world.evidence[index] = body, opening


def test_a_refusal_names_the_member_that_is_wrong_if_it_is_one() -> None:
    assert place_of(REVOKED | {"act": "consent.pause"}) == "act"
    assert place_of(REVOKED | {"statements": [], "v": 2}) == "v"
    assert place_of(REVOKED | {"more": 1}) == ""  # that of none


# --- batches --------------------------------------------------------------------------------------------------


def batch(
    count: int, position: int, *, body: Any = None, claimed: int | None = None, key: str = RECIPIENT, **changes: Any
) -> dict[str, Any]:
    """Evidence of one item among `count`, of which all others are hashes only."""
    text = encode(ITEM if body is None else body)
    hashes = [leaf_hash(text) if at == position else sha(at.to_bytes(4)) for at in range(count)]
    path = [b64u(part) for part in path_of(position, hashes)]
    content = payload(
        "access.batch", RECIPIENT, items_count=count if claimed is None else claimed, items_root=b64u(tree(hashes))
    )
    return {
        "act": "access.request",
        "outcome": DENIED,
        "statements": [SIGNERS[key].sign(content)],
        "v": 1,
        "item": {"body": text.decode(), "path": path, "position": position, **changes},
    }


@pytest.mark.parametrize(("count", "position"), [(1, 0), (2, 1), (3, 2), (600, 0), (1_000, 0), (1_000, 999)])
def test_an_item_stands_where_the_signed_root_says(count: int, position: int) -> None:
    made = facts(batch(count, position))
    assert (made.position, made.act, made.signed_act, made.iss) == (
        position,
        "access.request",
        "access.batch",
        RECIPIENT,
    )
    assert made.content == facts(ASKED).content


def test_an_item_elsewhere_or_of_another_form_is_refused() -> None:
    good = batch(3, 1)
    for wrong in (
        {"position": 0},
        {"position": 2},
        {"position": 3},
        {"path": good["item"]["path"][::-1]},
        {"path": good["item"]["path"][:1]},
        {"body": encode(ITEM | {"to": 3}).decode()},
    ):
        refused(Code.BAD_PROOF, good | {"item": good["item"] | wrong})
    for wrong in (
        {"position": -1},
        {"position": True},
        {"position": 1_000},
        {"path": [HASH] * 17},
        {"path": ["AA"]},
        {"path": [HASH + "A"]},
        {"body": ""},
        {"body": 1},
        {"more": 1},
    ):
        refused(Code.BAD_ENCODING, good | {"item": good["item"] | wrong})
    refused(Code.BAD_PROOF, good | {"item": good["item"] | {"path": [HASH] * 16}})
    for body in (ITEM | {"relayed": True}, {}, ITEM | {"from": -1}, ITEM | {"purpose": "p" * 65}):
        refused(Code.BAD_ENCODING, batch(3, 1, body=body))
    for claimed in (0, 1_001):
        refused(Code.BAD_ENCODING, batch(1, 0, claimed=claimed))


def test_each_item_of_a_batch_tells_the_same_of_their_one_statement() -> None:
    by, hashes = reader(), [leaf_hash(encode(ITEM)), leaf_hash(encode(ITEM | {"to": 9}))]
    content = payload("access.batch", RECIPIENT, items_count=2, items_root=b64u(tree(hashes)))
    forged = SIGNERS[HOLDER].sign(content, {"alg": "EdDSA", "kid": RECIPIENT, "typ": "consent-statement+jwt"})
    for jws, codes in ((signed(content), []), (forged, [str(Code.BAD_SIGNATURE)])):
        for position, item in enumerate((ITEM, ITEM | {"to": 9})):
            shown = {"body": encode(item).decode(), "path": [b64u(hashes[1 - position])], "position": position}
            found = read(
                {"act": "access.request", "outcome": DENIED, "statements": [jws], "v": 1, "item": shown}, by=by
            )
            assert [row[0] for row in found.defects] == codes
            assert found.facts is not None
            assert (found.facts.position, found.facts.content["to"], found.facts.kid) == (
                position,
                item["to"],
                RECIPIENT,
            )
            assert found.facts.payload_key == sha(encode(content))[:16]
    # Another statement is read anew.
    assert read(REVOKED, by=by).facts == facts(REVOKED)
