"""Planning a batch: pure, in log order, and a refused command leaves no trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.entries.leaf import Kind, consent_chain, open_commitment, parse_leaf, subject_chain
from ledger.entries.statement import parse_statement
from ledger.errors import (
    BadEncoding,
    BadStatement,
    IllegalTransition,
    InvalidInput,
    JtiReused,
    LedgerError,
    NotFound,
    NotPermitted,
)
from ledger.planning.commands import (
    ExpireConsent,
    RecordDocuments,
    RecordIndexHead,
    SubmitStatement,
)
from ledger.planning.plan import plan_batch
from ledger.planning.world import World
from tests.clocks import NOW
from tests.ledger.desk import REGISTRY, SIGNERS, Desk, openings, reasons
from tests.world import (
    BANK,
    FINTECH,
    OTHER_BANK,
    STRANGER,
    about,
    item,
    new_consent_id,
    reference,
    registered,
    terms,
    terms_hash,
)


def test_an_access_after_a_revocation_in_the_same_batch_is_denied() -> None:
    desk = Desk()
    consent_id = desk.grant()
    accesses = [desk.access(consent_id) for _ in range(6)]
    plan = desk.plan(*accesses[:3], desk.revoke(consent_id), *accesses[3:])
    told = [reasons(plan, result[0]) for result in (*plan.results[:3], *plan.results[4:])]  # type: ignore[index]
    assert told == [()] * 3 + [("CONSENT_REVOKED",)] * 3


def test_entries_are_linked_to_the_log_and_to_their_chain() -> None:
    desk = Desk()
    consent_id = desk.grant()
    before = desk.world.last_hash
    plan = desk.plan(desk.access(consent_id), desk.access(new_consent_id()), desk.revoke(consent_id))
    chains = {}
    for entry in plan.entries:
        leaf = parse_leaf(entry.leaf)
        assert (leaf.prev, leaf.index, leaf.time) == (b64u(before), entry.index, NOW)
        open_commitment(leaf, entry.evidence or b"", entry.opening or b"")  # type: ignore[arg-type]
        chains.setdefault(entry.chain, []).append((entry.seq, leaf.prev_in_chain, b64u(entry.leaf_hash)))  # type: ignore[union-attr]
        before = entry.leaf_hash
    mine = chains[consent_chain(consent_id)]
    assert [seq for seq, _, _ in mine] == [2, 3]
    assert mine[1][1] == mine[0][2]


def test_a_repeat_inside_a_batch_is_recorded_once() -> None:
    desk = Desk()
    consent_id = desk.grant()
    access = desk.access(consent_id)
    plan = desk.plan(access, desk.access(consent_id), access)
    assert plan.results[0] == plan.results[2]
    assert plan.repeated == [False, False, True]
    assert len(plan.entries) == 2


def test_a_repeat_is_the_same_payload_whatever_its_signature_bytes() -> None:
    desk = Desk()
    access = desk.access(new_consent_id())
    index = desk.one(access)
    text = access.statement.text.rsplit(".", 1)[0]
    again = parse_statement(f"{text}.{b64u(SIGNERS[FINTECH].key.sign(text.encode()))}", REGISTRY.check_signature)
    assert desk.plan(SubmitStatement(again)).results == [index]


def test_a_repeated_authorisation_gives_both_its_entries_again() -> None:
    desk = Desk()
    consent_id = new_consent_id()
    act = desk.authorise(consent_id)
    first = desk.plan(desk.request(consent_id), act).results[1]
    plan = desk.plan(act, SubmitStatement(act.statement))
    assert plan.results == [first, first]
    assert plan.repeated == [True, True]
    assert len(first) == 2  # type: ignore[arg-type]
    other = desk.say(BANK, "subject.consent", consent_id=consent_id, subject=reference("alice"))
    assert isinstance(desk.one(SubmitStatement(act.statement, companion=other.statement)), JtiReused)


def test_the_same_jti_for_another_payload_is_a_security_event() -> None:
    desk = Desk()
    jti = b64u(b"j" * 16)
    consent_id = desk.grant()
    plan = desk.plan(
        desk.say(FINTECH, "access.request", **item(consent_id), jti=jti),
        desk.say(FINTECH, "access.request", **item(consent_id), jti=jti),
        desk.say(STRANGER, "access.request", **item(consent_id), jti=jti),
    )
    assert [type(result) for result in plan.results] == [tuple, JtiReused, tuple]


def test_a_batch_gives_each_item_its_own_decision_and_place() -> None:
    desk = Desk()
    once, gone = desk.grant(once=True), desk.grant()
    desk.plan(desk.revoke(gone))
    act = desk.batch(once, once, gone, new_consent_id())
    plan = desk.plan(act)
    indexes = plan.results[0]
    assert [reasons(plan, index) for index in indexes] == [  # type: ignore[union-attr]
        (),
        ("CONSENT_CONSUMED",),
        ("CONSENT_REVOKED",),
        ("CONSENT_UNKNOWN",),
    ]
    assert [entry.position for entry in plan.entries] == [0, 1, 2, 3]
    assert len({(entry.iss, entry.jti, entry.position) for entry in plan.entries}) == 4
    assert desk.plan(act).results == [indexes]


def _refused() -> dict[str, Any]:
    return {
        "an unknown consent": lambda d, _c: d.revoke(new_consent_id()),
        "a stranger's revocation": lambda d, c: d.say(
            STRANGER, "consent.revoke", consent_id=c, reason="r", by="customer"
        ),
        "a used consent id": lambda d, c: d.request(c),
        "an unaccompanied authorisation": lambda d, c: SubmitStatement(d.authorise(c).statement),
        "a companion of another act": lambda d, c: SubmitStatement(
            d.authorise(c).statement, companion=d.revoke(c).statement
        ),
        "a companion for another consent": lambda d, c: d.authorise(c, companion={"consent_id": new_consent_id()}),
        "a companion of another holder": lambda d, c: d.authorise(c, companion={"signer": OTHER_BANK}),
        "a companion with the same jti": lambda d, c: d.authorise(
            c, jti=b64u(b"k" * 16), companion={"jti": b64u(b"k" * 16)}
        ),
        "a companion alone": lambda d, c: d.say(BANK, "subject.consent", consent_id=c, subject=reference("alice")),
        "another customer's chain": lambda d, c: d.authorise(
            c,
            version=2,
            authoriser=reference("bob"),
            companion={"subject": reference("bob")},
            terms_hash=terms_hash(terms(retention_days=5)),
        ),
        "an access by a bank that does not relay": lambda d, c: d.access(c, BANK),
        "a relayed access by the recipient": lambda d, c: d.access(c, FINTECH, relayed=True),
        "a release by the recipient": lambda d, c: d.say(FINTECH, "access.release", **leg(c)),
        "a release of an unknown consent": lambda d, _c: d.say(BANK, "access.release", **leg(new_consent_id())),
        "a receipt by a stranger": lambda d, c: d.say(STRANGER, "access.receive", **leg(c)),
        "a release on a basis that is not yet": lambda d, c: d.say(BANK, "access.release", **leg(c, basis=10_000)),
        "a request by a bank": lambda d, _c: d.say(
            BANK, "consent.request", consent_id=new_consent_id(), terms=terms(recipient=BANK, holder=OTHER_BANK)
        ),
        "an enrolment by a recipient": lambda d, _c: d.say(
            FINTECH, "subject.unenrol", subject=reference(), credential_id=b64u(bytes(16)), reason="lost"
        ),
        "an unenrolment of nothing": lambda d, _c: d.say(
            BANK, "subject.unenrol", subject=reference(), credential_id=b64u(bytes(16)), reason="lost"
        ),
        "an expiry before its time": lambda _d, c: ExpireConsent(c),
        "an expiry of an unknown consent": lambda _d, _c: ExpireConsent(new_consent_id()),
        "no documents": lambda _d, _c: RecordDocuments(()),
        "a document that is none": lambda _d, _c: RecordDocuments(({"type": "nonsense"},)),
        "a good document and a bad one": lambda _d, _c: RecordDocuments(
            (registered("new-one", "auditor"), registered("new-one", "auditor"))
        ),
        "a good document and one too large": lambda _d, _c: RecordDocuments(
            (registered("new-one", "auditor"), {**registered("new-two", "auditor"), "name": "🏦" * 200})
        ),
        "an index-head without its map": lambda _d, _c: RecordIndexHead(),
        "a late statement": lambda d, c: d.say(FINTECH, "access.request", **item(c), iat=NOW // 1000 - 301),
        "another log's statement": lambda d, c: d.say(FINTECH, "access.request", **item(c), aud="other/1"),
    }


def leg(consent_id: str, basis: int = 3) -> dict[str, Any]:
    return {
        "consent_id": consent_id,
        "basis": basis,
        "bytes": 10,
        "rows": 1,
        "digest": b64u(bytes(32)),
        "interaction_id": "interaction-1",
    }


def copied(world: World) -> World:
    return replace(
        world,
        seen=dict(world.seen),
        consents=dict(world.consents),
        chains=dict(world.chains),
        credentials=dict(world.credentials),
        challenges=set(world.challenges),
        allowed=dict(world.allowed),
        legs=set(world.legs),
    )


@pytest.mark.parametrize("name", _refused())
def test_a_refused_command_leaves_no_trace(name: str) -> None:
    desk = Desk()
    consent_id = desk.grant()
    desk.plan(
        desk.say(FINTECH, "consent.amend", consent_id=consent_id, previous_version=1, terms=terms(retention_days=5))
    )
    command = _refused()[name](desk, consent_id)
    with_it, without = copied(desk.world), copied(desk.world)
    access = desk.access(consent_id)
    plan = plan_batch(with_it, [command, access], openings())
    clean = plan_batch(without, [access], openings())
    assert isinstance(plan.results[0], LedgerError), plan.results[0]
    assert plan.entries == clean.entries
    assert (plan.changed, plan.credentials, plan.challenges) == (clean.changed, clean.credentials, clean.challenges)
    assert with_it == without


def test_documents_are_recorded_all_and_in_order() -> None:
    desk = Desk()
    plan = desk.plan(
        RecordDocuments((registered("new-one", "auditor"), about("participant.suspended", "new-one", reason="x")))
    )
    assert [entry.act for entry in plan.entries] == ["participant.registered", "participant.suspended"]
    assert desk.world.registry.is_suspended("new-one")
    assert desk.world.registry.size == desk.world.size


@pytest.mark.parametrize("act", ["consent.reject", "consent.revoke", "consent.terminate"])
def test_a_suspended_participant_may_reduce_sharing(act: str) -> None:
    desk = Desk()
    consent_id = new_consent_id()
    desk.plan(desk.request(consent_id), RecordDocuments((about("participant.suspended", FINTECH, reason="x"),)))
    by = "recipient"
    assert isinstance(desk.one(desk.say(FINTECH, act, consent_id=consent_id, reason="r", by=by)), tuple)


def test_a_suspended_participant_may_do_nothing_else_and_its_accesses_are_denied() -> None:
    desk = Desk()
    consent_id = desk.grant()
    desk.plan(RecordDocuments((about("participant.suspended", FINTECH, reason="x"),)))
    assert isinstance(desk.one(desk.request(new_consent_id())), NotPermitted)
    amended = desk.say(FINTECH, "consent.amend", consent_id=consent_id, previous_version=1, terms=terms())
    assert isinstance(desk.one(amended), NotPermitted)
    assert isinstance(desk.one(desk.say(FINTECH, "access.receive", **leg(consent_id))), NotPermitted)
    plan = desk.plan(desk.access(consent_id), desk.batch(consent_id))
    assert [entry.outcome.reasons for entry in plan.entries] == [("PARTICIPANT_SUSPENDED",)] * 2  # type: ignore[union-attr]


def test_the_legs_of_an_access_are_recorded_in_the_consents_chain() -> None:
    desk = Desk()
    consent_id = desk.grant()
    (index,) = desk.one(desk.access(consent_id, interaction_id="interaction-1"))
    plan = desk.plan(
        desk.say(BANK, "access.release", **leg(consent_id, index)),
        desk.say(FINTECH, "access.receive", **leg(consent_id, index)),
    )
    assert [(entry.act, entry.kind, entry.chain) for entry in plan.entries] == [
        (act, Kind.CONSENT, consent_chain(consent_id)) for act in ("access.release", "access.receive")
    ]


def test_an_authorisation_and_its_companion_stand_side_by_side_in_two_chains() -> None:
    desk = Desk()
    consent_id = new_consent_id()
    plan = desk.plan(desk.request(consent_id), desk.authorise(consent_id))
    assert [(entry.act, entry.chain) for entry in plan.entries[1:]] == [
        ("consent.authorise", consent_chain(consent_id)),
        ("subject.consent", subject_chain(BANK, reference("alice"))),
    ]
    assert desk.world.consents[consent_id].subject_chain == subject_chain(BANK, reference("alice"))


def test_an_expiry_is_recorded_without_a_statement() -> None:
    desk = Desk()
    consent_id = desk.grant(expires_at=NOW // 1000 + 10)
    desk.world.time += 10_000
    plan = desk.plan(ExpireConsent(consent_id), ExpireConsent(consent_id))
    (entry,) = plan.entries
    assert (entry.act, entry.iss, entry.jti, entry.outcome.status) == ("consent.expire", None, None, "EXPIRED")  # type: ignore[union-attr]
    assert isinstance(plan.results[1], IllegalTransition)


def test_an_index_head_stands_alone_over_all_before_it() -> None:
    desk = Desk()
    size = desk.world.size
    plan = desk.plan(RecordIndexHead(), RecordIndexHead(), map_root=b"m" * 32)
    leaf = parse_leaf(plan.entries[0].leaf)
    assert (leaf.map_root, leaf.map_size) == (b64u(b"m" * 32), size)  # type: ignore[union-attr]
    assert isinstance(plan.results[1], IllegalTransition)


def test_nothing_is_added_to_an_erased_chain() -> None:
    desk = Desk()
    consent_id, kept = desk.grant(expires_at=NOW // 1000 + 10), desk.grant()
    customer = subject_chain(BANK, reference("alice"))
    chains = sorted(b64u(chain) for chain in (consent_chain(consent_id), customer))
    act = desk.access(consent_id)
    first = desk.one(act)
    erasure = {"type": "erasure", "v": 1, "chains": chains, "basis": "gdpr-17", "approved_by": ["anna", "bert"]}
    desk.plan(RecordDocuments((erasure,)))
    desk.world.consents.pop(consent_id)  # as storage gives it: unreadable is absent
    late = new_consent_id()
    plan = desk.plan(
        desk.request(consent_id),
        desk.access(consent_id),
        desk.batch(kept, consent_id),
        desk.revoke(consent_id),
        desk.say(BANK, "access.release", **leg(consent_id)),
        ExpireConsent(consent_id),
        desk.request(late),
        desk.authorise(late),
    )
    assert [type(result) for result in plan.results] == [NotFound] * 6 + [tuple, NotFound]
    assert len(plan.entries) == 1
    assert desk.one(act) == first


def test_errors_name_what_was_refused() -> None:
    desk = Desk()
    for command, kind in (
        (RecordDocuments(()), InvalidInput),
        (RecordDocuments(({**registered("x-1", "auditor"), "name": "🏦" * 200},)), BadEncoding),
        (SubmitStatement(desk.authorise(new_consent_id()).statement), BadStatement),
    ):
        refusal = desk.one(command)
        assert type(refusal) is kind
        assert refusal.detail
