"""Declarations, documents, feedback and acknowledgements of ruleset 3 in a log: what is legal, and what a lie is told as
(docs/spec/ruleset-3.md; verdicts.md, steps 8.3, 8.7, 8.8, 8.10, 8.15)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.verifier.begun import alerted, begun
from tests.verifier.forge import DAY, b64u, chain_of
from tests.verifier.replaying import replayed, told
from tests.verifier.scored import Scored
from tests.verifier.supervised import AUTHORITY, HOLDER, OTHER, PROVIDER, RECIPIENT, Supervised
from verifier.errors import Code

INVALID, ENCODING, CHAIN, POLICY = Code.CONSENT_INVALID, Code.BAD_ENCODING, Code.BAD_CHAIN, Code.POLICY_REJECTED


def test_an_honest_life_under_ruleset_3_is_valid() -> None:
    world = begun()
    consent = world.grant(
        frequency_per_day=2,
        destinations=[{"country": "DE", "mechanism": "assessment"}],
        separate_consents=["cross-border", "provision", "sensitive"],
    )
    for region in ("DE", "FR"):
        world.access(consent, region=region)
    world.freeze()
    frozen = world.access(consent)
    world.lift()
    world.require(recipient=RECIPIENT)
    world.access(consent)
    world.assess()
    world.access(consent)
    world.access(consent)
    world.block(rule="refused")
    alert = alerted(world)
    world.access(consent, customer_present=True)
    world.decide_alert(alert)
    world.access(consent, customer_present=True)
    world.declare(HOLDER, "risk.unblock", reason="over", rule="refused")
    world.incident()
    world.update(clock="4h")
    world.close()
    world.declare(AUTHORITY, "assessment.waive", requirement_id="r1", reason="law")
    world.define("MKT")
    world.feedback(consent, about=frozen)
    world.answer(state="forwarded")
    world.answer(state="closed")
    once = world.grant(once=True, once_seconds=5, frequency_per_day=0)
    for _ in range(2):
        world.access(once)
    world.tick(5_000)
    world.access(once, permissions=["ReadAccountsDetail"])
    end = world.revoke(consent)
    world.acknowledge(consent, end)
    world.acknowledge(consent, end)
    world.document("hold.placed", hold="h1", chains=[b64u(chain_of(consent))], basis="court", until=0)
    world.document("hold.lifted", hold="h1", reason="over")
    world.document("scoring.activated", scoring=0)
    findings = replayed(world)
    assert told(findings) == []
    assert findings.unchecked == {}
    assert findings.reasons == {
        "REGION_NOT_CONSENTED": 1,
        "FROZEN": 1,
        "ASSESSMENT_OVERDUE": 1,
        "FREQUENCY_EXCEEDED": 1,
        "RISK_BLOCKED": 1,
        "CONSENT_CONSUMED": 2,
        "CONSENT_UNKNOWN": 50,
    }
    assert findings.checked["declarations"] == 12
    assert findings.checked["acknowledgements"] == 2


LIES: list[tuple[str, Code, Callable[[Scored], int]]] = [
    ("a freeze's id is used again, even when it was lifted", INVALID,
     lambda w: (w.freeze(), w.lift(), w.freeze())[-1]),
    ("a freeze of nobody is lifted", INVALID, lambda w: w.lift()),
    ("a freeze is lifted twice", INVALID, lambda w: (w.freeze(), w.lift(), w.lift())[-1]),
    ("another's freeze is lifted", INVALID, lambda w: (w.freeze(), w.lift(HOLDER))[-1]),
    ("a holder freezes what is not its own", INVALID, lambda w: w.freeze(HOLDER)),
    ("a recipient freezes what is not its own", INVALID, lambda w: w.freeze(RECIPIENT, scope={"holder": HOLDER})),
    ("a provider freezes", INVALID, lambda w: w.freeze(PROVIDER, scope={"holder": PROVIDER})),
    ("a holder asks for assessments", INVALID, lambda w: w.require(iss=HOLDER)),
    ("a requirement's id is used again", INVALID, lambda w: (w.require(), w.require())[-1]),
    ("a requirement of nobody is waived", INVALID,
     lambda w: w.declare(AUTHORITY, "assessment.waive", requirement_id="r1", reason="law")),
    ("a recipient assesses", INVALID, lambda w: w.assess(RECIPIENT)),
    ("a recipient blocks", INVALID, lambda w: w.block(RECIPIENT)),
    ("a block that is not there is ended", INVALID,
     lambda w: (w.block(), w.declare(HOLDER, "risk.unblock", reason="over", rule="night"))[-1]),
    ("an entry that is no alert is decided about", INVALID, lambda w: w.decide_alert(3)),
    ("an alert above is decided about", INVALID, lambda w: w.decide_alert(len(w.entries) + 1)),
    ("a provider decides about an alert", INVALID, lambda w: w.decide_alert(alerted(w), PROVIDER)),
    ("an incident's id is used again", INVALID, lambda w: (w.incident(), w.close(), w.incident())[-1]),
    ("an incident of nobody is updated", INVALID, lambda w: w.update()),
    ("an incident is updated after its end", INVALID, lambda w: (w.incident(), w.close(), w.update())[-1]),
    ("an incident is closed twice", INVALID, lambda w: (w.incident(), w.close(), w.close())[-1]),
    ("a clock that the incident has not", INVALID, lambda w: (w.incident(), w.update(clock="24h"))[-1]),
    ("a holder defines a purpose", INVALID, lambda w: w.define(iss=HOLDER)),
    ("a purpose of an unknown permission", INVALID, lambda w: w.define("P2", permissions=["ReadNothing"])),
    ("a freeze of no drill", ENCODING, lambda w: w.freeze(drill=0)),
    ("a freeze of a hundred days", ENCODING, lambda w: w.freeze(until=w.time // 1000 + 8_640_000)),
    ("a declaration in another's chain", CHAIN, lambda w: w.submit(
        w.payload(AUTHORITY, "freeze.lift", freeze_id="f1", reason="over"), None, kind="participant",
        name=f"participant:{HOLDER}")),
    ("a declaration in a consent's chain", CHAIN, lambda w: w.submit(
        w.payload(AUTHORITY, "freeze.lift", freeze_id="f1", reason="over"), None, kind="consent",
        name=f"participant:{AUTHORITY}")),
    ("an operator's freeze of a hundred days", INVALID, lambda w: w.document(
        "freeze.ordered", drill=True, freeze_id="f1", reason="case", scope={},
        until=w.time // 1000 + 7_776_001, **{"from": 0})),
    ("one approver approves twice", INVALID, lambda w: w.document("scoring.activated", scoring=1, approved_by=["a", "a"])),
    ("a hold's name is used again", INVALID, lambda w: (hold(w), hold(w))[-1]),
    ("a hold of nobody is lifted", INVALID, lambda w: w.document("hold.lifted", hold="h1", reason="over")),
    ("a hold of an erased chain", INVALID, lambda w: (erase(w), hold(w))[-1]),
    ("an erasure of a chain under hold", INVALID, lambda w: (hold(w), erase(w))[-1]),
    ("an erasure of a chain whose hold is nearly over", INVALID, lambda w: (
        hold(w, until=w.time // 1000 + 1), w.tick(999), erase(w))[-1]),
    ("a model trained on what is not there", INVALID, lambda w: model(w, to_index=len(w.entries))),
    ("a model's name is used again", INVALID, lambda w: (model(w), model(w))[-1]),
    ("an alert about an entry above", INVALID, lambda w: w.raise_alert(at_index=len(w.entries))),
    ("a document in another chain", CHAIN, lambda w: w.operator(
        {"type": "scoring.activated", "scoring": 1, "approved_by": ["a", "b"]}, "operator:ledger")),
    ("a report of nothing", INVALID, lambda w: w.document(
        "report.issued", report="daily", to_index=len(w.entries) - 1, rows=0, csv_hash=b64u(bytes(32)),
        **{"from": 0, "to": 1})),
    ("feedback about another customer's consent", INVALID, lambda w: w.feedback(w.request())),
    ("feedback under a number that was given", INVALID, lambda w: fed(w, lambda c: (w.feedback(c), w.feedback(c))[-1])),
    ("feedback about an entry above", INVALID, lambda w: fed(w, lambda c: w.feedback(c, about=len(w.entries)))),
    ("an answer to nothing", INVALID, lambda w: fed(w, lambda _: w.answer())),
    ("an answer to what is closed", INVALID, lambda w: fed(
        w, lambda c: (w.feedback(c), w.answer(state="closed"), w.answer())[-1])),
    ("another recipient acknowledges", INVALID, lambda w: fed(w, lambda c: w.acknowledge(c, w.revoke(c), OTHER))),
    ("what is no step is acknowledged", INVALID, lambda w: fed(w, lambda c: w.acknowledge(c, w.access(c)))),
    ("an acknowledgement is acknowledged", INVALID, lambda w: fed(
        w, lambda c: w.acknowledge(c, w.acknowledge(c, w.revoke(c))))),
    ("an acknowledgement leads elsewhere", INVALID, lambda w: fed(w, lambda c: w.acknowledge(c, w.revoke(c), status="ACTIVE"))),
    ("destinations without their separate consent", INVALID, lambda w: w.request(
        destinations=[{"country": "DE", "mechanism": "m"}]) and len(w.entries) - 1),
    ("the separate consent without destinations", INVALID, lambda w: w.request(
        separate_consents=["cross-border", "provision", "sensitive"]) and len(w.entries) - 1),
    ("a window of what is not one-off", INVALID, lambda w: w.request(once_seconds=60) and len(w.entries) - 1),
    ("so much per hour under a purpose that limits the day", INVALID, lambda w: (
        w.define(permissions=["ReadBalances"], max_frequency_per_day=4),
        w.request(permissions=["ReadBalances"], frequency_per_day=4, frequency_period="hour"))[-1] and len(w.entries) - 1),
    ("the holder asserts what the rules decide", INVALID, lambda w: fed(w, lambda c: w.access(
        c, HOLDER, relayed=True, asserted=["RISK_BLOCKED"]))),
    ("the ledger asserts what the rules decide", INVALID, lambda w: fed(w, lambda c: w.access(
        c, word=("REGION_NOT_CONSENTED",)))),
]  # fmt: skip


def hold(world: Supervised, until: int = 0) -> int:
    return world.document("hold.placed", hold="h1", chains=[b64u(bytes(32))], basis="court", until=until)


def erase(world: Supervised) -> int:
    return world.operator({"type": "erasure", "chains": [b64u(bytes(32))], "basis": "law", "approved_by": ["a", "b"]})


def model(world: Supervised, to_index: int = 2) -> int:
    members = {"hash": b64u(bytes(32)), "card_hash": b64u(bytes(32)), "from_index": 0}
    return world.document("model.activated", model="m1", to_index=to_index, **members)


def fed(world: Supervised, then: Callable[[str], int]) -> int:
    return then(world.grant())


@pytest.mark.parametrize(("name", "code", "lie"), LIES, ids=[row[0] for row in LIES])
def test_a_lie_is_told_once_at_its_place_and_nothing_that_follows_is(
    name: str, code: Code, lie: Callable[[Scored], int]
) -> None:
    world = begun()
    consent = world.grant(permissions=["ReadBalances", "ReadParty"])
    index = lie(world)
    world.access(consent)
    world.access(consent, customer_present=True)
    findings = replayed(world)
    assert [row[:2] for row in told(findings)] == [(code, index)], name


def test_an_erasure_after_the_hold_was_lifted_or_is_over_is_fine() -> None:
    world = begun()
    hold(world)
    world.document("hold.lifted", hold="h1", reason="over")
    world.document("hold.placed", hold="h2", chains=[b64u(bytes(32))], basis="court", until=world.time // 1000 + 1)
    world.tick(1_000)
    erase(world)
    assert told(replayed(world)) == []


@pytest.mark.parametrize("what", ["freeze", "block"])
def test_denials_by_an_illegal_freeze_or_block_are_not_reported_twice(what: str) -> None:
    world = begun()
    consent = world.grant()
    if what == "freeze":
        world.freeze()
        world.lift()
        index = world.freeze()  # the same id
    else:
        alerted(world)
        world.suspend(HOLDER)
        index = world.block(rule="refused")
    denied = world.access(consent)
    assert b'"deny"' in world.evidence[denied][0]
    assert [row[1] for row in told(replayed(world))] == [index]


def test_an_access_allowed_above_a_freeze_is_a_defect_at_that_access() -> None:
    world = begun()
    consent = world.grant()
    world.access(consent)
    world.freeze()
    world.override = lambda outcome: outcome.update({"decision": "allow", "reasons": []})
    lie = world.access(consent, customer_present=True)
    world.override = None
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, lie)]


# --- a suspended participant, and one that acts for another ---------------------------------------------------


@pytest.mark.parametrize(
    ("declare", "fine"),
    [
        (lambda w: w.freeze(HOLDER, scope={"holder": HOLDER}), True),
        (lambda w: w.decide_alert(alerted(w)), True),
        (lambda w: w.assess(), False),
        (lambda w: w.block(), False),
        (lambda w: w.incident(), False),
    ],
)
def test_a_suspended_participant_only_freezes_and_decides(declare: Callable[[Scored], int], fine: bool) -> None:
    world = begun()
    world.suspend(HOLDER)
    index = declare(world)
    assert [row[:2] for row in told(replayed(world))] == ([] if fine else [(POLICY, index)])


def test_a_suspended_recipient_acknowledges() -> None:
    world = begun()
    consent = world.grant()
    end = world.revoke(consent)
    world.suspend(RECIPIENT)
    world.acknowledge(consent, end)
    assert told(replayed(world)) == []


def test_a_provider_declares_for_another_in_the_others_chain() -> None:
    world = begun()
    world.delegate(HOLDER, ["freeze.order"])
    consent = world.grant()
    now = world.time // 1000
    members = {"drill": False, "freeze_id": "f1", "from": 0, "reason": "case", "scope": {"holder": HOLDER}}
    world.declare(PROVIDER, "freeze.order", behalf=HOLDER, until=now + 60, **members)
    world.access(consent)
    world.lift(HOLDER)
    index = world.declare(PROVIDER, "freeze.lift", behalf=HOLDER, freeze_id="f2", reason="over")
    assert [row[:2] for row in told(replayed(world))] == [
        (INVALID, index),
        (INVALID, index),
    ]  # neither delegated nor there


# --- before ruleset 3 -----------------------------------------------------------------------------------------

BEFORE: list[tuple[str, Callable[[Scored], int]]] = [
    ("a declaration", lambda w: w.assess()),
    ("a document", lambda w: w.document("scoring.activated", scoring=1)),
    ("a region", lambda w: w.access(w.grant(), region="DE")),
    ("masks", lambda w: masked(w) or 0),
    ("terms", lambda w: w.request(frequency_period="hour") and len(w.entries) - 1),
    ("an acknowledgement", lambda w: fed(w, lambda c: w.acknowledge(c, w.revoke(c)))),
    ("feedback", lambda w: fed(w, w.feedback)),
    ("a delegation", lambda w: w.delegate(HOLDER, ["freeze.order"])),
]


def masked(world: Supervised) -> int:
    consent = world.grant()
    basis = world.access(consent, interaction_id="interaction-9")
    return world.leg("access.release", consent, basis, "interaction-9", masks=["pan"])


@pytest.mark.parametrize(("what", "use"), BEFORE, ids=[row[0] for row in BEFORE])
def test_under_ruleset_2_nothing_of_ruleset_3_exists(what: str, use: Callable[[Scored], int]) -> None:
    world = Supervised(3, 2).begun()
    index = use(world)
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, index)], what
    later = Supervised(3, 2).begun()
    later.activate(3)
    use(later)
    assert told(replayed(later)) == []


def test_a_leaf_of_a_participant_without_evidence_is_told_under_ruleset_2() -> None:
    world = Supervised(3, 2).begun()
    index = world.assess()
    assert [row[:2] for row in told(replayed(world, withheld=[index]))] == [(INVALID, index)]


def test_the_counts_of_ruleset_2_begin_anew_and_a_consumed_consent_stays_so() -> None:
    world = Supervised(3, 2).begun()
    limited, once = world.grant(frequency_per_day=1), world.grant(once=True)
    for consent in (limited, limited, once):
        world.access(consent)
    world.activate(3)
    for consent in (limited, limited, once):
        world.access(consent)
    assert told(replayed(world)) == []


def test_a_day_that_is_over_is_not_counted_though_the_ledger_lied_about_it() -> None:
    """A lie about a count is told once: what follows is judged by what was claimed, for each unit."""
    world = begun()
    consent = world.grant(frequency_per_day=9)
    world.override = lambda outcome: outcome.update(used_today=4)
    lie = world.access(consent)
    world.override = None
    state = world.consents[consent]
    state["units"] = {unit: (number, 5) for unit, (number, _) in state["units"].items()}
    world.access(consent)
    world.tick(DAY)
    world.access(consent)
    assert [row[:2] for row in told(replayed(world))] == [(INVALID, lie)]
