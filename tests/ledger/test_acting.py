"""Who may sign for whom, what facts outside the log deny, and what a log of ruleset 1 does not take."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.entries.leaf import subject_chain
from ledger.entries.statement import parse_statement
from ledger.errors import BadStatement, IllegalTransition, LedgerError, NotFound, NotPermitted
from ledger.planning.commands import RecordDocuments, SubmitStatement
from ledger.planning.plan import plan_batch
from tests.clocks import NOW
from tests.ledger.consents import registry
from tests.ledger.desk import SIGNERS, Desk, openings
from tests.world import (
    BANK,
    FINTECH,
    OTHER_BANK,
    Document,
    Signer,
    about,
    item,
    new_consent_id,
    payload,
    reference,
    registered,
    separately,
    terms,
    terms_hash,
)

PROVIDER = "provider-x"
KEY = Signer.named(PROVIDER)
KNOWN = (registered(PROVIDER, "technology-provider"), KEY.key_added())
HOLDERS = ["consent.authorise", "subject.consent", "consent.revoke", "access.release", "subject.enrol"]


def granted(participant: str, *acts: str) -> Document:
    return about("delegation.granted", participant, delegate=PROVIDER, acts=sorted(acts))


def for_(principal: str, act: str, **members: Any) -> SubmitStatement:
    """A statement that the provider signs on behalf of another."""
    text = KEY.jws(payload(act, PROVIDER, NOW, on_behalf_of=principal, **members))
    known = registry(*KNOWN)
    return SubmitStatement(parse_statement(text, known.check_signature))


def authorisation(consent_id: str, *, companion_for: str = BANK) -> SubmitStatement:
    act = for_(
        BANK,
        "consent.authorise",
        consent_id=consent_id,
        version=1,
        terms_hash=terms_hash(terms()),
        accounts=[reference("a")],
        authoriser=reference("alice"),
        subject=reference("p"),
        sca={"acr": "loa3", "amr": [], "at": NOW // 1000},
        separate_consents=separately(["provision", "sensitive"]),
    )
    link = for_(companion_for, "subject.consent", consent_id=consent_id, subject=reference("alice"))
    return SubmitStatement(act.statement, companion=link.statement)


def revocation(consent_id: str, principal: str = BANK) -> SubmitStatement:
    return for_(principal, "consent.revoke", consent_id=consent_id, reason="as-asked", by="customer")


def test_a_technology_provider_lives_a_whole_consent_for_holder_and_recipient() -> None:
    desk = Desk(*KNOWN, granted(BANK, *HOLDERS), granted(FINTECH, "consent.request", "access.request"))
    consent_id = new_consent_id()
    plan = desk.plan(
        for_(FINTECH, "consent.request", consent_id=consent_id, terms=terms()),
        authorisation(consent_id),
        for_(FINTECH, "access.request", **item(consent_id)),
        revocation(consent_id),
    )
    assert not [result for result in plan.results if isinstance(result, LedgerError)]
    assert [entry.iss for entry in plan.entries] == [PROVIDER] * 5
    assert plan.entries[3].outcome.decision == "allow"  # type: ignore[union-attr]
    assert plan.entries[2].chain == subject_chain(BANK, reference("alice"))


@pytest.mark.parametrize(
    ("documents", "kind"),
    [
        ((), NotPermitted),
        ((granted(BANK, "consent.pause"),), NotPermitted),
        ((granted(OTHER_BANK, "consent.revoke"),), NotPermitted),
        (
            (granted(BANK, "consent.revoke"), about("delegation.ended", BANK, delegate=PROVIDER, reason="over")),
            NotPermitted,
        ),
        ((granted(BANK, "consent.revoke"), about("participant.removed", PROVIDER, reason="gone")), NotPermitted),
        ((granted(BANK, "consent.revoke"), about("participant.removed", BANK, reason="gone")), NotPermitted),
    ],
    ids=["none", "another act", "another participant's", "ended", "provider removed", "principal removed"],
)
def test_without_a_delegation_in_force_nobody_acts_for_another(documents: tuple[Document, ...], kind: type) -> None:
    desk = Desk(*KNOWN)
    consent_id = desk.grant()
    if documents:
        desk.plan(RecordDocuments(documents))
    assert isinstance(desk.one(revocation(consent_id)), kind)


def test_only_a_technology_provider_acts_for_another() -> None:
    desk = Desk(*KNOWN)
    consent_id = desk.grant()
    said = {"consent_id": consent_id, "reason": "r", "by": "customer"}
    assert isinstance(desk.one(desk.say(OTHER_BANK, "consent.revoke", on_behalf_of=BANK, **said)), NotPermitted)
    assert isinstance(desk.one(desk.say(BANK, "consent.revoke", on_behalf_of=BANK, **said)), BadStatement)


def test_a_provider_acts_as_the_party_it_stands_for_and_as_no_other() -> None:
    desk = Desk(*KNOWN, granted(OTHER_BANK, *HOLDERS), granted(FINTECH, *HOLDERS))
    consent_id = desk.grant()
    assert isinstance(desk.one(revocation(consent_id, OTHER_BANK)), NotFound)
    assert isinstance(desk.one(for_(FINTECH, "access.release", **_leg(consent_id))), NotPermitted)


def _leg(consent_id: str) -> dict[str, Any]:
    return {
        "consent_id": consent_id,
        "interaction_id": "interaction-1",
        "basis": 0,
        "rows": 1,
        "bytes": 1,
        "digest": "A" * 43,
    }


def test_a_companion_is_signed_for_the_same_participant() -> None:
    desk = Desk(*KNOWN, granted(BANK, *HOLDERS), granted(OTHER_BANK, *HOLDERS))
    consent_id = new_consent_id()
    desk.plan(desk.request(consent_id))
    assert isinstance(desk.one(authorisation(consent_id, companion_for=OTHER_BANK)), BadStatement)
    own = desk.authorise(consent_id)
    mixed = SubmitStatement(authorisation(consent_id).statement, companion=own.companion)
    assert isinstance(desk.one(mixed), BadStatement)


@pytest.mark.parametrize("who", [BANK, PROVIDER])
def test_of_two_who_act_together_one_suspended_is_enough(who: str) -> None:
    desk = Desk(*KNOWN, granted(BANK, *HOLDERS), granted(FINTECH, "access.request"))
    consent_id, waiting = desk.grant(), new_consent_id()
    desk.plan(desk.request(waiting), RecordDocuments((about("participant.suspended", who, reason="audit"),)))
    assert isinstance(desk.one(authorisation(waiting)), NotPermitted)
    [entry] = desk.plan(for_(FINTECH, "access.request", **item(consent_id))).entries
    assert entry.outcome.reasons == ("PARTICIPANT_SUSPENDED",)  # type: ignore[union-attr]
    assert isinstance(desk.one(revocation(consent_id)), tuple)


@pytest.mark.parametrize("who", [BANK, FINTECH])
def test_a_removed_participant_may_do_nothing(who: str) -> None:
    desk = Desk()
    consent_id = desk.grant()
    desk.plan(RecordDocuments((about("participant.removed", who, reason="gone"),)))
    said = {"consent_id": consent_id, "reason": "r", "by": "customer"}
    assert isinstance(desk.one(desk.say(who, "consent.revoke", **said)), NotPermitted)
    if who == FINTECH:
        assert isinstance(desk.one(desk.access(consent_id)), NotPermitted)
        assert isinstance(desk.one(desk.batch(consent_id)), NotPermitted)
    else:
        [entry] = desk.plan(desk.access(consent_id)).entries
        assert entry.outcome.reasons == ("CONSENT_TERMINATED",)  # type: ignore[union-attr]


# -- facts outside the log --------------------------------------------------------------------------------------------


def test_the_holders_word_is_recorded_with_the_denial() -> None:
    desk = Desk()
    consent_id = desk.grant()
    said = desk.say(BANK, "access.request", relayed=True, asserted=["CERT_EXPIRED", "RISK_BLOCKED"], **item(consent_id))
    [entry] = desk.plan(said).entries
    assert entry.outcome.asserted == ("CERT_EXPIRED", "RISK_BLOCKED")  # type: ignore[union-attr]
    assert entry.outcome.decision == "deny"  # type: ignore[union-attr]


# -- a log of ruleset 1 -----------------------------------------------------------------------------------------------


def old_desk() -> Desk:
    desk = Desk()
    desk.world.registry = registry(*(signer.key_added() for signer in SIGNERS.values()), ruleset=1)
    return desk


@pytest.mark.parametrize(
    ("who", "act", "members"),
    [
        (BANK, "consent.withdraw_accounts", {"accounts": [reference("a")], "by": "customer", "reason": "r"}),
        (BANK, "consent.withdraw_approval", {"authoriser": reference("a"), "by": "customer", "reason": "r"}),
        (BANK, "consent.withdraw_separate", {"separate": "sensitive", "by": "customer", "reason": "r"}),
        (BANK, "consent.reauthenticate", {"sca": {"acr": "x", "amr": [], "at": 1}}),
        (FINTECH, "consent.reconfirm", {"by": "customer", "reason": "r"}),
        (BANK, "consent.supersede", {"superseded_by": new_consent_id(), "by": "customer", "reason": "r"}),
        (BANK, "consent.revoke", {"on_behalf_of": OTHER_BANK, "by": "customer", "reason": "r"}),
    ],
)
def test_ruleset_1_takes_no_act_and_no_member_of_ruleset_2(who: str, act: str, members: dict[str, Any]) -> None:
    desk = old_desk()
    consent_id = new_consent_id()
    desk.plan(desk.request(consent_id), desk.authorise(consent_id, separate_consents=None))
    assert isinstance(desk.one(desk.say(who, act, consent_id=consent_id, **members)), BadStatement)


def test_ruleset_1_takes_no_separate_consents_no_roles_and_no_asserted_reasons() -> None:
    desk = old_desk()
    consent_id = new_consent_id()
    desk.plan(desk.request(consent_id))
    assert isinstance(desk.one(desk.authorise(consent_id)), BadStatement)
    plain = {"separate_consents": None}
    assert isinstance(desk.one(desk.authorise(consent_id, acting_role="owner", **plain)), BadStatement)
    assert isinstance(desk.one(desk.authorise(consent_id, companion={"suppress_notify": True}, **plain)), BadStatement)
    assert isinstance(desk.one(desk.authorise(consent_id, **plain)), tuple)
    said = desk.say(BANK, "access.request", relayed=True, asserted=["CERT_EXPIRED"], **item(consent_id))
    assert isinstance(desk.one(said), BadStatement)


def test_a_log_of_ruleset_1_continues_under_ruleset_2() -> None:
    desk = old_desk()
    old, new = new_consent_id(), new_consent_id()
    desk.plan(desk.request(old, separate_consents=[]))
    desk.plan(desk.authorise(old, separate_consents=None, terms_hash=terms_hash(terms(separate_consents=[]))))
    activate = RecordDocuments(({"type": "ruleset.activated", "v": 1, "ruleset": 2},))
    plan = plan_batch(
        desk.world,
        [
            desk.access(old),
            activate,
            desk.access(old),
            desk.request(new),
            desk.request(new_consent_id(), separate_consents=[]),
        ],
        openings(),
    )
    assert [entry.outcome.ruleset for entry in plan.entries if entry.outcome is not None] == [1, 2, 2]  # type: ignore[union-attr]
    assert isinstance(plan.results[-1], IllegalTransition)
    assert plan.entries[2].outcome.decision == "allow"  # type: ignore[union-attr]
