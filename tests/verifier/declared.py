"""Each declaration, feedback and document of ruleset 3 in one plain form, from the specification alone."""

from __future__ import annotations

from typing import Any

from tests.verifier.forge import HOLDER, RECIPIENT, b64u
from tests.verifier.states import SECONDS

REF, HASH = "r" * 22, b64u(bytes(32))
CONSENT_ID = "urn:a:" + "c" * 20
APPROVED = {"approved_by": ["a1", "b2"]}
FREEZE = {"freeze_id": "f1", "from": 0, "until": SECONDS + 100, "reason": "case", "scope": {}, "drill": False}
PURPOSE = {
    "code": "AIS",
    "permissions": ["ReadBalances"],
    "max_days": 0,
    "max_frequency_per_day": 0,
    "max_history_days": 0,
    "max_retention_days": 0,
}
LINE = {"free": 0, "tiers": [{"from": 0, "price": 1_000}]}
DECLARED: dict[str, dict[str, Any]] = {
    "freeze.order": FREEZE,
    "freeze.lift": {"freeze_id": "f1", "reason": "over"},
    "assessment.require": {"requirement_id": "r1", "reason": "law", "scope": {}},
    "assessment.waive": {"requirement_id": "r1", "reason": "law"},
    "assessment.record": {"assessment_id": "a1", "document_hash": HASH, "method": "dpia", "next_due": SECONDS + 100,
                          "outcome": "acceptable", "scope": {}},
    "risk.block": {"about": "recipient", "level": 500, "rule": "rate", "seconds": 3_600},
    "risk.unblock": {"reason": "over", "rule": "rate"},
    "alert.decide": {"alert": 9, "decision": "cleared", "officer": REF, "proposal": "confirmed", "proposal_reasons": []},
    "incident.open": {"affected": {}, "affected_consents": 3, "class": "leak", "clocks": [{"due": SECONDS, "name": "4h"}],
                      "detected_at": SECONDS, "incident_id": "i1", "severity": 2, "text_hash": HASH},
    "incident.update": {"incident_id": "i1", "text_hash": HASH, "told_customers": 3, "told_participants": 1},
    "incident.close": {"incident_id": "i1", "reason": "over", "text_hash": HASH},
    "purpose.define": PURPOSE,
    "case.hand_over": {"basis": "gdpr-61", "disclosure": 9, "handover_id": "h1", "pack_hash": HASH, "scope": {},
                       "to": RECIPIENT},
    "case.receive": {"handover": 9, "pack_hash": HASH},
    "attestation.give": {"attestation": "licence", "document_hash": HASH, "issuer": "The authority", "kind": "licence",
                         "valid_until": SECONDS + 100},
    "attestation.withdraw": {"attestation": "licence", "reason": "over"},
    "map.publish": {"fields": 12, "map": "accounts-api", "map_hash": HASH, "map_version": 1},
    "tariff.offer": {"currency": "EUR", "from": 0, "lines": [LINE], "recipient": RECIPIENT, "tariff": "basic",
                     "utc_offset": 480},
    "tariff.accept": {"offer": 9},
    "tariff.end": {"from": SECONDS + 1, "offer": 9, "reason": "over"},
    "usage.state": {"amounts": [{"amount": 1, "count": 2}], "count": 2, "from": 0, "left_out": [], "offer": 9,
                    "recipient": RECIPIENT, "replaces": -1, "root": HASH, "to": 1, "to_index": 3, "total": 1},
    "usage.answer": {"answer": "agreed", "disputed": [], "statement": 11},
}  # fmt: skip
SAID = {
    "consent.acknowledge": {"consent_id": CONSENT_ID, "basis": 7},
    "subject.feedback": {
        "about": -1,
        "consent_id": CONSENT_ID,
        "due": SECONDS + 100,
        "kind": "other",
        "number": "n1",
        "subject": REF,
    },
    "subject.answer": {"by": "holder", "number": "n1", "state": "received", "subject": REF},
}
ALERT = {
    "about": {"id": RECIPIENT, "kind": "recipient"},
    "at_index": 3,
    "features": [60, 2],
    "rule": "rate",
    "score": 700,
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "freeze.ordered": FREEZE | APPROVED,
    "freeze.lifted": {"freeze_id": "f1", "reason": "over"} | APPROVED,
    "hold.placed": {"hold": "h1", "chains": [HASH], "basis": "court", "until": 0} | APPROVED,
    "hold.lifted": {"hold": "h1", "reason": "over"} | APPROVED,
    "remit.granted": {"names": [HOLDER], "regulator": "authority.example", "to": "holder"} | APPROVED,
    "remit.ended": {"regulator": "authority.example"} | APPROVED,
    "scoring.activated": {"scoring": 1} | APPROVED,
    "model.activated": {"model": "m1", "hash": HASH, "card_hash": HASH, "from_index": 0, "to_index": 0} | APPROVED,
    "alert.raised": ALERT,
    "report.defined": {
        "report": "monthly",
        "period": "month",
        "utc_offset": 0,
        "by": ["holder"],
        "measures": ["consents_ended"],
        "suppress": 5,
    },
    "report.issued": {
        "report": "monthly",
        "from": 1_788_220_800,
        "to": 1_790_812_800,
        "to_index": 29,
        "rows": 0,
        "csv_hash": HASH,
    },
    "attestation.approved": {"participant": RECIPIENT, "attestation": 9} | APPROVED,
    "conformance.certified": {
        "participant": RECIPIENT,
        "suite": "partner",
        "suite_version": "1.0",
        "passed": 38,
        "total": 40,
        "log_hash": HASH,
    }
    | APPROVED,
}
DECLARERS = {HOLDER: "holder", RECIPIENT: "recipient", "authority.example": "regulator"}
