"""Cases: documents, acts and decisions that no honest ledger records (verdicts.md, step 8)."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import b64u, sha
from tests.vectors.log import ORIGIN
from tests.vectors.signing import Ed25519, P256
from tests.vectors.story import (
    ACCOUNT,
    FIRST,
    HELPER,
    HOLDER,
    OTHER_ACCOUNT,
    PERMISSIONS,
    RECIPIENT,
    SECOND,
    SUBJECT,
    Story,
    chain_text,
    consent_id,
    report,
)

INVALID, ENCODING, REJECTED = (("CONSENT_INVALID", 13),), (("BAD_ENCODING", 13),), (("POLICY_REJECTED", 13),)
OTHER = "other.example"
OFFICERS = {"basis": "request", "approved_by": ["officer-1", "officer-2"]}


@case("8.0", exit=2)
def _a_ruleset_that_nobody_knows(log: Story) -> None:
    """Nothing above its activation is judged by rules: the wrong decision after it is not told."""
    log.operator("ruleset.activated", ruleset=999)
    log.tick().access(FIRST, log.allow(99))


@case("8.0", exit=2, at=0)
def _a_log_that_opens_under_a_ruleset_that_nobody_knows(log: Story) -> None:
    """From entry 0 on nothing is judged by rules."""
    log.operator("ledger.opened", origin=ORIGIN, ruleset=999)
    log.register(HOLDER, ["holder"], Ed25519("bank"))


@case("8.0", exit=2)
def _a_document_of_another_version(log: Story) -> None:
    """It may say anything."""
    log.operator("participant.suspended", participant=RECIPIENT, reason="case", v=2)
    log.tick().access(FIRST, log.allow(99))


@case("7.4", exit=2)
def _evidence_of_another_version(log: Story) -> None:
    """The entry is not read."""
    log.access(FIRST, log.allow(11), {"beside": {"v": 2, "more": 1}})


@case("7.8", exit=2)
def _a_statement_of_another_version(log: Story) -> None:
    """The entry is not read."""
    log.access(FIRST, log.allow(11), v=2)


@case("7.8", told=ENCODING)
def _a_statement_of_version_0(log: Story) -> None:
    """0 is no version."""
    log.access(FIRST, log.allow(11), v=0)


@case("8.0", "8.3", told=(("CONSENT_INVALID", 14),), exit=1)
def _a_defect_below_an_unknown_ruleset(log: Story) -> None:
    """What was wrong before stays a defect."""
    log.access(FIRST, log.allow(11))
    log.tick().access(FIRST, log.allow(99, used=1))
    log.operator("ruleset.activated", ruleset=999)


@case("8.1", at=0, told=(("CONSENT_INVALID", 0),))
def _a_log_that_opens_with_something_else(log: Story) -> None:
    """Index 0 is `ledger.opened`. The document says nothing there."""
    log.operator("pack.issued", commitment=b64u(bytes(32)), items_count=1, scope="all")


@case("8.1", at=0, told=(("BAD_ENCODING", 0),))
def _a_log_of_another_origin(log: Story) -> None:
    """The origin is the checkpoint's."""
    log.operator("ledger.opened", origin="ledger.example/other", ruleset=2)


@case("8.1", told=INVALID)
def _a_log_that_opens_twice(log: Story) -> None:
    """Index 0, and only there."""
    log.operator("ledger.opened", origin=ORIGIN, ruleset=2)


DOCUMENTS: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("8.2", "a-document-with-one-member-more", "BAD_ENCODING", "participant.suspended", {"participant": HOLDER, "reason": "case", "more": 1}),
    ("8.2", "a-document-without-a-reason", "BAD_ENCODING", "participant.suspended", {"participant": HOLDER}),
    ("8.2", "a-document-of-no-known-type", "BAD_ENCODING", "participant.praised", {"participant": HOLDER}),
    ("8.2", "roles-that-are-not-sorted", "BAD_ENCODING", "participant.registered", {"participant": OTHER, "name": "Other", "roles": ["recipient", "holder"]}),
    ("8.2", "a-participant-in-upper-case", "BAD_ENCODING", "participant.registered", {"participant": "OTHER.example", "name": "Other", "roles": ["recipient"]}),
    ("8.2", "a-key-of-small-order", "BAD_SIGNATURE", "key.added", {"participant": HOLDER, "kid": "bank.2", "alg": "EdDSA", "use": "statement", "jwk": {"crv": "Ed25519", "kty": "OKP", "x": b64u(bytes(32))}}),
    ("8.2", "a-key-off-the-curve", "BAD_SIGNATURE", "key.added", {"participant": HOLDER, "kid": "bank.2", "alg": "ES256", "use": "statement", "jwk": {"crv": "P-256", "kty": "EC", "x": b64u(bytes(31) + b"\1"), "y": b64u(bytes(31) + b"\1")}}),
    ("8.2", "a-delegation-of-an-act-that-is-none", "BAD_ENCODING", "delegation.granted", {"participant": HOLDER, "delegate": HELPER, "acts": ["consent.nothing"]}),
    ("8.3", "an-erasure-that-one-officer-approved-twice", "CONSENT_INVALID", "erasure", {"chains": [b64u(bytes(32))], "basis": "request", "approved_by": ["officer-1", "officer-1"]}),
    ("8.3", "a-participant-registered-twice", "CONSENT_INVALID", "participant.registered", {"participant": HOLDER, "name": "Bank", "roles": ["holder"]}),
    ("8.3", "a-key-of-nobody", "CONSENT_INVALID", "key.added", {"participant": OTHER, "kid": "other.1", "alg": "EdDSA", "use": "statement", "jwk": Ed25519("other").jwk}),
    ("8.3", "a-kid-that-is-there", "CONSENT_INVALID", "key.added", {"participant": HOLDER, "kid": f"{HOLDER}.1", "alg": "EdDSA", "use": "statement", "jwk": Ed25519("other").jwk}),
    ("8.3", "a-key-revoked-that-never-was", "CONSENT_INVALID", "key.revoked", {"participant": HOLDER, "kid": "never", "reason": "lost"}),
    ("8.3", "somebody-suspended-who-never-was", "CONSENT_INVALID", "participant.suspended", {"participant": OTHER, "reason": "case"}),
    ("8.3", "somebody-reinstated-who-was-not-suspended", "CONSENT_INVALID", "participant.reinstated", {"participant": HOLDER, "reason": "case"}),
    ("8.3", "a-delegation-to-a-recipient", "CONSENT_INVALID", "delegation.granted", {"participant": HOLDER, "delegate": RECIPIENT, "acts": ["access.release"]}),
    ("8.3", "a-delegation-ended-that-never-began", "CONSENT_INVALID", "delegation.ended", {"participant": HOLDER, "delegate": HELPER, "reason": "over"}),
    ("8.3", "a-purpose-with-an-unknown-permission", "CONSENT_INVALID", "purpose.defined", {"code": "PIS", "permissions": ["ReadNothing"], "max_days": 0, "max_frequency_per_day": 0, "max_history_days": 0, "max_retention_days": 0}),
    ("8.3", "a-disclosure-of-what-is-not-there-yet", "CONSENT_INVALID", "disclosure", {"participant": RECIPIENT, "case": "case-1", "from_index": 0, "to_index": 13}),
    ("8.3", "an-opening-of-what-is-not-there-yet", "CONSENT_INVALID", "evidence.opened", {"by": "officer-1", "case": "case-1", "from_index": 0, "to_index": 13}),
    ("8.3", "a-ruleset-that-falls", "CONSENT_INVALID", "ruleset.activated", {"ruleset": 1}),
    ("8.3", "a-ruleset-that-repeats", "CONSENT_INVALID", "ruleset.activated", {"ruleset": 2}),
]  # fmt: skip

for _step, _name, _code, _type, _members in DOCUMENTS:

    def _document(log: Story, kind: str = _type, members: dict[str, Any] = _members) -> None:
        log.operator(kind, **members)

    _document.__name__, _document.__doc__ = _name, f"leaves.md, operator documents: `{_type}`."
    case(_step, told=((_code, 13),))(_document)


@case("8.3", base="ruleset-1", at=8, told=(("CONSENT_INVALID", 8),))
def _a_purpose_under_ruleset_1(log: Story) -> None:
    """It exists from ruleset 2 on."""
    none = {"max_days": 0, "max_frequency_per_day": 0, "max_history_days": 0, "max_retention_days": 0}
    log.operator("purpose.defined", code="AIS", permissions=PERMISSIONS, **none)


@case("8.3", told=(("CONSENT_INVALID", 14),))
def _a_key_of_somebody_removed(log: Story) -> None:
    """Nor are new keys possible."""
    log.operator("participant.removed", participant=HELPER, reason="left")
    log.operator("key.added", participant=HELPER, kid="h.2", alg="EdDSA", use="statement", jwk=Ed25519("h").jwk)


@case("8.4", told=(("BAD_CHAIN", 13),))
def _a_document_in_another_chain(log: Story) -> None:
    """A participant's document stands in the participant's chain."""
    log.operator("participant.suspended", participant=HELPER, reason="case", chain="operator:ledger")


@case("8.5", at=33, told=(("CONSENT_INVALID", 33),))
def _a_report_that_begins_late(log: Story) -> None:
    """`from_index` is 0, or follows the report before."""
    log.operator("reconciliation.reported", **report(1, 32, 2, 1, 1, []))


@case("8.6", told=(("CONSENT_INVALID", 14),), unchecked=None)
def _an_erased_chain_that_goes_on(log: Story) -> None:
    """The key that would encrypt it is gone."""
    log.operator("erasure", chains=[chain_text(FIRST)], **OFFICERS)
    log.tick().access(FIRST, log.allow(11))


@case("8.7", told=(("POLICY_REJECTED", 14),))
def _a_statement_under_a_revoked_key(log: Story) -> None:
    """Not revoked at a lower index."""
    log.operator("key.revoked", participant=RECIPIENT, kid=f"{RECIPIENT}.1", reason="lost")
    log.tick().access(FIRST, log.allow(11))


@case("8.7", told=(("POLICY_REJECTED", 14),))
def _a_statement_under_a_key_for_clients(log: Story) -> None:
    """`use` is `statement`."""
    log.add_key(RECIPIENT, P256("client"), "app.client", "client")
    log.tick().access(FIRST, log.allow(11))


@case("8.7", told=(("BAD_SIGNATURE", 13),))
def _a_key_that_is_added_later(log: Story) -> None:
    """Added at a lower index. Its signature holds, so this is said of the signer."""
    log.keys[RECIPIENT] = ("app.2", P256("later"))
    log.access(FIRST, log.allow(11))
    log.add_key(RECIPIENT, P256("later"), "app.2")


@case("8.7", told=(("BAD_SIGNATURE", 13),))
def _a_key_of_somebody_else(log: Story) -> None:
    """`kid` belongs to `iss`."""
    log.keys[RECIPIENT] = log.keys[HOLDER]
    log.access(FIRST, log.allow(11))


@case("8.7", told=INVALID)
def _a_recipient_who_releases(log: Story) -> None:
    """A holder's act needs the role holder; and the signer is not the consent's holder."""
    log.step(RECIPIENT, "consent.pause", FIRST, log.state("PAUSED"))


@case("8.7", told=(("POLICY_REJECTED", 14),))
def _a_suspended_participant_that_amends(log: Story) -> None:
    """It may still do what only reduces sharing, and this does not."""
    log.operator("participant.suspended", participant=RECIPIENT, reason="case")
    terms = log.terms(frequency_per_day=3)
    log.tick().say(RECIPIENT, "consent.amend", log.state("ACTIVE"), consent_id=FIRST, previous_version=1, terms=terms)


@case("8.7", "8.11", exit=0)
def _a_suspended_participant_that_reads(log: Story) -> None:
    """Its access is recorded and denied."""
    log.operator("participant.suspended", participant=RECIPIENT, reason="case")
    log.tick().access(FIRST, log.deny(11, "PARTICIPANT_SUSPENDED"))


@case("8.7", told=(("CONSENT_INVALID", 14),))
def _a_helper_without_a_delegation(log: Story) -> None:
    """It ended at a lower index."""
    log.operator("delegation.ended", participant=RECIPIENT, delegate=HELPER, reason="over")
    log.tick().access(FIRST, log.allow(11), iss=HELPER, on_behalf_of=RECIPIENT)


@case("8.7", told=INVALID)
def _a_helper_with_a_delegation_of_another_act(log: Story) -> None:
    """The delegation names `access.request` and nothing else."""
    changes = {"reason": "asked", "by": "customer", "on_behalf_of": RECIPIENT}
    log.say(HELPER, "consent.revoke", log.state("REVOKED"), consent_id=FIRST, **changes)


@case("8.8", base="ruleset-1", at=8, told=(("CONSENT_INVALID", 8),))
def _an_act_of_ruleset_2_under_ruleset_1(log: Story) -> None:
    """`consent.reconfirm` exists from ruleset 2 on."""
    log.step(RECIPIENT, "consent.reconfirm", FIRST, log.state("ACTIVE"))


@case("8.8", base="ruleset-1", at=6, told=(("CONSENT_INVALID", 6),))
def _a_member_of_ruleset_2_under_ruleset_1(log: Story) -> None:
    """`acting_role` exists from ruleset 2 on."""
    log.authorise(FIRST, acting_role="owner")
    log.companion(FIRST)


def confirmed(log: Story, record: Any) -> None:
    """A second consent, whose authorisation (14) has this passkey record."""
    log.request(SECOND, frequency_per_day=4)
    log.tick().authorise(SECOND, beside={"assertion": record(log)})
    log.companion(SECOND)


GESTURES: list[tuple[str, str, str, Any]] = [
    ("a-gesture-without-verification", "CONSENT_INVALID", "UP and UV are set.", lambda log: log.gesture(SECOND, flags=1)),
    ("a-gesture-backed-up-but-not-eligible", "CONSENT_INVALID", "BS only with BE.", lambda log: log.gesture(SECOND, flags=0x15)),
    ("a-gesture-with-attested-data", "CONSENT_INVALID", "AT is clear.", lambda log: log.gesture(SECOND, flags=0x45)),
    ("a-gesture-over-other-terms", "CONSENT_INVALID", "`signed` agrees with the statement.", lambda log: log.gesture(SECOND, lie={"terms_hash": b64u(bytes(32))})),
    ("a-gesture-of-another-type", "CONSENT_INVALID", "`type` is webauthn.get.", lambda log: log.gesture(SECOND, client={"type": "webauthn.create"})),
    ("a-gesture-across-origins", "CONSENT_INVALID", "`crossOrigin` is absent or false.", lambda log: log.gesture(SECOND, client={"crossOrigin": True})),
    ("a-gesture-at-another-place", "CONSENT_INVALID", "The record's origin.", lambda log: log.gesture(SECOND, client={"origin": "https://x.bank.example"})),
    ("a-gesture-with-another-challenge", "CONSENT_INVALID", "The challenge of what was signed.", lambda log: log.gesture(SECOND, client={"challenge": b64u(bytes(32))})),
    ("a-gesture-with-another-signature", "CONSENT_INVALID", "Under the enrolled key.", lambda log: {**log.gesture(SECOND), "signature": b64u(P256("x").sign_der(b"x"))}),
    ("a-gesture-of-a-credential-that-nobody-enrolled", "CONSENT_INVALID", "Enrolled at a lower index.", lambda log: {**log.gesture(SECOND), "credential_id": b64u(sha(b"never"))}),
    ("a-gesture-with-one-member-more", "BAD_ENCODING", "Exactly the members of the record.", lambda log: {**log.gesture(SECOND), "more": 1}),
    ("a-gesture-whose-nonce-is-short", "BAD_ENCODING", "32 bytes.", lambda log: {**log.gesture(SECOND), "nonce": b64u(bytes(31))}),
]  # fmt: skip

for _name, _code, _why, _record in GESTURES:

    def _gesture(log: Story, record: Any = _record) -> None:
        confirmed(log, record)

    _gesture.__name__, _gesture.__doc__ = _name, _why
    case("8.9", told=((_code, 14),))(_gesture)


@case("8.9", exit=0)
def _a_gesture_that_holds(log: Story) -> None:
    """The honest one, as in the base."""
    confirmed(log, lambda log: log.gesture(SECOND))


@case("8.9", told=INVALID)
def _a_gesture_under_another_act(log: Story) -> None:
    """An assertion stands under `consent.authorise` only."""
    log.access(FIRST, log.allow(11), {"beside": {"assertion": log.gesture(FIRST)}})


@case("8.9", told=(("CONSENT_INVALID", 15),))
def _a_gesture_after_its_passkey_was_ended(log: Story) -> None:
    """Not unenrolled at a lower index."""
    log.say(HOLDER, "subject.unenrol", subject=SUBJECT, credential_id=b64u(sha(b"credential")), reason="lost")
    confirmed(log, lambda log: log.gesture(SECOND))


REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("terms-of-grade-2-with-data-of-grade-3", {"grade": 2}),
    ("terms-with-an-unknown-permission", {"permissions": ["ReadNothing"]}),
    ("terms-that-have-ended", {"expires_at": 1_780_000_000}),
    ("terms-that-end-before-they-start", {"starts_at": 1_900_000_000, "expires_at": 1_850_000_000}),
    ("terms-whose-history-ends-before-it-begins", {"history_to": 1_600_000_000}),
    ("terms-with-a-holder-that-is-none", {"holder": HELPER}),
    ("terms-of-another-recipient", {"recipient": OTHER}),
    ("terms-without-the-separate-consents", {"separate_consents": []}),
    ("terms-beyond-the-frequency-of-their-purpose", {"frequency_per_day": 11}),
    ("terms-beyond-the-retention-of-their-purpose", {"retention_days": 181}),
]

for _name, _changes in REQUESTS:

    def _request(log: Story, changes: dict[str, Any] = _changes) -> None:
        log.request(SECOND, **{"frequency_per_day": 4, **changes})

    _request.__name__, _request.__doc__ = _name, "consents.md, rule T."
    case("8.10", told=INVALID)(_request)


@case("8.10", told=INVALID)
def _a_consent_id_used_twice(log: Story) -> None:
    """A used consent id is a conflict."""
    log.request(FIRST, frequency_per_day=4)


@case("8.10", told=INVALID)
def _a_transition_of_an_unknown_consent(log: Story) -> None:
    """Nobody requested it."""
    log.step(HOLDER, "consent.revoke", consent_id(9), log.state("REVOKED"))


@case("8.10", told=(("CONSENT_INVALID", 14),))
def _a_consent_that_ends_twice(log: Story) -> None:
    """REVOKED is for ever."""
    log.step(HOLDER, "consent.revoke", FIRST, log.state("REVOKED"))
    log.tick().step(HOLDER, "consent.revoke", FIRST, log.state("REVOKED"))


@case("8.10", told=INVALID)
def _a_revocation_that_leaves_the_consent_active(log: Story) -> None:
    """The outcome is not the one that the act leads to."""
    log.step(HOLDER, "consent.revoke", FIRST, log.state("ACTIVE"))


@case("8.10", told=INVALID)
def _a_resumption_of_what_was_not_paused(log: Story) -> None:
    """From PAUSED or SUSPENDED."""
    log.step(HOLDER, "consent.resume", FIRST, log.state("ACTIVE"))


@case("8.10", told=INVALID)
def _a_pause_by_a_court(log: Story) -> None:
    """`by` customer or guardian."""
    log.step(HOLDER, "consent.pause", FIRST, log.state("PAUSED"), by="court")


@case("8.10", told=INVALID)
def _an_amendment_of_a_version_that_is_not_current(log: Story) -> None:
    """`previous_version` = current."""
    terms = log.terms(frequency_per_day=3)
    log.say(RECIPIENT, "consent.amend", log.state("ACTIVE"), consent_id=FIRST, previous_version=2, terms=terms)


@case("8.10", told=(("CONSENT_INVALID", 14),))
def _an_authorisation_of_other_terms(log: Story) -> None:
    """`terms_hash` is that of the version."""
    log.request(SECOND, frequency_per_day=4)
    log.tick().authorise(SECOND, terms_hash=b64u(bytes(32)))
    log.companion(SECOND)


@case("8.10", told=INVALID)
def _an_expiry_before_its_time(log: Story) -> None:
    """The consent does not expire."""
    log.expire(FIRST)


@case("8.10", told=INVALID)
def _a_withdrawal_of_all_accounts(log: Story) -> None:
    """One remains at least; else `consent.revoke` is the act."""
    names = {"accounts": [ACCOUNT, OTHER_ACCOUNT], "reason": "asked", "by": "customer"}
    log.say(HOLDER, "consent.withdraw_accounts", log.state("ACTIVE"), consent_id=FIRST, **names)


DECISIONS: list[tuple[str, Any, dict[str, Any]]] = [
    ("an-access-allowed-for-another-purpose", lambda log: log.allow(11), {"purpose": "PIS"}),
    ("an-access-allowed-to-a-foreign-account", lambda log: log.allow(11), {"accounts": ["A" * 22]}),
    ("an-access-allowed-without-the-permission", lambda log: log.allow(11), {"permissions": ["ReadParty"]}),
    ("an-access-allowed-outside-the-window", lambda log: log.allow(11), {"from": 1_600_000_000, "to": 1_650_000_000}),
    ("an-access-denied-for-nothing", lambda log: log.deny(11, "CONSENT_EXPIRED"), {}),
    ("an-access-of-another-basis", lambda log: log.allow(10), {}),
    ("an-access-of-another-version", lambda log: log.allow(11, version=2), {}),
    ("an-access-with-another-count", lambda log: log.allow(11, used=1), {}),
    ("an-access-under-another-ruleset", lambda log: log.allow(11, ruleset=1), {}),
    ("an-access-without-masks", lambda log: log.allow(11, obligations={"directions": ["credit"], "from": 0, "masks": [], "to": 0}), {}),
    ("an-access-with-an-unknown-reason", lambda log: log.deny(11, "NONSENSE"), {}),
    ("an-access-whose-asserted-reason-is-none", lambda log: log.deny(11, asserted=["NONSENSE"]), {}),
]  # fmt: skip

for _name, _outcome, _item in DECISIONS:

    def _decision(log: Story, outcome: Any = _outcome, item: dict[str, Any] = _item) -> None:
        log.access(FIRST, outcome(log), **item)

    _decision.__name__, _decision.__doc__ = _name, "decisions.md: decision, reasons, obligations and counts are those of `decide`."
    case("8.11", told=INVALID)(_decision)


@case("8.11", told=(("CONSENT_INVALID", 14),))
def _an_access_allowed_after_the_revocation(log: Story) -> None:
    """The one promise of this log."""
    log.step(HOLDER, "consent.revoke", FIRST, log.state("REVOKED"))
    log.tick().access(FIRST, log.allow(13))


@case("8.11", told=(("CONSENT_INVALID", 15),))
def _an_access_too_many(log: Story) -> None:
    """Two a day without the customer."""
    log.access(FIRST, log.allow(11))
    log.tick().access(FIRST, log.allow(11, used=1))
    log.tick().access(FIRST, log.allow(11, used=2))


@case("8.11", exit=0, unchecked=True)
def _an_access_that_the_ledger_refuses_by_its_own_word(log: Story) -> None:
    """An asserted reason that the rules know; nobody can check whether it is true."""
    log.access(FIRST, log.deny(11, asserted=["RATE_LIMITED"]))


@case("8.12", told=(("CONSENT_INVALID", 16),))
def _a_release_by_somebody_else(log: Story) -> None:
    """The holder of its consent."""
    log.register(OTHER, ["holder"], Ed25519("other"))
    log.access(FIRST, log.allow(11), interaction_id="interaction-1")
    log.leg("access.release", FIRST, 15, OTHER)


@case("8.13", told=INVALID)
def _a_companion_alone(log: Story) -> None:
    """No authorisation awaits one."""
    log.companion(FIRST)


@case("8.13", told=(("CONSENT_INVALID", 15),))
def _a_companion_of_another_customer(log: Story) -> None:
    """The customer whose passkey confirmed is not the one in whose chain it stands."""
    log.request(SECOND, frequency_per_day=4)
    log.tick().authorise(SECOND, beside={"assertion": log.gesture(SECOND)})
    log.companion(SECOND, subject="s" * 22)


@case("8.14", told=INVALID)
def _a_passkey_enrolled_twice(log: Story) -> None:
    """At most once in the life of the log."""
    log.enrol()


@case("8.14", told=INVALID)
def _a_passkey_ended_that_never_began(log: Story) -> None:
    """One in force, of this subject."""
    log.say(HOLDER, "subject.unenrol", subject=SUBJECT, credential_id=b64u(sha(b"never")), reason="lost")

