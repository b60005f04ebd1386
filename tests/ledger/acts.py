"""Each act of a participant with the members it takes, as payloads."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.entries.statement import parse_payload
from ledger.errors import BadStatement
from tests.clocks import NOW
from tests.histories import BEFORE, Told, row, sheet
from tests.ledger import acts_of_partners
from tests.world import BANK, FINTECH, item, new_consent_id, payload, reference, terms

REGULATOR = "regulator-r"
SCA = {"acr": "loa3", "amr": ["otp"], "at": NOW // 1000}
PASSKEY = {
    "subject": reference(),
    "credential_id": b64u(os.urandom(16)),
    "public_key": b64u(os.urandom(77)),
    "rp_id": "bank.example",
    "sca": SCA,
}
LEG = {
    "consent_id": new_consent_id(),
    "interaction_id": "interaction-1",
    "basis": 5,
    "rows": 3,
    "bytes": 900,
    "digest": b64u(bytes(32)),
}
STEP = {"consent_id": new_consent_id(), "reason": "as-asked", "by": "customer"}
OLD = sheet(reference("alice"), [row("consent", consent="c-1", until=BEFORE)], 0)
MEMBERS: dict[str, tuple[str, dict[str, Any]]] = {
    **acts_of_partners.MEMBERS,
    "consent.request": (FINTECH, {"consent_id": new_consent_id(), "terms": terms()}),
    "consent.authorise": (
        BANK,
        {
            "consent_id": new_consent_id(), "version": 1, "terms_hash": b64u(bytes(32)), "accounts": [reference()],
            "authoriser": reference(), "subject": reference(), "sca": SCA,
        },
    ),
    "consent.amend": (FINTECH, {"consent_id": new_consent_id(), "previous_version": 1, "terms": terms()}),
    "access.request": (FINTECH, item(new_consent_id())),
    "access.batch": (FINTECH, {"items_count": 1, "items_root": b64u(bytes(32))}),
    "access.release": (BANK, LEG),
    "access.receive": (FINTECH, LEG),
    "subject.consent": (BANK, {"consent_id": new_consent_id(), "subject": reference()}),
    "subject.enrol": (BANK, PASSKEY),
    "subject.unenrol": (BANK, {name: PASSKEY[name] for name in ("subject", "credential_id")} | {"reason": "lost"}),
    **{
        f"consent.{step}": (BANK, STEP)
        for step in ("pause", "reject", "resume", "revoke", "suspend", "terminate")
    },
    "consent.withdraw_accounts": (BANK, STEP | {"accounts": [reference()]}),
    "consent.withdraw_approval": (BANK, STEP | {"authoriser": reference()}),
    "consent.withdraw_separate": (BANK, STEP | {"separate": "sensitive"}),
    "consent.reauthenticate": (BANK, {"consent_id": new_consent_id(), "sca": SCA}),
    "consent.reconfirm": (FINTECH, STEP),
    "consent.supersede": (BANK, STEP | {"superseded_by": new_consent_id()}),
    "consent.acknowledge": (FINTECH, {"consent_id": new_consent_id(), "basis": 7}),
    "freeze.order": (
        REGULATOR,
        {
            "freeze_id": "f-1", "scope": {"recipient": FINTECH}, "from": 0, "until": NOW // 1000 + 60,
            "reason": "scraping", "drill": False,
        },
    ),
    "freeze.lift": (REGULATOR, {"freeze_id": "f-1", "reason": "over"}),
    "assessment.require": (REGULATOR, {"requirement_id": "r-1", "scope": {"country": "SG"}, "reason": "pipl-55"}),
    "assessment.waive": (REGULATOR, {"requirement_id": "r-1", "reason": "met"}),
    "assessment.record": (
        BANK,
        {
            "assessment_id": "a-1", "document_hash": b64u(bytes(32)), "method": "pia", "next_due": NOW // 1000 + 60,
            "outcome": "acceptable", "scope": {"purpose": "budgeting"},
        },
    ),
    "risk.block": (BANK, {"about": "recipient", "level": 500, "rule": "rate", "seconds": 3_600}),
    "risk.unblock": (BANK, {"rule": "rate", "reason": "calm"}),
    "alert.decide": (
        BANK,
        {
            "alert": 3, "decision": "cleared", "officer": reference(), "proposal": "confirmed",
            "proposal_reasons": ["many", "night"],
        },
    ),
    "incident.open": (
        BANK,
        {
            "affected": {"holder": BANK}, "affected_consents": 3, "class": "leak", "detected_at": NOW // 1000,
            "clocks": [{"due": 10, "name": "z"}, {"due": 10, "name": "a"}], "incident_id": "i-1", "severity": 2,
            "text_hash": b64u(bytes(32)),
        },
    ),
    "incident.update": (
        BANK, {"incident_id": "i-1", "text_hash": b64u(bytes(32)), "told_customers": 3, "told_participants": 1},
    ),
    "incident.close": (BANK, {"incident_id": "i-1", "text_hash": b64u(bytes(32)), "reason": "mended"}),
    "purpose.define": (
        REGULATOR,
        {
            "code": "budgeting", "permissions": ["ReadBalances"], "max_days": 1, "max_frequency_per_day": 4,
            "max_history_days": 0, "max_retention_days": 0,
        },
    ),
    "history.attest": (BANK, Told(OLD).attest),
    "history.sheet": (BANK, Told(OLD).of(0, 7)),
    "history.withdraw": (BANK, {"history": "before-2020", "reason": "wrong-columns"}),
    "case.hand_over": (
        REGULATOR,
        {
            "basis": "gdpr-61", "disclosure": 3, "handover_id": "h-1", "pack_hash": b64u(bytes(32)), "scope": {"holder": BANK},
            "to": "other-authority",
        },
    ),
    "case.receive": (REGULATOR, {"handover": 4, "pack_hash": b64u(bytes(32))}),
    "subject.feedback": (
        BANK,
        {
            "subject": reference(), "consent_id": new_consent_id(), "about": -1, "kind": "after-stop", "number": "n-1",
            "due": NOW // 1000 + 60,
        },
    ),
    "subject.answer": (BANK, {"subject": reference(), "number": "n-1", "by": "recipient", "state": "closed"}),
}  # fmt: skip


def made(act: str, **changes: Any) -> bytes:
    iss, members = MEMBERS[act]
    return payload(act, iss, NOW, **{**members, **changes})


def refused(act: str, **changes: Any) -> None:
    with pytest.raises(BadStatement):
        parse_payload(made(act, **changes))
