"""Acts and documents: shapes that encoding relies on, and members that readers will hold us to."""

from __future__ import annotations

import os
from typing import Any, get_args

import msgspec
import pytest

from ledger.canonical import b64u
from ledger.entries.acts import ACTS, AccessItem, Act, Sca
from ledger.entries.asserted import ASSERTED
from ledger.entries.declarations import IncidentClock
from ledger.entries.evidence import AccessOutcome, BatchPlace, ConsentOutcome, Evidence, Obligations
from ledger.entries.leaf import CommitmentLeaf, IndexHeadLeaf, OperatorLeaf
from ledger.entries.partner_acts import EntryNamed, TariffLine, TariffTier, UsageAmount
from ledger.entries.payload import SeparateConsent
from ledger.entries.scope import Scope
from ledger.entries.statement import parse_item, parse_payload
from ledger.entries.terms import Destination, Filter, Purpose, Terms
from ledger.errors import BadEncoding, BadStatement
from tests.clocks import NOW
from tests.ledger import acts_of_partners
from tests.ledger.acts import MEMBERS, SCA, made, refused
from tests.world import item, new_consent_id, reference, terms

SEPARATE = {"given_at": NOW // 1000, "kind": "provision", "text_hash": b64u(bytes(32))}
OPTIONAL: dict[str, list[dict[str, Any]]] = {
    **acts_of_partners.OPTIONAL,
    "consent.authorise": [
        {"acting_role": "guardian"},
        {"separate_consents": [SEPARATE]},
        {"accounts": ["a" * 22, "b" * 22], "joint_accounts": ["b" * 22]},
    ],
    "access.request": [
        {"region": "SG"},
        {"relayed": True},
        {"relayed": True, "asserted": ["CERT_EXPIRED", "RISK_BLOCKED"]},
    ],
    "access.batch": [{"relayed": True}],
    "access.release": [{"masks": []}, {"masks": ["account-number", "pan"]}],
    "subject.consent": [{"suppress_notify": True}],
    "alert.decide": [{"comment_hash": b64u(bytes(32))}],
    "incident.update": [{"clock": "first"}],
    "subject.feedback": [{"about": 0, "text_hash": b64u(bytes(32))}],
    "subject.answer": [{"text_hash": b64u(bytes(32))}],
    "consent.request": [
        {"terms": terms(details_hash=b64u(bytes(32)))},
        {"terms": terms(reauthenticate_days=1, reconfirm_days=3_650)},
        {"terms": terms(utc_offset=-840)},
        {"terms": terms(utc_offset=840)},
        {"terms": terms(destinations=[{"country": "SG", "mechanism": "standard-contract"}])},
        {"terms": terms(frequency_period="month")},
        {"terms": terms(once=True, once_seconds=1)},
        {"terms": terms(filters=[{"field": "amount", "op": "lt", "value": "100"}])},
    ],
}
"""Members that may be absent, in values that are taken."""
FILTER = {"field": "amount", "op": "lt", "value": "100"}
COMMON = {"act", "aud", "iat", "iss", "jti", "v"}


def test_every_act_of_the_specification_has_a_case_here() -> None:
    assert MEMBERS.keys() == ACTS.keys()


@pytest.mark.parametrize(
    "struct",
    [
        *get_args(Act),
        AccessItem,
        Sca,
        SeparateConsent,
        Terms,
        Purpose,
        TariffLine,
        TariffTier,
        UsageAmount,
        EntryNamed,
        Destination,
        Scope,
        IncidentClock,
        Filter,
        Evidence,
        AccessOutcome,
        ConsentOutcome,
        BatchPlace,
        Obligations,
        CommitmentLeaf,
        OperatorLeaf,
        IndexHeadLeaf,
    ],
    ids=lambda struct: struct.__name__,
)
def test_members_are_declared_in_the_order_of_their_bytes(struct: type[msgspec.Struct]) -> None:
    names = [member.encode_name for member in msgspec.structs.fields(struct)]
    assert names == sorted(names)


@pytest.mark.parametrize("act", MEMBERS)
def test_a_well_made_payload_is_read(act: str) -> None:
    read = parse_payload(made(act))
    assert (read.act, read.iss) == (act, MEMBERS[act][0])


@pytest.mark.parametrize("act", MEMBERS)
def test_every_act_may_be_signed_for_another(act: str) -> None:
    assert parse_payload(made(act, on_behalf_of="bank-z")).on_behalf_of == "bank-z"
    refused(act, on_behalf_of="Bank Z")


@pytest.mark.parametrize("act", OPTIONAL)
def test_members_that_may_be_absent_are_read_when_they_are_there(act: str) -> None:
    for members in OPTIONAL[act]:
        parse_payload(made(act, **members))


@pytest.mark.parametrize("act", MEMBERS)
def test_every_member_is_required_and_no_other_is_taken(act: str) -> None:
    whole = msgspec.json.decode(made(act))
    for name in sorted(whole):
        part = {key: value for key, value in whole.items() if key != name}
        with pytest.raises(BadStatement):
            parse_payload(msgspec.json.encode(part, order="sorted"))
    refused(act, zzz=1)


@pytest.mark.parametrize("act", MEMBERS)
def test_no_member_takes_a_value_of_another_kind(act: str) -> None:
    whole = msgspec.json.decode(made(act))
    for name in sorted(whole):
        below = {"about": -2, "replaces": -2, "utc_offset": -841}.get(name, -1)
        no_text = "Any" if (act, name) == ("tariff.offer", "recipient") else ""
        for value in (None, below, 1.5, no_text, [[]], {"x": 1}):
            with pytest.raises(BadStatement):
                parse_payload(msgspec.json.encode({**whole, name: value}, order="sorted"))


@pytest.mark.parametrize(
    ("act", "changes"),
    [
        ("consent.request", {"consent_id": new_consent_id().upper()}),
        ("consent.request", {"consent_id": "00000000-0000-1000-8000-000000000000"}),
        ("consent.request", {"consent_id": "urn:" + "a" * 33 + ":" + "b" * 30}),
        ("consent.request", {"consent_id": "urn:bank:" + "b" * 120}),
        ("consent.request", {"consent_id": "urn:bank:0123456789012345678\u00e9"}),
        ("consent.request", {"terms": terms(permissions=["ReadPAN", "ReadBalances"])}),
        ("consent.request", {"terms": terms(permissions=["ReadPAN", "ReadPAN"])}),
        ("consent.request", {"terms": terms(permissions=[])}),
        ("consent.request", {"terms": terms(permissions=[f"P{n:03d}" for n in range(65)])}),
        ("consent.request", {"terms": terms(grade=6)}),
        ("consent.request", {"terms": terms(grade=0)}),
        ("consent.request", {"terms": terms(once=1)}),
        ("consent.request", {"terms": terms(frequency_per_day=10_001)}),
        ("consent.request", {"terms": terms(authorisers_required=0)}),
        ("consent.request", {"terms": terms(authorisers_required=11)}),
        ("consent.request", {"terms": terms(retention_days=36_501)}),
        ("consent.request", {"terms": terms(language="e")}),
        ("consent.request", {"terms": terms(language="en_GB")}),
        ("consent.request", {"terms": terms(separate_consents=["b", "a"])}),
        ("consent.request", {"terms": terms(separate_consents=[f"c{n}" for n in range(9)])}),
        ("consent.request", {"terms": terms(purpose={"code": "x", "text": ""})}),
        ("consent.request", {"terms": terms(purpose={"code": "x", "text": "a" * 201})}),
        ("consent.request", {"terms": terms(purpose={"code": "x", "text": "y", "more": 1})}),
        ("consent.request", {"terms": terms(notice_hash=b64u(bytes(31)))}),
        ("consent.request", {"terms": terms(holder="-bank")}),
        ("consent.request", {"terms": terms(holder="Bank")}),
        ("consent.request", {"terms": terms(expires_at=10_000_000_000)}),
        ("consent.authorise", {"accounts": ["b" * 22, "a" * 22]}),
        ("consent.authorise", {"accounts": ["a" * 22, "a" * 22]}),
        ("consent.authorise", {"accounts": ["a" * 21]}),
        ("consent.authorise", {"accounts": sorted(reference(str(n)) for n in range(101))}),
        ("consent.authorise", {"subject": "Alice Example, Berlin  "}),
        ("consent.authorise", {"sca": {**SCA, "at": NOW // 1000 + 301}}),
        ("consent.authorise", {"sca": {"acr": "loa3", "amr": ["otp"]}}),
        ("subject.enrol", {"sca": {**SCA, "at": NOW // 1000 + 301}}),
        ("subject.enrol", {"credential_id": b64u(os.urandom(15))}),
        ("subject.enrol", {"credential_id": "A" * 21 + "B"}),
        ("subject.enrol", {"credential_id": "A" * 25}),
        ("subject.enrol", {"credential_id": b64u(os.urandom(1024))}),
        ("subject.enrol", {"public_key": b64u(os.urandom(1025))}),
        ("subject.enrol", {"rp_id": "Bank.example"}),
        ("subject.enrol", {"rp_id": "https://bank.example"}),
        ("subject.unenrol", {"credential_id": "A" * 21 + "B"}),
        ("consent.authorise", {"joint_accounts": ["z" * 22]}),
        ("consent.authorise", {"joint_accounts": []}),
        ("consent.authorise", {"accounts": ["a" * 22, "b" * 22], "joint_accounts": ["b" * 22, "a" * 22]}),
        ("consent.authorise", {"acting_role": "with space"}),
        ("consent.authorise", {"separate_consents": []}),
        ("consent.authorise", {"separate_consents": [SEPARATE, SEPARATE]}),
        ("consent.authorise", {"separate_consents": [{**SEPARATE, "kind": "z"}, SEPARATE]}),
        ("consent.authorise", {"separate_consents": [{**SEPARATE, "note": 1}]}),
        ("consent.withdraw_accounts", {"accounts": []}),
        ("consent.withdraw_accounts", {"accounts": ["b" * 22, "a" * 22]}),
        ("consent.reauthenticate", {"sca": {**SCA, "at": NOW // 1000 + 301}}),
        ("consent.reauthenticate", {"by": "customer"}),
        ("consent.supersede", {"superseded_by": "x"}),
        ("subject.consent", {"suppress_notify": False}),
        ("access.request", {"asserted": ["CERT_EXPIRED"]}),
        ("access.request", {"relayed": True, "asserted": []}),
        ("access.request", {"relayed": True, "asserted": ["CONSENT_REVOKED"]}),
        ("access.request", {"relayed": True, "asserted": ["RISK_BLOCKED", "CERT_EXPIRED"]}),
        ("access.request", {"relayed": True, "asserted": ["CERT_EXPIRED", "CERT_EXPIRED"]}),
        ("access.request", {"relayed": True, "asserted": list(ASSERTED[:9])}),
        ("consent.request", {"terms": terms(details_hash=b64u(bytes(31)))}),
        ("consent.request", {"terms": terms(filters=[])}),
        ("consent.request", {"terms": terms(filters=[FILTER] * 2)}),
        ("consent.request", {"terms": terms(filters=[{**FILTER, "field": "b"}, FILTER])}),
        ("consent.request", {"terms": terms(filters=[{**FILTER, "op": "like"}])}),
        ("consent.request", {"terms": terms(filters=[{**FILTER, "value": str(n)} for n in range(9)])}),
        ("consent.request", {"terms": terms(reauthenticate_days=0)}),
        ("consent.request", {"terms": terms(reconfirm_days=3_651)}),
        ("consent.request", {"terms": terms(utc_offset=841)}),
        ("consent.request", {"terms": terms(utc_offset=-841)}),
        ("consent.revoke", {"by": "auditor"}),
        ("consent.revoke", {"reason": "no spaces"}),
        ("consent.revoke", {"reason": "x" * 65}),
        ("access.request", {"relayed": False}),
        ("access.request", {"permissions": []}),
        ("access.request", {"interaction_id": "short"}),
        ("access.batch", {"items_count": 0}),
        ("access.batch", {"items_count": 1001}),
        ("access.release", {"rows": -1}),
        ("consent.revoke", {"aud": ""}),
        ("consent.revoke", {"aud": "has space"}),
        ("consent.revoke", {"jti": b64u(os.urandom(15))}),
        ("consent.revoke", {"jti": "A" * 21 + "B"}),
    ],
)
def test_a_value_outside_its_bounds_is_refused(act: str, changes: dict[str, Any]) -> None:
    refused(act, **changes)


def test_a_pattern_does_not_end_before_a_final_newline() -> None:
    whole = msgspec.json.decode(made("consent.revoke"))
    for name in ("consent_id", "reason", "jti", "iss", "aud"):
        with pytest.raises(BadStatement):
            parse_payload(msgspec.json.encode({**whole, name: whole[name] + "\n"}, order="sorted"))


def test_an_integer_above_2_to_the_53_is_refused() -> None:
    with pytest.raises(BadStatement):
        parse_payload(made("access.release", bytes=2**53 - 1).replace(str(2**53 - 1).encode(), str(2**53).encode()))


def test_an_authentication_may_be_as_late_as_clocks_differ() -> None:
    parse_payload(made("consent.authorise", sca={**SCA, "at": NOW // 1000 + 300}))


def test_an_act_is_not_read_as_another_of_the_same_shape() -> None:
    assert parse_payload(made("consent.pause")).act == "consent.pause"
    with pytest.raises(BadStatement):
        parse_payload(made("consent.pause").replace(b"consent.pause", b"consent.unknown"))


def test_relayed_is_true_or_absent() -> None:
    assert parse_payload(made("access.request", relayed=True)).relayed is True  # type: ignore[union-attr]


def test_an_item_is_bounded_and_has_one_spelling() -> None:
    body = msgspec.json.encode(item(new_consent_id()), order="sorted")
    assert parse_item(body).permissions == ("ReadBalances",)
    with pytest.raises(BadStatement):
        parse_item(body.replace(b":", b": ", 1))
    with pytest.raises(BadEncoding):
        parse_item(body + b" " * 8_192)
    with pytest.raises(BadStatement):
        parse_item(body[:-1])
