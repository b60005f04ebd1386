"""Cases: acts and decisions that no honest ledger records (verdicts.md, steps 8.7 to 8.14)."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import b64u, sha
from tests.vectors.signing import P256, Ed25519
from tests.vectors.story import (
    ACCOUNT,
    FIRST,
    HELPER,
    HOLDER,
    OTHER_ACCOUNT,
    RECIPIENT,
    SECOND,
    SUBJECT,
    Story,
    consent_id,
)

INVALID, ENCODING, REJECTED = (("CONSENT_INVALID", 13),), (("BAD_ENCODING", 13),), (("POLICY_REJECTED", 13),)
OTHER = "other.example"
OFFICERS = {"basis": "request", "approved_by": ["officer-1", "officer-2"]}


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


@case("8.9", exit=0, at=16, policy="places", unchecked=False)
def _a_gesture_at_a_place_of_the_readers(log: Story) -> None:
    """The reader's trust file names origins and rp ids, and this is one of them: nothing is left unchecked."""


@case("8.9", told=(("CONSENT_INVALID", 11),), policy="other-places")
def _a_gesture_at_a_place_that_is_not_the_readers(log: Story) -> None:
    """The reader's trust file names others."""


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

    _decision.__name__, _decision.__doc__ = (
        _name,
        "decisions.md: decision, reasons, obligations and counts are those of `decide`.",
    )
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
