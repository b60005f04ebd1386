"""The registry: every document, the order they may come in, and what is taken."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.documents import document_chain, parse_document
from ledger.entries.leaf import ledger_chain, participant_chain
from ledger.errors import Conflict, IllegalTransition, InvalidInput, LedgerError, NotFound
from ledger.participants import Registry
from tests.world import BANK, FINTECH, ORIGIN, Document, Signer, about, registered

OPENED = {"type": "ledger.opened", "v": 1, "origin": ORIGIN, "ruleset": 2}
OPENED_1 = {**OPENED, "ruleset": 1}
PROVIDER = "provider-x"
KEY = Signer.named(BANK).key_added()
CHAINS = sorted([b64u(bytes(32)), b64u(b"\1" * 32)])
EXAMPLES: dict[str, Document] = {
    "ledger.opened": OPENED,
    "ruleset.activated": {"type": "ruleset.activated", "v": 1, "ruleset": 2},
    "participant.registered": registered(BANK, "holder", "recipient"),
    "key.added": KEY,
    "key.revoked": about("key.revoked", BANK, kid=KEY["kid"], reason="rotated"),
    "participant.suspended": about("participant.suspended", BANK, reason="audit"),
    "participant.reinstated": about("participant.reinstated", BANK, reason="audit-over"),
    "erasure": {"type": "erasure", "v": 1, "chains": CHAINS, "basis": "gdpr-17", "approved_by": ["anna", "bert"]},
    "participant.removed": about("participant.removed", BANK, reason="licence-withdrawn"),
    "delegation.granted": about(
        "delegation.granted", BANK, delegate=PROVIDER, acts=["consent.authorise", "subject.consent"]
    ),
    "delegation.ended": about("delegation.ended", BANK, delegate=PROVIDER, reason="contract-over"),
    "purpose.defined": {
        "type": "purpose.defined",
        "v": 1,
        "code": "budgeting",
        "permissions": ["ReadBalances"],
        "max_days": 90,
        "max_frequency_per_day": 4,
        "max_history_days": 365,
        "max_retention_days": 0,
    },
    "reconciliation.reported": {
        "type": "reconciliation.reported",
        "v": 1,
        "from_index": 0,
        "to_index": 0,
        "accesses": 0,
        "releases": 0,
        "receipts": 0,
        "findings": 0,
        "findings_hash": b64u(bytes(32)),
    },
    "disclosure": about("disclosure", BANK, case="case-7", from_index=0, to_index=1),
}


def registry(*documents: Document, opened: Document = OPENED) -> Registry:
    made = Registry()
    for index, document in enumerate((opened, *documents)):
        made = made.after(parse_document(document), index)
    return made


def refuse(kind: type[LedgerError], before: Registry, document: Document) -> None:
    with pytest.raises(kind):
        before.after(parse_document(document), before.size)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_document_is_read_and_has_its_chain(kind: str) -> None:
    document = parse_document(EXAMPLES[kind])
    operator = {
        "ledger.opened",
        "ruleset.activated",
        "erasure",
        "disclosure",
        "purpose.defined",
        "reconciliation.reported",
    }
    assert document_chain(document) == (ledger_chain() if kind in operator else participant_chain(BANK))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_member_of_a_document_is_required_and_no_other_is_taken(kind: str) -> None:
    whole = EXAMPLES[kind]
    for name in whole:
        with pytest.raises(InvalidInput):
            parse_document({key: value for key, value in whole.items() if key != name})
    with pytest.raises(InvalidInput):
        parse_document({**whole, "note": "x"})
    for name, value in ((name, value) for name in whole for value in (None, [[]], object())):
        with pytest.raises(InvalidInput):
            parse_document({**whole, name: value})


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("participant.registered", {"roles": ["recipient", "holder"]}),
        ("participant.registered", {"roles": ["holder", "holder"]}),
        ("participant.registered", {"roles": []}),
        ("participant.registered", {"roles": ["operator"]}),
        ("participant.registered", {"name": ""}),
        ("participant.registered", {"name": "a\nb"}),
        ("participant.registered", {"participant": "A"}),
        ("erasure", {"chains": CHAINS[::-1]}),
        ("erasure", {"chains": [CHAINS[0]] * 2}),
        ("erasure", {"chains": []}),
        ("erasure", {"chains": sorted(b64u(bytes([n]) * 32) for n in range(9))}),
        ("erasure", {"approved_by": ["anna", "anna"]}),
        ("erasure", {"approved_by": ["bert", "anna"]}),
        ("erasure", {"approved_by": ["anna"]}),
        ("key.added", {"alg": "none"}),
        ("key.added", {"use": "encryption"}),
        ("key.added", {"kid": "with space"}),
        ("key.added", {"kid": "k" * 65}),
        ("disclosure", {"from_index": -1}),
        ("ledger.opened", {"v": 2}),
        ("delegation.granted", {"acts": []}),
        ("delegation.granted", {"acts": ["subject.consent", "consent.authorise"]}),
        ("delegation.granted", {"acts": ["consent.invent"]}),
        ("delegation.granted", {"acts": ["consent.authorise"] * 2}),
        ("purpose.defined", {"permissions": []}),
        ("purpose.defined", {"permissions": ["ReadBalances", "ReadAccountsBasic"]}),
        ("purpose.defined", {"max_days": 36_501}),
        ("purpose.defined", {"max_frequency_per_day": 10_001}),
        ("purpose.defined", {"max_retention_days": -1}),
        ("reconciliation.reported", {"findings_hash": "x"}),
    ],
)
def test_a_document_outside_its_bounds_is_refused(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        parse_document({**EXAMPLES[kind], **changes})


def test_a_log_is_opened_first_and_once() -> None:
    refuse(IllegalTransition, Registry(), registered(BANK, "holder"))
    refuse(IllegalTransition, registry(), OPENED)


def test_an_unknown_ruleset_is_refused() -> None:
    refuse(InvalidInput, registry(), {"type": "ruleset.activated", "v": 1, "ruleset": 4})
    refuse(InvalidInput, Registry(), {**OPENED, "ruleset": 9})


@pytest.mark.parametrize(
    "kind",
    [
        "key.added",
        "key.revoked",
        "participant.suspended",
        "participant.reinstated",
        "participant.removed",
        "disclosure",
        "delegation.granted",
        "delegation.ended",
    ],
)
def test_nothing_is_recorded_about_a_participant_before_its_registration(kind: str) -> None:
    refuse(NotFound, registry(), EXAMPLES[kind])


def test_a_participant_is_registered_once() -> None:
    refuse(Conflict, registry(registered(BANK, "holder")), registered(BANK, "recipient"))


def test_a_kid_is_used_once_in_the_life_of_the_log_by_anyone() -> None:
    before = registry(registered(BANK, "holder"), registered(FINTECH, "recipient"), KEY, EXAMPLES["key.revoked"])
    refuse(Conflict, before, KEY)
    refuse(Conflict, before, {**Signer.named(FINTECH).key_added(), "kid": KEY["kid"]})


def test_a_public_key_has_one_owner_and_one_purpose() -> None:
    before = registry(registered(BANK, "holder"), registered(FINTECH, "recipient"), KEY)
    refuse(Conflict, before, {**KEY, "participant": FINTECH, "kid": "again"})
    refuse(Conflict, before, {**KEY, "use": "client", "kid": "again"})


def test_only_a_participants_own_active_key_can_be_revoked() -> None:
    before = registry(registered(BANK, "holder"), registered(FINTECH, "recipient"), KEY)
    refuse(NotFound, before, {**EXAMPLES["key.revoked"], "participant": FINTECH})
    refuse(NotFound, before, {**EXAMPLES["key.revoked"], "kid": "unknown"})
    after = before.after(parse_document(EXAMPLES["key.revoked"]), before.size)
    refuse(IllegalTransition, after, EXAMPLES["key.revoked"])
    assert (before.keys[KEY["kid"]].revoked_at, after.keys[KEY["kid"]].revoked_at) == (None, 4)
    assert (len(before.headers), len(after.headers)) == (1, 0)


def test_suspension_and_reinstatement_alternate() -> None:
    before = registry(registered(BANK, "holder"))
    refuse(IllegalTransition, before, EXAMPLES["participant.reinstated"])
    suspended = before.after(parse_document(EXAMPLES["participant.suspended"]), 2)
    assert suspended.is_suspended(BANK)
    assert not before.is_suspended(BANK)
    refuse(IllegalTransition, suspended, EXAMPLES["participant.suspended"])
    assert not suspended.after(parse_document(EXAMPLES["participant.reinstated"]), 3).is_suspended(BANK)


def test_a_disclosure_covers_entries_that_exist_in_order() -> None:
    before = registry(registered(BANK, "holder"), KEY)
    for first, last in ((2, 1), (0, 3), (3, 3)):
        refuse(InvalidInput, before, {**EXAMPLES["disclosure"], "from_index": first, "to_index": last})
    before.after(parse_document({**EXAMPLES["disclosure"], "from_index": 2, "to_index": 2}), 3)


def test_an_erasure_is_remembered() -> None:
    assert registry(EXAMPLES["erasure"]).erased == set(CHAINS)


def test_a_registry_answers_for_those_it_does_not_know() -> None:
    empty = registry()
    assert not empty.has_role(BANK, "holder")
    assert not empty.is_suspended(BANK)
    with pytest.raises(NotFound):
        empty.participant(BANK)


def test_the_ruleset_rises_and_never_falls() -> None:
    old = registry(opened=OPENED_1)
    assert old.ruleset == 1
    risen = old.after(parse_document(EXAMPLES["ruleset.activated"]), 1)
    assert risen.ruleset == 2
    for ruleset in (1, 2):
        refuse(IllegalTransition, risen, {"type": "ruleset.activated", "v": 1, "ruleset": ruleset})


@pytest.mark.parametrize(
    "kind",
    ["participant.removed", "delegation.granted", "delegation.ended", "purpose.defined", "reconciliation.reported"],
)
def test_ruleset_1_refuses_the_documents_of_ruleset_2(kind: str) -> None:
    known = registered(BANK, "holder"), registered(PROVIDER, "technology-provider")
    refuse(IllegalTransition, registry(*known, opened=OPENED_1), EXAMPLES[kind])


def test_a_removed_participant_is_gone_for_ever() -> None:
    before = registry(
        registered(BANK, "holder"), KEY, EXAMPLES["participant.suspended"], EXAMPLES["participant.removed"]
    )
    assert before.removed == {BANK}
    assert before.participant(BANK).removed
    assert not before.is_in_good_standing(BANK, "holder")
    for kind in ("participant.removed", "participant.reinstated", "participant.suspended"):
        refuse(IllegalTransition, before, EXAMPLES[kind])
    refuse(IllegalTransition, before, Signer.named(BANK, "another").key_added())
    refuse(Conflict, before, registered(BANK, "holder"))
    before.after(parse_document(EXAMPLES["key.revoked"]), before.size)


def test_a_delegation_is_to_a_technology_provider_and_holds_until_it_ends() -> None:
    known = registered(BANK, "holder", "technology-provider"), registered(FINTECH, "recipient")
    before = registry(*known)
    for delegate, kind in ((FINTECH, IllegalTransition), (BANK, IllegalTransition), ("nobody", NotFound)):
        refuse(kind, before, {**EXAMPLES["delegation.granted"], "delegate": delegate})
    before = registry(*known, registered(PROVIDER, "technology-provider"))
    refuse(NotFound, before, EXAMPLES["delegation.ended"])
    granted = before.after(parse_document(EXAMPLES["delegation.granted"]), before.size)
    assert granted.may_act_for(BANK, PROVIDER, "consent.authorise")
    assert not granted.may_act_for(BANK, PROVIDER, "consent.revoke")
    assert not granted.may_act_for(FINTECH, PROVIDER, "consent.authorise")
    other = granted.after(parse_document({**EXAMPLES["delegation.granted"], "acts": ["consent.revoke"]}), granted.size)
    assert not other.may_act_for(BANK, PROVIDER, "consent.authorise")
    ended = other.after(parse_document(EXAMPLES["delegation.ended"]), other.size)
    assert not ended.may_act_for(BANK, PROVIDER, "consent.revoke")
    refuse(NotFound, ended, EXAMPLES["delegation.ended"])


def test_a_later_definition_of_a_purpose_replaces_the_earlier() -> None:
    refuse(InvalidInput, registry(), {**EXAMPLES["purpose.defined"], "permissions": ["ReadMinds"]})
    twice = registry(EXAMPLES["purpose.defined"], {**EXAMPLES["purpose.defined"], "max_days": 7})
    assert twice.purposes["budgeting"].max_days == 7


def test_reconciliation_reports_follow_each_other_without_a_gap() -> None:
    report = EXAMPLES["reconciliation.reported"]
    before = registry(registered(BANK, "holder"), KEY)
    for first, last in ((1, 1), (0, 3), (1, 0)):
        refuse(IllegalTransition, before, {**report, "from_index": first, "to_index": last})
    after = before.after(parse_document({**report, "to_index": 1}), 3)
    refuse(IllegalTransition, after, report)
    refuse(IllegalTransition, after, {**report, "from_index": 3, "to_index": 3})
    assert after.after(parse_document({**report, "from_index": 2, "to_index": 3}), 4).reconciled == 4


def test_a_delegation_its_time_and_its_end_are_known_for_ever() -> None:
    provider, other = registered(PROVIDER, "technology-provider"), registered("provider-y", "technology-provider")
    known = registry(
        registered(BANK, "holder"),
        registered(FINTECH, "recipient"),
        provider,
        other,
        about("delegation.granted", BANK, delegate=PROVIDER, acts=["consent.revoke"]),
        about("delegation.granted", FINTECH, delegate=PROVIDER, acts=["access.request"]),
        about("delegation.granted", BANK, delegate=PROVIDER, acts=["consent.pause"]),
        about("delegation.ended", FINTECH, delegate=PROVIDER, reason="contract-over"),
        about("delegation.granted", BANK, delegate="provider-y", acts=["consent.pause"]),
    )
    assert [(one.participant, one.delegate, one.granted_at, one.ended_at, one.reason) for one in known.delegated] == [
        (BANK, PROVIDER, 5, 7, ""),
        (FINTECH, PROVIDER, 6, 8, "contract-over"),
        (BANK, PROVIDER, 7, None, ""),
        (BANK, "provider-y", 9, None, ""),
    ]
    assert [known.is_in_force(one) for one in known.delegated] == [False, False, True, True]
    assert [one.granted_at for one in known.delegations_of(PROVIDER)] == [5, 6, 7]
    assert [one.granted_at for one in known.delegations_of(FINTECH)] == [6]
    gone = known.after(parse_document(about("participant.removed", PROVIDER, reason="gone")), known.size)
    assert [gone.is_in_force(one) for one in gone.delegated] == [False, False, False, True]
