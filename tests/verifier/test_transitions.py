"""Transitions of a consent at the edges of each row of the table (docs/spec/consents.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.verifier.making import refusal
from tests.verifier.states import (
    ANN,
    BOB,
    HOLDER,
    INDEX,
    NOW,
    OTHER,
    RECIPIENT,
    SECONDS,
    TERMS,
    A,
    B,
    C,
    consent,
    moved,
    operator,
    registry,
    terms,
)
from verifier.errors import Code, Refuted
from verifier.rules.consents import Consent, Given, Pending
from verifier.rules.transitions import StateUnknown

RULES, RULES_1 = registry(), registry(ruleset=1)
REMOVED = registry(operator("participant.removed", participant=HOLDER, reason="left"))
OPEN = ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED")
STATUSES = (*OPEN, "REJECTED", "EXPIRED", "REVOKED", "TERMINATED", "CONSUMED", "SUPERSEDED")


def refused(*arguments: Any, **members: Any) -> None:
    """The statement must be refused as an illegal transition."""
    with refusal(Code.CONSENT_INVALID):
        moved(*arguments, **members)


# --- who may move a consent, from where, in whose name --------------------------------------------------------

TABLE = [
    # act, from, to, `by` of the holder, `by` of the recipient
    ("reject", "AWAITING PARTIAL", "REJECTED", "customer holder system", "customer recipient"),
    ("suspend", "ACTIVE", "SUSPENDED", "customer holder court system", ""),
    ("pause", "ACTIVE", "PAUSED", "customer guardian", ""),
    ("revoke", " ".join(OPEN), "REVOKED", "customer guardian court holder", "customer recipient"),
    ("terminate", " ".join(OPEN), "TERMINATED", "holder system", "recipient system"),
    ("resume", "PAUSED", "ACTIVE", "customer guardian", ""),
    ("resume", "SUSPENDED", "ACTIVE", "customer holder court system", ""),
    ("withdraw_accounts", "PARTIAL ACTIVE PAUSED SUSPENDED", "", "customer guardian court holder", ""),
    ("withdraw_approval", "PARTIAL ACTIVE PAUSED SUSPENDED", "", "customer guardian", ""),
    ("withdraw_separate", "PARTIAL ACTIVE PAUSED SUSPENDED", "", "customer guardian", "customer"),
    ("reconfirm", "ACTIVE", "", "", "customer"),
    ("supersede", "PARTIAL ACTIVE PAUSED SUSPENDED", "SUPERSEDED", "customer holder system", ""),
]
CONTENT: dict[str, dict[str, Any]] = {
    "withdraw_accounts": {"accounts": [A]},
    "withdraw_approval": {"authoriser": BOB},
    "withdraw_separate": {"separate": "provision"},
    "supersede": {"superseded_by": "urn:that"},
}


@pytest.mark.parametrize(("act", "sources", "target", "holder", "recipient"), TABLE)
def test_a_row_of_the_table_leads_where_it_says_for_whom_it_says(
    act: str, sources: str, target: str, holder: str, recipient: str
) -> None:
    both = Given(((ANN, (A, B)), (BOB, (A, B))), (), ("provision", "sensitive"))
    by_party = {HOLDER: holder.split(), RECIPIENT: recipient.split(), OTHER: []}
    resumable = [name for other in TABLE if other[0] == act for name in other[1].split()]
    for status in STATUSES:
        before = consent(status, given=both)
        for party, allowed in by_party.items():
            for by in ("customer", "guardian", "court", "holder", "recipient", "system"):
                asked = {"party": party, "by": by, "find": lambda _: consent(), **CONTENT.get(act, {})}
                if status in sources.split() and by in allowed:
                    after = moved(before, act, **asked)
                    assert (after.status, after.basis, after.version) == (target or status, INDEX, 1)
                elif status not in resumable or status in sources.split():
                    refused(before, act, **asked)


def test_reauthentication_is_the_holders_alone_and_never_goes_back() -> None:
    sca = {"acr": "sca", "amr": [], "at": SECONDS}
    for status in STATUSES:
        for party in (HOLDER, RECIPIENT):
            if status in ("ACTIVE", "SUSPENDED") and party == HOLDER:
                after = moved(consent(status), "reauthenticate", sca=sca, time=NOW + 5_999)
                assert (after.status, after.authenticated_at, after.confirmed_at) == (status, SECONDS + 5, SECONDS)
            else:
                refused(consent(status), "reauthenticate", party=party, sca=sca)
    refused(consent(), "reauthenticate", sca={**sca, "at": SECONDS - 1})


def test_reconfirmation_counts_from_the_time_of_its_entry() -> None:
    after = moved(consent(), "reconfirm", party=RECIPIENT, by="customer", time=NOW + 7_001)
    assert (after.confirmed_at, after.authenticated_at) == (SECONDS + 7, SECONDS)


def test_a_consent_expires_when_its_time_is_over_and_only_while_it_is_open() -> None:
    for status in STATUSES:
        ends = consent(status, of={"expires_at": SECONDS})
        if status in OPEN:
            assert (moved(ends, "expire").status, moved(ends, "expire").basis) == ("EXPIRED", INDEX)
            refused(ends, "expire", time=NOW - 1)
            refused(consent(status), "expire")
            refused(ends, "expire", rules=REMOVED)
        else:
            refused(ends, "expire")
    refused(consent(of={"expires_at": SECONDS}), "revoke", by="customer")


def test_nothing_moves_before_it_was_requested_or_twice() -> None:
    for act in ("revoke", "authorise", "amend", "expire", "resume"):
        refused(None, act, by="customer")
    asked = {"party": RECIPIENT, "terms": TERMS, "terms_hash": "t" * 43}
    assert moved(None, "request", **asked) == Consent(
        1, "AWAITING", moved(None, "request", **asked).terms, "t" * 43, INDEX
    )
    begun = moved(None, "request", **asked)
    assert (begun.authenticated_at, begun.confirmed_at, begun.used_day, begun.used_today) == (0, 0, -1, 0)
    refused(consent("REVOKED"), "request", **asked)


# --- authorisations -------------------------------------------------------------------------------------------


def given(before: Consent | None, *, at: int = NOW, rules: Any = RULES, party: str = HOLDER, **changes: Any) -> Consent:
    content = {
        "version": 1,
        "terms_hash": "h" * 43,
        "accounts": [A],
        "authoriser": BOB,
        "subject": "s" * 22,
        "separate_consents": [{"kind": "provision"}, {"kind": "sensitive"}],
        **changes,
    }
    return moved(before, "authorise", party=party, time=at, rules=rules, **content)


def fresh(status: str = "AWAITING", **changes: Any) -> Consent:
    members = {"given": Given(), "accounts": (), "subject": "", "authenticated_at": 0, "confirmed_at": 0, **changes}
    return consent(status, **members)


def test_a_consent_is_active_with_the_last_authoriser_that_its_terms_require() -> None:
    state = fresh(of={"authorisers_required": 3})
    for number, status in ((1, "PARTIAL"), (2, "PARTIAL"), (3, "ACTIVE")):
        state = given(state, authoriser=f"{number}" * 22, accounts=[A, B][: number % 2 + 1], at=NOW + number * 1000)
        assert (state.status, state.basis, state.version) == (status, INDEX, 1)
        assert state.given.authorisers == tuple(f"{n}" * 22 for n in range(1, number + 1))
    assert (state.authenticated_at, state.confirmed_at) == (SECONDS + 3, SECONDS + 3)
    assert state.accounts == (A, B)
    assert given(consent("PARTIAL")).status == "ACTIVE"
    one = given(fresh())
    assert (one.status, one.accounts, one.subject, one.given.separate) == (
        "ACTIVE",
        (A,),
        "s" * 22,
        ("provision", "sensitive"),
    )


def test_an_authorisation_is_the_holders_of_this_version_these_terms_this_customer() -> None:
    assert given(fresh("PARTIAL", subject="s" * 22)).status == "ACTIVE"
    for wrong in (
        {"party": RECIPIENT},
        {"version": 2},
        {"version": 0},
        {"terms_hash": "i" * 43},
    ):
        with refusal(Code.CONSENT_INVALID):
            given(fresh(), **wrong)
    with refusal(Code.CONSENT_INVALID):
        given(fresh("PARTIAL", subject="t" * 22))
    with refusal(Code.CONSENT_INVALID):
        given(fresh("PARTIAL", given=Given(((BOB, (B,)),)), of={"authorisers_required": 2}))
    with refusal(Code.CONSENT_INVALID):
        given(fresh(), separate_consents=[{"kind": "marketing"}])


@pytest.mark.parametrize("status", STATUSES)
def test_an_authorisation_of_the_present_version_is_possible_from_where_the_ruleset_says(status: str) -> None:
    lacking = consent(status, of={"authorisers_required": 2})
    if status in OPEN:
        assert given(lacking).given.authorisers == (ANN, BOB)
    if status not in OPEN:
        with refusal(Code.CONSENT_INVALID):
            given(lacking)
    if status not in ("AWAITING", "PARTIAL"):
        with refusal(Code.CONSENT_INVALID):
            given(lacking, rules=RULES_1)
        if status in OPEN:
            assert given(lacking).status == status


def test_a_consent_in_force_takes_an_approval_only_for_what_waits_or_lacks_one() -> None:
    waiting = consent(given=Given(((ANN, (A, B)),), (A,), ("provision", "sensitive")), accounts=(B,))
    assert given(waiting).accounts == (A, B)
    for accounts in ([B], [A, B], [C]):
        with refusal(Code.CONSENT_INVALID):
            given(waiting, accounts=accounts)
    lacking = replace(waiting, terms=terms(authorisers_required=2))
    assert given(lacking, accounts=[C]).accounts == (B, C)
    assert given(lacking, at=NOW + 9_000).authenticated_at == SECONDS
    back = given(replace(lacking, withdrawn=(A, C)), accounts=[A])
    assert (back.withdrawn, back.accounts) == ((C,), (A, B))
    assert given(lacking, accounts=[C], joint_accounts=[C]).accounts == (B,)


PENDING = {"terms_hash": "p" * 43}


def amended(status: str = "ACTIVE", **of: Any) -> Consent:
    return consent(status, pending=Pending(terms(permissions=("ReadBalances",), **of), "p" * 43))


@pytest.mark.parametrize(
    ("status", "target", "target_1"),
    [
        ("ACTIVE", "ACTIVE", "ACTIVE"),
        ("PARTIAL", "ACTIVE", "ACTIVE"),
        ("PAUSED", "PAUSED", "ACTIVE"),
        ("SUSPENDED", "SUSPENDED", "ACTIVE"),
    ],
)
def test_a_pending_version_comes_into_force_with_its_own_authorisers(status: str, target: str, target_1: str) -> None:
    for rules, expected in ((RULES, target), (RULES_1, target_1)):
        after = given(replace(amended(status), withdrawn=(B,)), version=2, rules=rules, **PENDING)
        assert (after.status, after.version, after.pending, after.basis) == (expected, 2, None, INDEX)
        assert (after.terms.permissions, after.terms_hash) == (("ReadBalances",), "p" * 43)
        assert (after.given.authorisers, after.accounts, after.withdrawn) == ((BOB,), (A,), ())
        assert after.authenticated_at == after.confirmed_at == SECONDS


def test_until_it_is_complete_a_pending_version_leaves_the_present_one_as_it_is() -> None:
    before = amended(authorisers_required=2)
    first = given(before, version=2, **PENDING)
    assert first.pending is not None
    assert first.pending.given.authorisers == (BOB,)
    assert replace(first, pending=before.pending, basis=before.basis) == before
    with refusal(Code.CONSENT_INVALID):
        given(first, version=2, **PENDING)
    assert given(first, version=2, authoriser=ANN, **PENDING).version == 2


def test_the_version_that_an_authorisation_names_is_the_one_it_is_for() -> None:
    before = replace(amended(), given=Given(((ANN, (A, B)),), (A,), ("provision", "sensitive")))
    present = given(before)
    assert (present.version, present.pending, present.given.authorisers) == (1, before.pending, (ANN, BOB))
    for wrong in ({"version": 1, **PENDING}, {"version": 2}, {"version": 3, **PENDING}):
        with refusal(Code.CONSENT_INVALID):
            given(before, **wrong)
    with refusal(Code.CONSENT_INVALID):
        given(before, rules=RULES_1)
    with refusal(Code.CONSENT_INVALID):
        given(replace(before, status="PARTIAL"), rules=RULES_1)
    with refusal(Code.CONSENT_INVALID):
        given(replace(before, status="REVOKED"), version=2, **PENDING)


# --- amendments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_an_amendment_waits_beside_a_consent_in_force(status: str) -> None:
    asked = {"party": RECIPIENT, "terms": TERMS, "terms_hash": "t" * 43, "previous_version": 1}
    if status not in ("ACTIVE", "PAUSED", "SUSPENDED"):
        return refused(consent(status), "amend", **asked)
    after = moved(amended(status), "amend", **asked)
    assert after.pending == Pending(moved(None, "request", **asked).terms, "t" * 43)
    assert (after.status, after.version, after.basis) == (status, 1, INDEX)
    for wrong in (
        {"party": HOLDER},
        {"previous_version": 2},
        {"previous_version": 0},
        {"terms": {**TERMS, "grade": 2}},
    ):
        refused(consent(status), "amend", **{**asked, **wrong})
    refused(consent(status), "amend", **{**asked, "party": OTHER, "terms": {**TERMS, "recipient": OTHER}})
    second = registry(operator("participant.registered", participant="second.example", name="second", roles=["holder"]))
    return refused(consent(status), "amend", rules=second, **{**asked, "terms": {**TERMS, "holder": "second.example"}})


# --- withdrawals ----------------------------------------------------------------------------------------------


def test_withdrawn_accounts_leave_every_approval_and_one_account_remains() -> None:
    before = replace(
        amended(), given=Given(((ANN, (A, B)), (BOB, (B, C))), (C,), ()), accounts=(A, B), withdrawn=("w" * 22,)
    )
    pending = Pending(terms(), "p" * 43, Given(((ANN, (A, C)),)))
    after = moved(replace(before, pending=pending), "withdraw_accounts", by="customer", accounts=[A, C])
    assert after.given.approvals == ((ANN, (B,)), (BOB, (B,)))
    assert (after.accounts, after.withdrawn) == ((B,), (A, C, "w" * 22))
    assert after.pending is not None
    assert after.pending.given.approvals == ((ANN, ()),)
    for accounts in ([A, B, C], ["d" * 22], [A, "w" * 22]):
        refused(before, "withdraw_accounts", by="customer", accounts=accounts)
    with pytest.raises(Refuted, match=r"consent\.revoke is the act"):
        moved(before, "withdraw_accounts", by="customer", accounts=[A, B, C])
    assert moved(before, "withdraw_accounts", by="customer", accounts=[A, B]).accounts == ()  # C waits


def test_a_withdrawn_account_is_neither_shared_nor_waiting_whoever_gives_it() -> None:
    twice = Given(((ANN, (A, B, C)), (BOB, (A,))), (A, C))
    assert (twice.shared(()), twice.waiting(())) == ((A, B), {C})
    assert (twice.shared((A, C)), twice.waiting((A, C))) == ((B,), set())


def test_a_withdrawn_approval_takes_what_only_it_gave_and_may_leave_too_few() -> None:
    both = Given(((ANN, (A, B)), (BOB, (B, C))), (C,), ("provision",))
    before = replace(amended(), given=both, accounts=(A, B))
    after = moved(before, "withdraw_approval", by="customer", authoriser=ANN)
    assert (after.given.authorisers, after.accounts, after.withdrawn, after.pending) == ((BOB,), (B,), (A,), None)
    for required, status, expected in (
        (1, "ACTIVE", "ACTIVE"),
        (2, "ACTIVE", "PARTIAL"),
        (2, "PAUSED", "PAUSED"),
        (2, "PARTIAL", "PARTIAL"),
    ):
        state = replace(before, status=status, terms=terms(authorisers_required=required))
        assert moved(state, "withdraw_approval", by="customer", authoriser=ANN).status == expected
    refused(before, "withdraw_approval", by="customer", authoriser="x" * 22)
    refused(consent(), "withdraw_approval", by="customer", authoriser=ANN)


def test_a_withdrawn_separate_consent_was_given_and_leaves_the_others() -> None:
    after = moved(consent(), "withdraw_separate", by="customer", separate="provision")
    assert after.given.separate == ("sensitive",)
    refused(consent(), "withdraw_separate", by="customer", separate="marketing")


def test_a_resumed_consent_is_partial_while_it_lacks_an_authoriser() -> None:
    for required, expected in ((1, "ACTIVE"), (2, "PARTIAL")):
        assert (
            moved(consent("PAUSED", of={"authorisers_required": required}), "resume", by="customer").status == expected
        )


# --- one consent instead of another ---------------------------------------------------------------------------


def superseding(other: Consent | None, superseded_by: str = "urn:that", **members: Any) -> Consent:
    return moved(consent(), "supersede", by="customer", superseded_by=superseded_by, find=lambda _: other, **members)


@pytest.mark.parametrize(
    "other",
    [
        None,
        consent("PAUSED"),
        consent(of={"expires_at": SECONDS}),
        consent(of={"holder": "second.example"}),
        consent(of={"recipient": OTHER}),
        consent(subject="t" * 22),
    ],
)
def test_only_an_active_consent_of_the_same_parties_and_customer_supersedes(other: Consent | None) -> None:
    assert superseding(consent()).status == "SUPERSEDED"
    with refusal(Code.CONSENT_INVALID):
        superseding(other)


def test_no_consent_supersedes_itself_and_an_unknown_state_is_not_a_verdict() -> None:
    with refusal(Code.CONSENT_INVALID):
        superseding(consent(), "urn:this")

    def unknown(_: str) -> None:
        raise StateUnknown

    with pytest.raises(StateUnknown):
        moved(consent(), "supersede", by="customer", superseded_by="urn:that", find=unknown)
