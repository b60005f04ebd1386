"""What ruleset 2 adds to the table of transitions: every row of docs/spec/consents.md, written down a second time."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from ledger.consent.state import Consent, Pending, Status
from ledger.consent.transitions import apply, expire
from ledger.documents import PurposeDefined, document_of
from ledger.errors import IllegalTransition, NotFound, NotPermitted
from tests.clocks import NOW
from tests.ledger.consents import ACTORS, STATES, amend, approval, authorise, consent, do, refused, registry, said, step
from tests.world import BANK, FINTECH, OTHER_BANK, STRANGER, about, new_consent_id, reference, separately, terms

AUTHORISED = "PARTIAL ACTIVE PAUSED SUSPENDED"
SECOND = new_consent_id()
# act: (states it may start from, {signer: whom it may name}, its own members)
ROWS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "consent.withdraw_accounts": (
        AUTHORISED,
        {BANK: "customer guardian court holder"},
        {"accounts": [reference("a")]},
    ),
    "consent.withdraw_approval": (AUTHORISED, {BANK: "customer guardian"}, {"authoriser": reference("first")}),
    "consent.withdraw_separate": (
        AUTHORISED,
        {BANK: "customer guardian", FINTECH: "customer"},
        {"separate": "sensitive"},
    ),
    "consent.reconfirm": ("ACTIVE", {FINTECH: "customer"}, {}),
    "consent.supersede": (AUTHORISED, {BANK: "customer holder system"}, {"superseded_by": SECOND}),
}
TWO = {"authorisers_required": 2}


def joint(status: str = "ACTIVE", **changes: Any) -> Consent:
    """Two people's consent: `first` gave a and b, `second` gave b and c."""
    approvals = (approval("first", "a", "b"), approval("second", "b", "c"))
    return consent(status, **{"approvals": approvals, "terms": TWO, **changes})


def successor(**changes: Any) -> Consent:
    return msgspec.structs.replace(consent(), consent_id=SECOND, **changes)


def change(act: str, iss: str = BANK, by: str | None = "customer", **members: Any) -> Any:
    named = {} if by is None else {"by": by, "reason": "as-asked"}
    return said(act, iss, **{**ROWS.get(act, ("", {}, {}))[2], **named, **members})


def accounts(*names: str) -> tuple[str, ...]:
    return tuple(sorted(map(reference, names)))


def supersede(before: Consent, act: Any, other: Consent | None) -> Consent:
    return apply(before, act, registry(), index=20, time=NOW, successor=other)


@pytest.mark.parametrize("act", ROWS)
def test_the_whole_table_of_what_ruleset_2_adds(act: str) -> None:
    sources, signers, _ = ROWS[act]
    for status, signer, by in itertools.product(STATES, (BANK, FINTECH, STRANGER, OTHER_BANK), ACTORS):
        before = joint(status, pending=Pending(terms=joint().terms))
        if status in sources.split() and by in signers.get(signer, "").split():
            after = supersede(before, change(act, signer, by), successor())
            broken = act == "consent.withdraw_approval" and status == "ACTIVE"
            wanted = "SUPERSEDED" if act == "consent.supersede" else ("PARTIAL" if broken else status)
            assert (after.status, after.basis, after.version) == (wanted, 20, 1), (status, signer, by)
            assert (after.pending is None) == (act in ("consent.supersede", "consent.withdraw_approval"))
        else:
            with pytest.raises((IllegalTransition, NotPermitted, NotFound)):
                supersede(before, change(act, signer, by), successor())


@pytest.mark.parametrize("signer", [BANK, FINTECH, STRANGER])
@pytest.mark.parametrize("status", STATES)
def test_a_holder_reauthenticates_a_consent_that_is_active_or_suspended(status: str, signer: str) -> None:
    act = change("consent.reauthenticate", signer, None, sca={"acr": "loa3", "amr": [], "at": NOW // 1000})
    if signer == BANK and status in ("ACTIVE", "SUSPENDED"):
        after = do(joint(status, authenticated_at=5), act, time=NOW + 9_999)
        assert (after.status, after.authenticated_at, after.basis) == (status, NOW // 1000 + 9, 20)
    else:
        with pytest.raises((IllegalTransition, NotPermitted, NotFound)):
            do(joint(status), act)


def test_an_authentication_older_than_the_one_that_counts_is_refused() -> None:
    for age, works in ((0, True), (1, False)):
        act = change("consent.reauthenticate", BANK, None, sca={"acr": "x", "amr": [], "at": NOW // 1000 - age})
        if works:
            do(joint(), act)
        else:
            refused(IllegalTransition, joint(), act)


def test_a_reconfirmation_moves_its_clock_and_nothing_else() -> None:
    after = do(joint(confirmed_at=5, authenticated_at=6), change("consent.reconfirm", FINTECH), time=NOW + 1_000)
    assert (after.confirmed_at, after.authenticated_at, after.status) == (NOW // 1000 + 1, 6, Status.ACTIVE)


# -- accounts ---------------------------------------------------------------------------------------------------------


def test_a_joint_account_is_shared_once_two_have_given_it() -> None:
    one = consent("AWAITING", approvals=(), subject="")
    half = do(one, authorise(accounts=sorted(accounts("own", "both")), joint_accounts=[reference("both")], terms={}))
    assert (half.status, half.accounts, half.waiting) == (Status.ACTIVE, accounts("own"), accounts("both"))
    whole = do(half, authorise(authoriser=reference("third"), accounts=[reference("both")]), index=21)
    assert (whole.status, whole.accounts, whole.waiting, whole.basis) == (
        Status.ACTIVE,
        accounts("own", "both"),
        (),
        21,
    )
    refused(IllegalTransition, whole, authorise(authoriser=reference("fourth"), accounts=[reference("both")]))


@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED", "SUSPENDED"])
def test_another_approval_is_taken_only_for_accounts_that_all_wait(status: str) -> None:
    before = joint(status, joint=accounts("a"), terms={})
    assert (before.accounts, before.waiting) == (accounts("b", "c"), accounts("a"))
    refused(IllegalTransition, before, authorise(authoriser=reference("third"), accounts=sorted(accounts("a", "b"))))
    refused(IllegalTransition, before, authorise(authoriser=reference("third"), accounts=[reference("new")]))
    refused(IllegalTransition, before, authorise(authoriser=reference("first"), accounts=[reference("a")]))
    after = do(before, authorise(authoriser=reference("third"), accounts=[reference("a")]))
    assert (after.status, after.accounts, after.authenticated_at) == (status, accounts("a", "b", "c"), NOW // 1000)


def test_withdrawn_accounts_leave_every_approval_and_a_pending_version_too() -> None:
    pending = Pending(terms=joint().terms, approvals=(approval("first", "a", "x"),))
    after = do(joint(pending=pending), change("consent.withdraw_accounts", accounts=sorted(accounts("a", "b"))))
    assert (after.accounts, after.withdrawn, after.status) == (accounts("c"), accounts("a", "b"), Status.ACTIVE)
    assert after.approvals == (approval("first"), approval("second", "c"))
    assert after.pending is not None
    assert after.pending.approvals == (approval("first", "x"),)


@pytest.mark.parametrize("names", [("a", "b", "c"), ("x",), ("a", "x")])
def test_a_withdrawal_needs_something_to_withdraw_and_leaves_something(names: tuple[str, ...]) -> None:
    refused(IllegalTransition, joint(), change("consent.withdraw_accounts", accounts=sorted(accounts(*names))))


def test_an_account_that_waits_can_be_withdrawn_and_counts_as_remaining() -> None:
    before = joint(joint=accounts("a", "c"))
    assert before.waiting == accounts("a", "c")
    assert do(before, change("consent.withdraw_accounts")).waiting == accounts("c")
    only = do(before, change("consent.withdraw_accounts", accounts=[reference("b")]))
    assert (only.accounts, only.waiting) == ((), accounts("a", "c"))


def test_a_withdrawn_account_comes_back_with_the_authorisation_that_gives_it() -> None:
    before = joint(
        "PARTIAL", approvals=(approval("first", "a"),), withdrawn=accounts("b", "z"), terms={"authorisers_required": 3}
    )
    after = do(before, authorise(accounts=[reference("b")], terms={"authorisers_required": 3}))
    assert (after.status, after.withdrawn, after.accounts) == (Status.PARTIAL, accounts("z"), accounts("a", "b"))


# -- approvals --------------------------------------------------------------------------------------------------------


def test_a_withdrawn_approval_takes_what_only_it_shared() -> None:
    after = do(joint(), change("consent.withdraw_approval"))
    assert (after.status, after.accounts, after.withdrawn) == (Status.PARTIAL, accounts("b", "c"), accounts("a"))
    assert after.authorisers == (reference("second"),)
    both = do(joint(joint=accounts("b")), change("consent.withdraw_approval"))
    assert (both.accounts, both.withdrawn, both.waiting) == (accounts("c"), accounts("a", "b"), ())


def test_a_consent_with_enough_other_approvals_continues() -> None:
    assert do(joint(terms={}), change("consent.withdraw_approval")).status is Status.ACTIVE


def test_the_only_approval_and_that_of_a_stranger_are_not_withdrawn() -> None:
    refused(IllegalTransition, consent(), change("consent.withdraw_approval"))
    refused(IllegalTransition, joint(), change("consent.withdraw_approval", authoriser=reference("nobody")))


@pytest.mark.parametrize("status", ["PAUSED", "SUSPENDED"])
def test_a_consent_that_lost_an_approval_is_resumed_as_partial(status: str) -> None:
    lost = do(joint(status), change("consent.withdraw_approval"))
    assert lost.status == status
    partial = do(lost, step("consent.resume", BANK, "customer"))
    assert partial.status is Status.PARTIAL
    again = do(
        partial, authorise(authoriser=reference("first"), accounts=[reference("a")], terms=TWO), time=NOW + 7_000
    )
    assert (again.status, again.withdrawn, again.accounts) == (Status.ACTIVE, (), accounts("a", "b", "c"))
    assert again.authenticated_at == again.confirmed_at == NOW // 1000 + 7
    meanwhile = do(lost, authorise(authoriser=reference("third"), accounts=[reference("new")], terms=TWO))
    assert (meanwhile.status, meanwhile.authenticated_at) == (status, NOW // 1000)
    assert do(meanwhile, step("consent.resume", BANK, "customer")).status is Status.ACTIVE


def test_a_version_pending_beside_a_partial_consent_can_be_authorised() -> None:
    lost = do(joint("PAUSED"), change("consent.withdraw_approval"))
    partial = do(do(lost, amend(retention_days=10)), step("consent.resume", BANK, "customer"))
    assert partial.status is Status.PARTIAL
    after = do(partial, authorise(version=2, terms={"retention_days": 10}))
    assert (after.status, after.version, after.terms.retention_days) == (Status.ACTIVE, 2, 10)
    kept = do(partial, authorise(authoriser=reference("third"), terms=TWO))
    assert (kept.status, kept.version, kept.pending is not None) == (Status.ACTIVE, 1, True)


# -- separate consents ------------------------------------------------------------------------------------------------


def test_separate_consents_add_up_over_the_authorisations_of_a_version() -> None:
    before = consent("AWAITING", approvals=(), subject="", separate=(), terms=TWO)
    half = do(before, authorise(terms=TWO, separate_consents=separately(["provision"])))
    assert half.separate == ("provision",)
    whole = do(
        half, authorise(terms=TWO, authoriser=reference("b"), separate_consents=separately(["provision", "sensitive"]))
    )
    assert (whole.status, whole.separate) == (Status.ACTIVE, ("provision", "sensitive"))
    refused(
        IllegalTransition, half, authorise(terms=TWO, authoriser=reference("b"), separate_consents=separately(["x"]))
    )


def test_a_separate_consent_is_withdrawn_once_and_can_be_given_again() -> None:
    less = do(joint(), change("consent.withdraw_separate"))
    assert (less.separate, less.status) == (("provision",), Status.ACTIVE)
    refused(IllegalTransition, less, change("consent.withdraw_separate"))
    partial = do(less, change("consent.withdraw_approval"))
    again = authorise(authoriser=reference("first"), terms=TWO, separate_consents=separately(["sensitive"]))
    assert do(partial, again).separate == ("provision", "sensitive")


def test_a_new_version_has_only_the_separate_consents_given_for_it() -> None:
    pending = do(consent(), amend(retention_days=10))
    after = do(pending, authorise(version=2, terms={"retention_days": 10}, separate_consents=separately(["provision"])))
    assert (after.version, after.separate, after.withdrawn) == (2, ("provision",), ())


# -- succession -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        None,
        consent(),
        successor(status=Status.PAUSED),
        successor(subject=reference("another")),
        successor(terms=msgspec.structs.replace(consent().terms, holder=OTHER_BANK)),
        successor(terms=msgspec.structs.replace(consent().terms, recipient=STRANGER)),
        successor(terms=msgspec.structs.replace(consent().terms, expires_at=NOW // 1000)),
    ],
    ids=["unknown", "itself", "paused", "another customer's", "another holder's", "another recipient's", "expired"],
)
def test_only_an_active_consent_of_the_same_people_supersedes(other: Consent | None) -> None:
    with pytest.raises(IllegalTransition):
        supersede(joint(), change("consent.supersede"), other)


# -- rule T, removal, the old ruleset -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [[], ["provision"], ["sensitive"], ["marketing", "sensitive"]])
def test_terms_of_grade_3_name_both_separate_consents(kinds: list[str]) -> None:
    refused(IllegalTransition, None, said("consent.request", FINTECH, terms=terms(separate_consents=kinds)))
    old = registry(ruleset=1)
    do(None, said("consent.request", FINTECH, terms=terms(separate_consents=kinds)), rules=old)


PURPOSE = document_of(
    PurposeDefined,
    code="budgeting",
    permissions=("ReadBalances", "ReadTransactionsDetail"),
    max_days=10,
    max_frequency_per_day=4,
    max_history_days=30,
    max_retention_days=90,
)
S, D = NOW // 1000, 86_400
FITS = {"expires_at": S + 10 * D, "frequency_per_day": 4, "history_from": S - 30 * D}


@pytest.mark.parametrize(
    "changes",
    [
        {"expires_at": 0},
        {"expires_at": S + 10 * D + 1},
        {"expires_at": S + 12 * D + 1, "starts_at": S + 2 * D},
        {"frequency_per_day": 0},
        {"frequency_per_day": 5},
        {"history_from": 0},
        {"history_from": S - 30 * D - 1},
        {"retention_days": 91},
        {"permissions": ["ReadBalances", "ReadPAN"]},
    ],
)
def test_a_defined_purpose_limits_the_terms(changes: dict[str, Any]) -> None:
    rules = registry(PURPOSE)
    do(None, said("consent.request", FINTECH, terms=terms(**FITS)), rules=rules)
    refused(IllegalTransition, None, said("consent.request", FINTECH, terms=terms(**{**FITS, **changes})), rules=rules)
    other = {"purpose": {"code": "lending", "text": "Lending"}}
    do(None, said("consent.request", FINTECH, terms=terms(**{**FITS, **changes, **other})), rules=rules)


def test_a_defined_purpose_without_limits_limits_only_permissions() -> None:
    open_ended = {**PURPOSE, **{name: 0 for name in PURPOSE if name.startswith("max_")}}
    do(None, said("consent.request", FINTECH, terms=terms()), rules=registry(open_ended))
    later = {**FITS, "expires_at": S + 12 * D, "starts_at": S + 2 * D}
    do(None, said("consent.request", FINTECH, terms=terms(**later)), rules=registry(PURPOSE))


@pytest.mark.parametrize("who", [BANK, FINTECH])
@pytest.mark.parametrize("status", ["AWAITING", "PARTIAL", "ACTIVE", "PAUSED", "SUSPENDED"])
def test_the_consents_of_a_removed_participant_are_at_an_end(status: str, who: str) -> None:
    rules = registry(about("participant.removed", who, reason="gone"))
    before = joint(status, terms={"expires_at": NOW // 1000})
    assert before.status_at(NOW, rules.removed) is Status.TERMINATED
    assert before.status_at(NOW) is Status.EXPIRED
    for act in (authorise(), amend(), step("consent.revoke", BANK, "customer"), change("consent.withdraw_separate")):
        refused(IllegalTransition, joint(status), act, rules=rules)
    with pytest.raises(IllegalTransition):
        expire(before, rules, index=30, time=NOW)
    assert consent("REVOKED").status_at(NOW, rules.removed) is Status.REVOKED


def test_a_removed_holder_gets_no_new_consents() -> None:
    rules = registry(about("participant.removed", BANK, reason="gone"))
    refused(IllegalTransition, None, said("consent.request", FINTECH, terms=terms()), rules=rules)


@pytest.mark.parametrize(
    "members",
    [
        {"reauthenticate_days": 90},
        {"reconfirm_days": 90},
        {"utc_offset": 0},
        {"details_hash": "A" * 43},
        {"filters": [{"field": "amount", "op": "lt", "value": "100"}]},
    ],
)
def test_ruleset_1_takes_no_terms_of_ruleset_2(members: dict[str, Any]) -> None:
    asked = said("consent.request", FINTECH, terms=terms(**members))
    refused(IllegalTransition, None, asked, rules=registry(ruleset=1))
    do(None, asked)


def test_under_ruleset_1_a_version_in_force_takes_no_further_authoriser() -> None:
    lacking = joint("PAUSED", approvals=(approval("first", "a"),))
    refused(IllegalTransition, lacking, authorise(terms=TWO), rules=registry(ruleset=1))
    do(lacking, authorise(terms=TWO))
