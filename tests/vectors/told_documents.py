"""Cases: rulesets, versions and documents that no honest ledger records (verdicts.md, steps 8.0 to 8.6)."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import b64u, sha
from tests.vectors.log import ORIGIN
from tests.vectors.signing import Ed25519
from tests.vectors.story import (
    FIRST,
    HELPER,
    HOLDER,
    PERMISSIONS,
    RECIPIENT,
    Story,
    chain_text,
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
def _a_ruleset_by_its_number_alone(log: Story) -> None:
    """From 3 on a number alone names nothing."""
    log.operator("ruleset.activated", ruleset=3)
    log.tick().access(FIRST, log.allow(99))


@case("8.0", exit=2)
def _a_ruleset_with_another_catalogue(log: Story) -> None:
    """Grades and masks that nobody published are no ruleset that a reader knows."""
    log.operator("ruleset.activated", ruleset=3, catalogue=b64u(sha(b"another catalogue")), v=2)
    log.tick().access(FIRST, log.allow(99))


@case("8.0", exit=2, at=0)
def _a_log_that_opens_under_a_number_alone(log: Story) -> None:
    """The same at the opening."""
    log.operator("ledger.opened", origin=ORIGIN, ruleset=3)
    log.register(HOLDER, ["holder"], Ed25519("bank"))


@case("8.2", told=ENCODING)
def _an_early_ruleset_with_a_catalogue(log: Story) -> None:
    """Rulesets 1 and 2 have a number alone."""
    log.operator("ruleset.activated", ruleset=2, catalogue=b64u(sha(b"another catalogue")), v=2)


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
