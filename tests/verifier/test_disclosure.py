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
    World,
    b64u,
    encode,
    sha,
)
from tests.verifier.shown import (
    ASKED,
    CONSENT,
    DENIED,
    HASH,
    ITEM,
    REF,
    REVOKED,
    SIGNERS,
    STATE,
    evidence,
    facts,
    payload,
    place_of,
    read,
    reader,
    refused,
)
from verifier.crypto.backend import select
from verifier.crypto.keys import parse_jwk
from verifier.errors import Code
from verifier.records.disclosure import Reader
from verifier.records.facts import Facts
from verifier.records.leaf import parse_leaf

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
def test_the_common_members_of_a_statement_are_bounded(code: Code, changes: dict[str, Any]) -> None:
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
