"""Who may move a consent where: the whole table of docs/spec/consents.md, written down here a second time."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ledger.consent.state import Pending, Status
from ledger.consent.transitions import expire
from ledger.errors import Conflict, IllegalTransition, LedgerError, NotFound, NotPermitted
from tests.clocks import NOW
from tests.ledger.consents import (
    ACTORS,
    REGISTRIES,
    REGISTRY,
    STATES,
    TABLE,
    amend,
    authorise,
    consent,
    do,
    lawful,
    refused,
    registry,
    said,
    step,
)
from tests.world import BANK, FINTECH, OTHER_BANK, STRANGER, about, reference, terms


@pytest.mark.parametrize("ruleset", REGISTRIES)
@pytest.mark.parametrize("act", [*TABLE, "consent.resume"])
def test_the_whole_table_of_steps(act: str, ruleset: int) -> None:
    rules = REGISTRIES[ruleset]
    for status, signer, by in itertools.product(STATES, (BANK, FINTECH, STRANGER, OTHER_BANK), ACTORS):
        before = consent(status, pending=Pending(terms=consent().terms))
        wanted = lawful(status, act, signer, by)
        if wanted is None:
            with pytest.raises((IllegalTransition, NotPermitted, NotFound)):
                do(before, step(act, signer, by), rules=rules)
            continue
        after = do(before, step(act, signer, by), rules=rules)
        assert (after.status, after.basis, after.version) == (wanted, 20, 1), (status, act, signer, by)
        assert (after.pending is None) == (wanted not in ("ACTIVE", "PAUSED", "SUSPENDED"))


def test_a_stranger_and_an_unknown_consent_get_the_same_answer() -> None:
    with pytest.raises(NotFound) as strange:
        do(consent(), step("consent.revoke", STRANGER, "customer"))
    with pytest.raises(NotFound) as unknown:
        do(None, step("consent.revoke", BANK, "customer"))
    assert strange.value.detail == unknown.value.detail


@pytest.mark.parametrize("act", [*TABLE, "consent.resume"])
@pytest.mark.parametrize("status", ["AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED"])
def test_nothing_but_expiry_is_recorded_after_expiry(status: str, act: str) -> None:
    before = consent(status, terms={"expires_at": NOW // 1000})
    for signer, by in itertools.product((BANK, FINTECH), ACTORS):
        with pytest.raises((IllegalTransition, NotPermitted)):
            do(before, step(act, signer, by))
    if lawful(status, act, BANK, "customer"):
        do(before, step(act, BANK, "customer"), time=NOW - 1)


@pytest.mark.parametrize("status", STATES)
def test_expiry_is_recorded_for_a_living_consent_whose_time_has_come(status: str) -> None:
    before = consent(status, terms={"expires_at": NOW // 1000})
    if status in ("AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED"):
        after = expire(before, REGISTRY, index=30, time=NOW)
        assert (after.status, after.basis) == (Status.EXPIRED, 30)
    else:
        with pytest.raises(IllegalTransition):
            expire(before, REGISTRY, index=30, time=NOW)
    with pytest.raises(IllegalTransition):
        expire(before, REGISTRY, index=30, time=NOW - 1)
    with pytest.raises(IllegalTransition):
        expire(consent(status), REGISTRY, index=30, time=NOW)


# -- request and rule T -----------------------------------------------------------------------------------------------


def request(**changes: Any) -> Any:
    iss = changes.pop("iss", FINTECH)
    return said("consent.request", iss, terms=terms(**changes))


def test_a_request_opens_version_1_and_waits() -> None:
    made = do(None, request())
    assert (made.version, made.status, made.basis, made.accounts) == (1, Status.AWAITING, 20, ())


@pytest.mark.parametrize("status", STATES)
def test_a_used_consent_id_is_a_conflict_in_every_state(status: str) -> None:
    refused(Conflict, consent(status), request())


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (NotPermitted, {"recipient": STRANGER}),
        (NotPermitted, {"iss": BANK, "recipient": BANK, "holder": OTHER_BANK}),
        (IllegalTransition, {"holder": FINTECH}),
        (IllegalTransition, {"holder": STRANGER}),
        (IllegalTransition, {"holder": "bank-unknown"}),
        (IllegalTransition, {"permissions": ["ReadBalances", "ReadMinds"]}),
        (IllegalTransition, {"grade": 2}),
        (IllegalTransition, {"grade": 4}),
        (IllegalTransition, {"grade": 3, "permissions": ["ReadAccountsBasic"]}),
        (IllegalTransition, {"expires_at": NOW // 1000}),
        (IllegalTransition, {"expires_at": NOW // 1000 - 1}),
        (IllegalTransition, {"starts_at": NOW // 1000 + 50, "expires_at": NOW // 1000 + 50}),
        (IllegalTransition, {"history_from": 200, "history_to": 199}),
    ],
)
def test_rule_t_refuses(kind: type[LedgerError], changes: dict[str, Any]) -> None:
    refused(kind, None, request(**changes))
    if "iss" not in changes and "holder" not in changes:
        amended = said("consent.amend", FINTECH, previous_version=1, terms=terms(**changes))
        refused(kind, consent(), amended)


@pytest.mark.parametrize(
    "changes",
    [
        {"grade": 2, "permissions": ["ReadAccountsBasic", "ReadProducts"]},
        {"grade": 1, "permissions": ["ReadProducts"]},
        {"expires_at": NOW // 1000 + 1},
        {"starts_at": NOW // 1000 + 50, "expires_at": NOW // 1000 + 51},
        {"history_from": 200, "history_to": 200},
        {"history_from": 200},
    ],
)
@pytest.mark.parametrize("ruleset", REGISTRIES)
def test_rule_t_accepts(changes: dict[str, Any], ruleset: int) -> None:
    assert do(None, request(**changes), rules=REGISTRIES[ruleset]).status is Status.AWAITING


def test_a_suspended_holder_gets_no_new_consents() -> None:
    suspended = registry(about("participant.suspended", BANK, reason="audit"))
    refused(IllegalTransition, None, request(), rules=suspended)


# -- authorisation and amendment ----------------------------------------------------------------------------------------


def test_one_authorisation_is_enough_for_terms_that_ask_for_one() -> None:
    waiting = consent("AWAITING", approvals=(), subject="")
    after = do(waiting, authorise())
    assert (after.status, after.accounts, after.subject) == (
        Status.ACTIVE,
        (reference("account-2"),),
        reference("pseudonym"),
    )


def test_each_of_several_authorisers_is_needed_and_counted_once() -> None:
    three = {"authorisers_required": 3}
    at = consent("AWAITING", approvals=(), subject="", terms=three)
    for number, status in ((1, Status.PARTIAL), (2, Status.PARTIAL), (3, Status.ACTIVE)):
        act = authorise(authoriser=reference(f"p{number}"), accounts=[reference(f"a{number}")], terms=three)
        at = do(at, act)
        assert (at.status, len(at.authorisers), len(at.accounts)) == (status, number, number)
        if status is Status.PARTIAL:
            refused(IllegalTransition, at, act)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (NotPermitted, {"iss": FINTECH}),
        (NotFound, {"iss": OTHER_BANK}),
        (IllegalTransition, {"version": 2}),
        (IllegalTransition, {"terms": {"retention_days": 91}}),
        (IllegalTransition, {"authoriser": reference("first")}),
        (IllegalTransition, {"subject": reference("another")}),
    ],
)
def test_an_authorisation_that_does_not_fit_is_refused(kind: type[LedgerError], changes: dict[str, Any]) -> None:
    two = {"authorisers_required": 2}
    if "terms" not in changes:
        changes = {**changes, "terms": two}
    refused(kind, consent("PARTIAL", terms=two), authorise(**changes))


@pytest.mark.parametrize("status", [state for state in STATES if state not in ("AWAITING", "PARTIAL")])
def test_without_a_pending_version_there_is_nothing_to_authorise(status: str) -> None:
    refused(IllegalTransition, consent(status), authorise())
    refused(IllegalTransition, consent(status), authorise(version=2))


def test_an_expired_consent_cannot_be_authorised() -> None:
    short = {"expires_at": NOW // 1000}
    refused(IllegalTransition, consent("AWAITING", terms=short, approvals=()), authorise(terms=short))


@pytest.mark.parametrize("status", STATES)
def test_amendments_are_for_consents_in_force(status: str) -> None:
    if status in ("ACTIVE", "PAUSED", "SUSPENDED"):
        after = do(consent(status), amend(retention_days=10))
        assert (after.status, after.version, after.basis) == (status, 1, 20)
        assert after.pending is not None
        assert after.terms.retention_days == 90
    else:
        refused(IllegalTransition, consent(status), amend(retention_days=10))


def test_an_amendment_is_the_recipients_and_stays_with_its_holder() -> None:
    refused(NotPermitted, consent(), amend(iss=BANK))
    refused(NotFound, consent(), amend(iss=STRANGER))
    refused(IllegalTransition, consent(), amend(previous_version=2))
    refused(IllegalTransition, consent(), amend(holder=OTHER_BANK))


@pytest.mark.parametrize("ruleset", REGISTRIES)
@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED", "SUSPENDED"])
def test_a_pending_version_takes_over_when_all_have_authorised_it(status: str, ruleset: int) -> None:
    rules = REGISTRIES[ruleset]
    new = {"retention_days": 10, "authorisers_required": 2}
    pending = do(consent(status), amend(**new), rules=rules)
    refused(IllegalTransition, pending, authorise(version=1, terms=new), rules=rules)
    first = authorise(version=2, terms=new, authoriser=reference("first"), accounts=[reference("x")])
    half = do(pending, first, rules=rules)
    assert (half.status, half.version, half.terms.retention_days, half.accounts) == (
        status,
        1,
        90,
        (reference("account"),),
    )
    second = authorise(version=2, terms=new, authoriser=reference("second"), accounts=[reference("y")])
    whole = do(half, second, index=21, time=NOW + 5_000, rules=rules)
    stays = ruleset == 2 and status != "ACTIVE"
    assert (whole.status, whole.version, whole.terms.retention_days) == (status if stays else "ACTIVE", 2, 10)
    assert whole.authenticated_at == whole.confirmed_at == NOW // 1000 + 5
    assert (set(whole.accounts), whole.pending, whole.basis) == ({reference("x"), reference("y")}, None, 21)


def test_another_amendment_replaces_the_pending_one_and_its_authorisations() -> None:
    first = do(consent(), amend(retention_days=10, authorisers_required=2))
    half = do(first, authorise(version=2, terms={"retention_days": 10, "authorisers_required": 2}))
    again = do(half, amend(retention_days=11))
    assert again.pending is not None
    assert (again.pending.authorisers, again.pending.terms.retention_days) == ((), 11)
