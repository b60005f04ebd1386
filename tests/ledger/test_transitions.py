"""Who may move a consent where: the whole table of docs/spec/consents.md, written down here a second time."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from ledger.consent.state import Approval, Consent, Pending, Status
from ledger.consent.transitions import apply, expire
from ledger.documents import parse_document
from ledger.entries.acts import ConsentAmend, ConsentAuthorise, ConsentStep
from ledger.entries.statement import parse_payload
from ledger.entries.terms import Terms
from ledger.errors import Conflict, IllegalTransition, LedgerError, NotFound, NotPermitted
from ledger.participants import Registry
from tests.ledger.kit import (
    BANK,
    FINTECH,
    NOW,
    ORIGIN,
    OTHER_BANK,
    STRANGER,
    about,
    new_consent_id,
    payload,
    reference,
    registered,
    terms,
    terms_hash,
)

# act: (states it may start from, state it leads to, {signer: whom it may name})
TABLE: dict[str, tuple[str, str, dict[str, str]]] = {
    "consent.reject": ("AWAITING PARTIAL", "REJECTED", {BANK: "customer holder system", FINTECH: "customer recipient"}),
    "consent.suspend": ("ACTIVE", "SUSPENDED", {BANK: "customer holder court system"}),
    "consent.pause": ("ACTIVE", "PAUSED", {BANK: "customer guardian"}),
    "consent.revoke": (
        "AWAITING PARTIAL ACTIVE PAUSED SUSPENDED",
        "REVOKED",
        {BANK: "customer guardian court holder", FINTECH: "customer recipient"},
    ),
    "consent.terminate": (
        "AWAITING PARTIAL ACTIVE PAUSED SUSPENDED",
        "TERMINATED",
        {BANK: "holder system", FINTECH: "recipient system"},
    ),
}
RESUME = {"PAUSED": "customer guardian", "SUSPENDED": "customer holder court system"}
ACTORS = ("customer", "guardian", "court", "holder", "recipient", "system")
STATES = tuple(status.value for status in Status)


def lawful(status: str, act: str, signer: str, by: str) -> str | None:
    """The state that a step leads to, by the table above; None when it must be refused."""
    if act == "consent.resume":
        return "ACTIVE" if signer == BANK and by in RESUME.get(status, "").split() else None
    sources, target, signers = TABLE[act]
    return target if status in sources.split() and by in signers.get(signer, "").split() else None


def registry(*more: dict[str, Any], ruleset: int = 2) -> Registry:
    made = Registry()
    documents = (
        {"type": "ledger.opened", "v": 1, "origin": ORIGIN, "ruleset": ruleset},
        registered(BANK, "holder"),
        registered(OTHER_BANK, "holder"),
        registered(FINTECH, "recipient"),
        registered(STRANGER, "recipient"),
        *more,
    )
    for index, document in enumerate(documents):
        made = made.after(parse_document(document), index)
    return made


REGISTRY = registry()
REGISTRIES = {1: registry(ruleset=1), 2: REGISTRY}
ID = new_consent_id()


def consent(status: str = "ACTIVE", **changes: Any) -> Consent:
    wanted = changes.pop("terms", {})
    made = Consent(
        consent_id=ID,
        version=1,
        status=Status(status),
        terms=msgspec.convert(terms(**wanted), Terms),
        basis=10,
        approvals=(approval("first", "account"),),
        subject=reference("pseudonym"),
        subject_chain=b"s" * 32,
        separate=("provision", "sensitive"),
        authenticated_at=NOW // 1000,
        confirmed_at=NOW // 1000,
    )
    made = msgspec.structs.replace(made, **changes)
    return made.sharing(made.approvals, made.joint, made.withdrawn)


def approval(authoriser: str, *accounts: str) -> Approval:
    return Approval(reference(authoriser), tuple(sorted(map(reference, accounts))))


def said(act: str, iss: str, **members: Any) -> Any:
    return parse_payload(payload(act, iss, NOW, consent_id=ID, **members))


def step(act: str, iss: str, by: str) -> ConsentStep:
    made = said(act, iss, by=by, reason="as-asked")
    assert isinstance(made, ConsentStep)
    return made


def do(before: Consent | None, act: Any, *, index: int = 20, time: int = NOW, rules: Registry = REGISTRY) -> Consent:
    return apply(before, act, rules, index=index, time=time)


def refused(kind: type[LedgerError], before: Consent | None, act: Any, **where: Any) -> None:
    with pytest.raises(kind):
        do(before, act, **where)


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


def authorise(iss: str = BANK, **changes: Any) -> ConsentAuthorise:
    wanted = changes.pop("terms", {})
    made = said(
        "consent.authorise",
        iss,
        **{
            "version": 1,
            "terms_hash": terms_hash(terms(**wanted)),
            "accounts": [reference("account-2")],
            "authoriser": reference("second"),
            "subject": reference("pseudonym"),
            "sca": {"acr": "loa3", "amr": ["otp"], "at": NOW // 1000},
            **changes,
        },
    )
    assert isinstance(made, ConsentAuthorise)
    return made


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


def amend(iss: str = FINTECH, previous_version: int = 1, **changes: Any) -> ConsentAmend:
    made = said("consent.amend", iss, previous_version=previous_version, terms=terms(**changes))
    assert isinstance(made, ConsentAmend)
    return made


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
