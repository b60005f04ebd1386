"""Lies about the rules: acts and decisions that no honest ledger records, and what only the end can tell."""

from __future__ import annotations

import random
from typing import Any

from tests.verifier.forge import HOLDER, OTHER, PROVIDER, RECIPIENT, Json, b64u, sha
from tests.verifier.generated.documents import invented
from tests.verifier.generated.lies import Told, lie
from tests.verifier.generated.lives import HOUR, Life
from tests.verifier.gestures import Passkey
from tests.verifier.supervised import AUTHORITY

# --- 8.7 to 8.14: acts ----------------------------------------------------------------------------------------


def consent_of(life: Life, recipient: str) -> str:
    """A consent of another recipient."""
    consent = life.request(recipient, recipient=recipient)
    life.authorise(consent)
    return consent


@lie("8.7")
def _a_signer_could_not_sign(life: Life, dice: random.Random) -> Told:
    name = invented(life)
    consent = consent_of(life, name)
    change = dice.choice(["revoked", "client", "suspended"])
    if change == "revoked":
        life.operator({"type": "key.revoked", "participant": name, "kid": f"{name}.1", "reason": "lost"})
    elif change == "client":
        signer = life.signers[name]
        life.operator(
            {
                "type": "key.added",
                "participant": name,
                "kid": f"{name}.c",
                "alg": "EdDSA",
                "use": "client",
                "jwk": signer.jwk,
            }
        )
        signer.kid = f"{name}.c"
    else:
        life.suspend(name)
        life.suspended.discard(name)
        payload = life.payload(
            name, "consent.amend", consent_id=consent, previous_version=1, terms=life.terms(recipient=name)
        )
        outcome = {"consent_version": 1, "ruleset": life.ruleset, "status": "ACTIVE"}
        return {("POLICY_REJECTED", life.submit(payload, outcome))}
    return {("POLICY_REJECTED", life.access(consent, name))}


@lie("8.7")
def _a_key_is_another_participants(life: Life, _: random.Random) -> Told:
    consent = life.grant()
    payload = life.payload(RECIPIENT, "access.request", **life.item(consent))
    jws = life.signers[OTHER].sign(payload)
    return {("BAD_SIGNATURE", life.submit(payload, life.decide(RECIPIENT, payload), jws=jws))}


@lie("8.7", ruleset=2)
def _nobody_delegated_this(life: Life, _: random.Random) -> Told:
    return {("CONSENT_INVALID", life.access(life.grant(), PROVIDER, behalf=RECIPIENT))}


@lie("8.8", ruleset=1)
def _ruleset_2_is_used_before(life: Life, _: random.Random) -> Told:
    consent = life.request()
    index = life.authorise(consent, acting_role="owner")
    return {("CONSENT_INVALID", index)}


@lie("8.8", ruleset=2)
def _ruleset_3_is_used_before(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    use = dice.choice(
        (
            life.assess,
            life.define,
            lambda: life.access(consent, region="DE"),
            life.incident,
            lambda: life.document("scoring.activated", scoring=1),
        )
    )
    index = use()
    life.purposes.clear()  # it says nothing
    return {("CONSENT_INVALID", index)}


@lie("8.9")
def _a_gesture_was_not_verified(life: Life, dice: random.Random) -> Told:
    device = Passkey(b64u(life.random.randbytes(9)))
    if enrolled := dice.random() < 0.5:
        life.enrol(device)
    index = len(life.entries) + 1
    life.confirmed(device, **({"flags": dice.choice((0x01, 0x04, 0x45))} if enrolled else {}))
    return {("CONSENT_INVALID", index)}


@lie("8.10")
def _a_consent_ends_twice(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    life.revoke(consent)
    act, status = dice.choice((("revoke", "REVOKED"), ("pause", "PAUSED"), ("terminate", "TERMINATED")))
    by = "holder" if act == "terminate" else "customer"
    return {("CONSENT_INVALID", life.end(consent, f"consent.{act}", status, by=by))}


@lie("8.10")
def _a_transition_leads_elsewhere(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    lies = dice.choice(
        ({"status": "ACTIVE"}, {"consent_version": 2}, {"ruleset": life.ruleset % 3 + 1}, {"status": "GONE"})
    )
    life.override = lambda outcome: outcome.update(lies)
    index = life.revoke(consent)
    life.override = None
    return {("CONSENT_INVALID", index)}


@lie("8.11")
def _an_access_is_allowed_wrongly(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    life.revoke(consent)
    allow: Json = {"decision": "allow", "reasons": [], "obligations": {}}
    life.override = lambda outcome: outcome.update(allow)
    index = life.batch([consent])[0] if dice.random() < 0.3 else life.access(consent)
    life.override = None
    return {("CONSENT_INVALID", index)}


@lie("8.11")
def _a_decision_says_something_else(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    lies: Json = dice.choice(
        [
            {"basis": 0},
            {"consent_version": 7},
            {"used_today": 9},
            {"ruleset": life.ruleset % 3 + 1},
            {"decision": "deny", "reasons": ["CONSENT_EXPIRED"], "obligations": {}},
            {"reasons": ["NONSENSE"]},
            {"obligations": {"x": [[1]]}},
            {"obligations": {"from": "0"}},
            {"asserted": ["NONSENSE"]},
        ]
    )
    life.override = lambda outcome: outcome.update(lies)
    index = life.access(consent)
    life.override = None
    return {("CONSENT_INVALID", index)}


@lie("8.12")
def _a_stranger_tells_a_leg(life: Life, _: random.Random) -> Told:
    consent = life.grant()
    basis = life.access(consent, interaction_id="interaction-9")
    members = {"interaction_id": "interaction-9", "basis": basis, "rows": 1, "bytes": 2, "digest": b64u(bytes(32))}
    life.legs[basis]["access.receive"] = members
    payload = life.payload(OTHER, "access.receive", consent_id=consent, **members)
    return {("CONSENT_INVALID", life.submit(payload, None))}


@lie("8.13")
def _a_companion_stands_alone(life: Life, dice: random.Random) -> Told:
    consent = life.grant() if dice.random() < 0.5 else life.consent_id()
    return {("CONSENT_INVALID", life.companion(consent, life.reference()))}


@lie("8.14")
def _a_passkey_is_enrolled_twice_or_ended_unenrolled(life: Life, dice: random.Random) -> Told:
    device, subject = Passkey(b64u(life.random.randbytes(9))), life.reference()
    if dice.random() < 0.5:
        return {("CONSENT_INVALID", life.enrol(device, "subject.unenrol", subject))}
    life.enrol(device, subject=subject)
    return {("CONSENT_INVALID", life.enrol(device, subject=subject))}


@lie("8.11", ruleset=3)
def _a_freeze_is_passed_over(life: Life, dice: random.Random) -> Told:
    name = f"x{len(life.entries)}"
    if dice.random() < 0.5:
        life.freeze(name=name, scope={"recipient": RECIPIENT})
    else:
        life.require(name, recipient=RECIPIENT, holder=HOLDER)
    consent = life.grant()
    life.override = lambda outcome: outcome.update({"decision": "allow", "reasons": [], "obligations": {}})
    index = life.access(consent)
    life.override = None
    return {("CONSENT_INVALID", index)}


@lie("8.15", ruleset=3)
def _a_declaration_is_illegal(life: Life, dice: random.Random) -> Told:
    name = f"x{len(life.entries)}"
    consent = life.grant()
    tell = dice.choice(
        (
            lambda: life.lift(name=name),
            lambda: life.update(name=name),
            lambda: life.close(name=name),
            lambda: life.declare(HOLDER, "risk.unblock", reason="over", rule="woken"),
            lambda: life.declare(AUTHORITY, "assessment.waive", requirement_id=name, reason="law"),
            lambda: life.decide_alert(2),
            lambda: life.define(name, permissions=["ReadNothing"]),
            lambda: life.feedback(life.request(), name),
            lambda: life.answer(name),
            lambda: (life.incident(name=name), life.close(name=name), life.incident(name=name))[-1],
            lambda: (life.feedback(consent, name), life.feedback(consent, name))[-1],
        )
    )
    return {("CONSENT_INVALID", tell())}


@lie("8.16", ruleset=3)
def _an_alert_is_invented_or_changed(life: Life, dice: random.Random) -> Told:
    if dice.random() < 0.5:
        return {("CONSENT_INVALID", life.raise_alert(invented(life), at_index=len(life.entries) - 1))}
    alarmed(life)
    return {("CONSENT_INVALID", index) for index in life.raise_due(score=dice.choice((7, 8)))}


def alarmed(life: Life) -> str:
    """One more alert is owed than was."""
    life.raise_due()
    life.score()
    name = invented(life)
    for _ in range(50):
        life.access(life.consent_id(), name)
    assert len(life.owed) == 1
    return name


@lie("9.10", ruleset=3)
def _an_alert_is_hidden(life: Life, _: random.Random) -> Told:
    alarmed(life)
    [owed] = life.owed
    life.owed = []
    life.tick(60_001)
    life.index_head()
    return {("INCOMPLETE", owed["at_index"])}


@lie("9.13", ruleset=3)
def _a_report_is_bettered_by_one(life: Life, dice: random.Random) -> Told:
    name, offset = f"x{len(life.entries)}", dice.choice((0, 480))
    plain = {"period": "day", "by": [], "measures": ["consents_withdrawn"], "suppress": 0}
    life.document("report.defined", report=name, utc_offset=offset, **plain)
    life.revoke(life.grant())
    shift = offset * 60
    first = (life.time // 1000 + shift) // 86_400 * 86_400 - shift
    life.time = (first + 86_400) * 1000
    csv = f"measure,value\nconsents_withdrawn,{dice.choice((0, 10**6))}\n".encode()
    figures = {
        "from": first,
        "to": first + 86_400,
        "to_index": len(life.entries) - 1,
        "rows": 1,
        "csv_hash": b64u(sha(csv)),
    }
    return {("UNMATCHED", life.document("report.issued", report=name, **figures))}


# --- 9: at the end --------------------------------------------------------------------------------------------


@lie("9.1")
def _a_statement_is_used_twice(life: Life, dice: random.Random) -> Told:
    consent = life.grant()
    payload = life.payload(RECIPIENT, "access.request", **life.item(consent, customer_present=True))
    life.submit(payload, life.decide(RECIPIENT, payload))
    if dice.random() < 0.5:
        payload = {**payload, "request_digest": b64u(life.random.randbytes(32))}
    return {("BAD_CHAIN", life.submit(payload, life.decide(RECIPIENT, payload)))}


@lie("9.2")
def _a_gesture_counts_twice(life: Life, _: random.Random) -> Told:
    device, accounts = Passkey(b64u(life.random.randbytes(9))), [life.reference()]
    life.enrol(device)
    consent = life.request(authorisers_required=2)
    gesture = device.agree(consent, life.consents[consent]["terms"], accounts)

    def beside(_: int, evidence: Json) -> None:
        if evidence["act"] == "consent.authorise":
            evidence["assertion"] = gesture

    life.bend_evidence = beside
    life.authorise(consent, accounts)
    second = life.authorise(consent, accounts)
    life.bend_evidence = None
    return {("CONSENT_INVALID", second)}


@lie("9.3")
def _a_leg_of_nothing(life: Life, dice: random.Random) -> Told:
    """Of a denied access, an operator's document, a later entry, another consent, a transition, another interaction."""
    consent, other = life.grant(), life.grant()
    foreign = life.access(other, interaction_id="interaction-9")
    denied = life.access(consent, interaction_id="interaction-9", permissions=["ReadParty"], purpose="MKT")
    fine = life.access(consent, interaction_id="interaction-1")
    basis = dice.choice((denied, 0, len(life.entries) + dice.randrange(3), foreign, denied - 3, fine, 2**53 - 1))
    known = {index: dict(legs) for index, legs in life.legs.items()}
    index = life.leg(dice.choice(("access.release", "access.receive")), consent, basis, "interaction-9")
    life.legs = known  # no report counts it
    return {("UNMATCHED", index)}


@lie("9.4")
def _a_second_leg(life: Life, dice: random.Random) -> Told:
    consent, act = life.grant(), dice.choice(("access.release", "access.receive"))
    basis = life.access(consent, interaction_id="interaction-9")
    life.leg(act, consent, basis, "interaction-9")
    return {("UNMATCHED", life.leg(act, consent, basis, "interaction-9", rows=dice.choice((3, 4))))}


@lie("9.7", ruleset=2)
def _a_report_is_wrong(life: Life, dice: random.Random) -> Told:
    life.tick(HOUR + 1)
    life.index_head()
    life.tick(HOUR + 1)
    figure: dict[str, Any] = dice.choice(({"accesses": 999}, {"findings": 999}, {"findings_hash": b64u(bytes(32))}))
    return {("UNMATCHED", life.reconcile(**figure))}


@lie("9.8")
def _an_authorisation_has_no_companion(life: Life, _: random.Random) -> Told:
    companion, life.companion = life.companion, lambda *_, **__: -1  # type: ignore[method-assign]
    index = life.authorise(life.request())
    life.companion = companion  # type: ignore[method-assign]
    return {("INCOMPLETE", index)}
