"""The quick reader of accesses accepts a part of what the strict reader accepts, and says the same about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.verifier.forge import ORIGIN, RECIPIENT, World, encode
from tests.verifier.quick import compare, quick, row_of_entry, strict, world
from verifier.bytes.encoding import encode_base64url
from verifier.records.commitment import commit

REFERENCES = st.text("abzAZ09_-", min_size=22, max_size=24)
CODES = st.sampled_from(
    ["ReadBalances", "ReadAccountsBasic", "AIS", "a", "x:y.z-1", "é", 'q"', "b\\", "", "-no", "a b"]
)
NUMBERS = st.sampled_from([0, 1, 86_400, 10**14, 10**15 - 1, 10**15, 2**53 - 1, 2**53, -1])
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "accounts": st.lists(REFERENCES, max_size=3).map(lambda texts: sorted(set(texts)))
        | st.lists(REFERENCES, max_size=3),
        "customer_present": st.booleans() | st.just(1),
        "from": NUMBERS,
        "to": NUMBERS,
        "interaction_id": st.text("abc._:-9", min_size=6, max_size=66) | st.just('abcdefgh"'),
        "permissions": st.lists(CODES, max_size=4).map(lambda texts: sorted(set(texts))) | st.lists(CODES, max_size=3),
        "purpose": CODES,
        "extra": st.just("member"),
    },
)


@given(ITEMS)
def test_accesses_read_quickly_are_those_the_strict_reader_accepts(changes: dict[str, Any]) -> None:
    made = world()
    consent = next(iter(made.consents))
    plain = strict(row_of_entry(made, made.access(consent))).facts
    assert plain is not None
    index = made.record("consent", consent, _evidence(made, consent, changes))
    compare(row_of_entry(made, index))


def _evidence(made: World, consent: str, changes: dict[str, Any]) -> dict[str, Any]:
    item = made.item(consent, **changes)
    outcome = made.decide(RECIPIENT, made.item(consent))
    signed = made.signers[RECIPIENT].sign(made.payload(RECIPIENT, "access.request", **item))
    return {"act": "access.request", "outcome": outcome, "statements": [signed]}


def test_honest_accesses_single_relayed_denied_and_batched_are_all_read_quickly() -> None:
    made = World(8).open()
    consents = [made.grant(), made.grant(), made.grant()]
    indexes = [made.access(consents[0]), made.access(consents[1], accounts=["z" * 22], permissions=["ReadPAN"])]
    indexes += [made.access(consents[1], customer_present=True), made.access(consents[0], relayed=True)]
    indexes += [*made.batch(consents), *made.batch(consents[:1])]
    assert all(compare(row_of_entry(made, index)) for index in indexes)


def test_the_additions_of_ruleset_2_to_accesses_are_read_quickly_too() -> None:
    made = World(8).open()
    filters = [{"field": "amount", "op": "ge", "value": "10.00 GBP"}]
    plain, filtered = made.grant(), made.grant(filters=filters, utc_offset=-60)
    brief = made.grant(retention_days=0)
    indexes = [made.access(filtered), made.access(brief), made.access(plain, word=("RATE_LIMITED", "RISK_BLOCKED"))]
    indexes += [
        made.access(plain, RECIPIENT, behalf="other.example"),
        *made.batch([plain, filtered], behalf="other.example"),
    ]
    asserted = {"relayed": True, "asserted": ["TOKEN_EXPIRED", "ACCOUNT_CLOSED"]}
    indexes += [made.access(plain, **asserted), made.access(plain, **asserted, word=("HOLDER_UNAVAILABLE",))]
    assert all(compare(row_of_entry(made, index)) for index in indexes)


@pytest.mark.parametrize(
    "changes",
    [
        {"asserted": ["TOKEN_EXPIRED"]},
        {"asserted": ["ACCOUNT_CLOSED", "TOKEN_EXPIRED"], "relayed": True},
        {"asserted": ["BAD_MOOD"], "relayed": True},
        {"asserted": [], "relayed": True},
        {"on_behalf_of": RECIPIENT},
        {"on_behalf_of": "?"},
        {"on_behalf_of": None},
        {"asserted": ["RATE_LIMITED"] * 2, "relayed": True},
    ],
)
def test_forms_of_ruleset_2_that_are_refused_are_not_read_quickly(changes: dict[str, Any]) -> None:
    made = world()
    consent = next(iter(made.consents))
    row = row_of_entry(made, made.record("consent", consent, _evidence(made, consent, changes)))
    assert not compare(row)
    assert strict(row).facts is None


@pytest.mark.parametrize("changes", [{"alg": "ES256"}, {"alg": "none"}, {"kid": "nobody.1"}, {"typ": "JWT"}])
def test_an_access_under_another_header_than_its_keys_is_refused_by_both(changes: dict[str, str]) -> None:
    made = world()
    consent, signer = next(iter(made.consents)), made.signers[RECIPIENT]
    header = {"alg": "EdDSA", "kid": signer.kid, "typ": "consent-statement+jwt"}
    evidence = _evidence(made, consent, {})
    payload = made.payload(RECIPIENT, "access.request", **made.item(consent))
    row = row_of_entry(made, made.record("consent", consent, evidence | {"statements": [signer.sign(payload, header)]}))
    assert compare(row)
    evidence = _evidence(made, consent, {}) | {"statements": [signer.sign(payload, header | changes)]}
    row = row_of_entry(made, made.record("consent", consent, evidence))
    assert not compare(row)
    assert [defect[0] for defect in strict(row).defects] == ["BAD_SIGNATURE"]


def test_a_reader_of_another_log_reads_nothing_quickly() -> None:
    made = world()
    row = row_of_entry(made, made.access(next(iter(made.consents))))
    assert quick(row) is not None
    for origin in ("ledger.example/other", ORIGIN + '"', ".*", ""):
        assert quick(row, origin) is None


@given(st.booleans(), st.integers(0, 100_000), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_line_is_never_read_quickly_as_something_else(batch: bool, place: int, put: bytes, cut: int) -> None:
    made = world()
    consent = next(iter(made.consents))
    index = made.batch([consent, consent])[0] if batch else made.access(consent)
    kind, chain, commitment, time, line = row_of_entry(made, index)
    at = place % len(line)
    damaged = line[:at] + put + line[at + cut :]
    assume(damaged != line)
    facts = quick((kind, chain, commitment, time, damaged))
    # Only the index lies outside the commitment; who files the line under it compares the two.
    assert facts is None or json.loads(damaged) | {"index": index} == json.loads(line)


MEMBERS = ["asserted", "basis", "consent_version", "decision", "reasons", "ruleset", "used_today", "obligations"]
VALUES = [True, -1, 0, 1, 1.0, "allow", "", [], [1], ["A", "A"], ["a b"], {}, {"from": True}, {"b": []}, 2**53, None]


@given(st.sampled_from(MEMBERS), st.sampled_from(VALUES))
def test_outcomes_of_another_form_are_refused_by_both_or_read_alike(name: str, value: Any) -> None:
    made = world()
    consent = next(iter(made.consents))
    evidence = _evidence(made, consent, {})
    evidence["outcome"][name] = value
    compare(row_of_entry(made, made.record("consent", consent, evidence)))


@given(st.sampled_from([b" ", b"\\u0041", b"\\/", b"\n", b"\xc2\x80"]), st.integers(0, 10_000))
def test_a_second_spelling_under_a_fitting_commitment_is_not_read_quickly(insert: bytes, place: int) -> None:
    """The commitment is no help against the one who made it: here it fits the other spelling."""
    made = world()
    consent = next(iter(made.consents))
    body = encode({"v": 1, **_evidence(made, consent, {})})
    at = place % len(body)
    index = made.record("consent", consent, _evidence(made, consent, {}))
    other = body[:at] + insert + body[at:]
    opening = made.evidence[index][1]
    commitment = encode_base64url(commit(opening, other)).encode()
    kind, chain, _, time, _ = row_of_entry(made, index)
    line = encode({"evidence": other.decode("utf-8", "replace"), "index": index, "opening": encode_base64url(opening)})
    compare((kind, chain, commitment, time, line))
