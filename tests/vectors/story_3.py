"""The annotated log of ruleset 3: every act and document that it adds, each outcome written down from docs/spec."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.vectors.hashing import Json, b64u, draw, sha
from tests.vectors.log import ORIGIN, Enough
from tests.vectors.signing import P256, Ed25519, Rsa
from tests.vectors.story import (
    ACCOUNT,
    DAY,
    FIRST,
    HELPER,
    HOLDER,
    PERMISSIONS,
    RECIPIENT,
    SECOND,
    SUBJECT,
    THIRD,
    Story,
    chain_text,
)

REGULATOR: Final = "regulator.example"
OFFICERS: Final = {"approved_by": ["officer-1", "officer-2"]}
WORDS: Final = b64u(sha(b"words that stay with who says them"))
BALANCES: Final = {"accounts": [ACCOUNT], "permissions": ["ReadBalances"]}
ROWS: Final = {"accounts": [ACCOUNT], "permissions": ["ReadTransactionsDetail"]}
DETAIL: Final = {"accounts": [ACCOUNT], "permissions": ["ReadAccountsDetail"]}
BOUNDS: Final = {"max_days": 0, "max_frequency_per_day": 10, "max_history_days": 0, "max_retention_days": 180}
MIDNIGHT: Final = 1_790_035_200
"""The first midnight (UTC, seconds) after the log begins."""
PUBLISHED: Final = json.loads((Path(__file__).parents[2] / "docs/spec/catalogue-3.json").read_text())
CATALOGUE_3: Final = b64u(
    sha(b"consent-ledger/v1/catalogue\0" + json.dumps(PUBLISHED, sort_keys=True, separators=(",", ":")).encode())
)
CSV: Final = b"measure,value\nconsents_requested,1\n"


class Story3(Story):
    """`marks`: how many entries there are where a case begins."""

    def __init__(self, until: int | None = None) -> None:
        super().__init__(3, until)
        self.marks: dict[str, int] = {}

    @property
    def now(self) -> int:
        return self.time // 1000

    def mark(self, name: str) -> None:
        self.marks[name] = len(self.entries)

    def authorisation(self, consent: str, **changes: Any) -> Json:
        separate = [
            {"given_at": self.now, "kind": kind, "text_hash": b64u(sha(kind.encode()))}
            for kind in self.terms_of[consent]["separate_consents"]
        ]
        return super().authorisation(consent, **{"separate_consents": separate, **changes})

    # --- what a participant declares ------------------------------------------------------------------------------

    def freeze(self, iss: str = REGULATOR, **changes: Any) -> int:
        members = {
            "drill": False,
            "freeze_id": "freeze-1",
            "from": 0,
            "reason": "scraping",
            "scope": {"recipient": RECIPIENT},
            "until": self.now + 86_400,
        }
        return self.say(iss, "freeze.order", **{**members, **changes})

    def lift(self, iss: str = REGULATOR, **changes: Any) -> int:
        return self.say(iss, "freeze.lift", **{"freeze_id": "freeze-1", "reason": "over", **changes})

    def require(self, **changes: Any) -> int:
        members = {"requirement_id": "pipl-55", "reason": "rule", "scope": {"recipient": RECIPIENT}}
        return self.say(REGULATOR, "assessment.require", **{**members, **changes})

    def assess(self, iss: str = HOLDER, **changes: Any) -> int:
        members = {
            "assessment_id": "assessment-1",
            "document_hash": WORDS,
            "method": "pia",
            "next_due": self.now + 86_400,
            "scope": {"purpose": "AIS"},
        }
        also = {"outcome": changes.pop("outcome", "acceptable-with-measures")}
        return self.say(iss, "assessment.record", also=also, **{**members, **changes})

    def block(self, **changes: Any) -> int:
        members = {"about": "consent", "level": 500, "rule": "woken", "seconds": 86_400}
        return self.say(HOLDER, "risk.block", **{**members, **changes})

    def decide(self, alert: int, **changes: Any) -> int:
        members = {
            "alert": alert,
            "decision": "cleared",
            "officer": b64u(draw("officer", 18)),
            "proposal": "confirmed",
            "proposal_reasons": ["long-unused"],
        }
        return self.say(HOLDER, "alert.decide", **{**members, **changes})

    def incident(self, **changes: Any) -> int:
        members = {
            "affected": {"holder": HOLDER},
            "affected_consents": 1,
            "class": "leak",
            "detected_at": self.now,
            "clocks": [{"due": self.now + 14_400, "name": "4h"}, {"due": self.now + 86_400, "name": "24h"}],
            "incident_id": "incident-1",
            "severity": 2,
            "text_hash": WORDS,
        }
        return self.say(HOLDER, "incident.open", **{**members, **changes})

    def incident_goes_on(self, iss: str = HOLDER, **changes: Any) -> int:
        members = {"incident_id": "incident-1", "text_hash": WORDS, "told_customers": 1, "told_participants": 1}
        return self.say(iss, "incident.update", **{**members, **changes})

    def close(self, **changes: Any) -> int:
        return self.say(
            HOLDER, "incident.close", **{"incident_id": "incident-1", "reason": "mended", "text_hash": WORDS, **changes}
        )

    def define(self, iss: str = REGULATOR, **changes: Any) -> int:
        return self.say(iss, "purpose.define", **{"code": "AIS", "permissions": PERMISSIONS, **BOUNDS, **changes})

    def feedback(self, consent: str, **changes: Any) -> int:
        members = {
            "about": -1,
            "consent_id": consent,
            "due": self.now + 86_400,
            "kind": "unexpected",
            "number": "number-1",
            "subject": SUBJECT,
            "text_hash": WORDS,
        }
        return self.say(HOLDER, "subject.feedback", **{**members, **changes})

    def answer(self, state: str, **changes: Any) -> int:
        members = {"by": "holder", "number": "number-1", "state": state, "subject": SUBJECT}
        return self.say(HOLDER, "subject.answer", **{**members, **changes})

    def acknowledge(self, consent: str, basis: int, status: str, **changes: Any) -> int:
        members = {"consent_id": consent, "basis": basis}
        return self.say(RECIPIENT, "consent.acknowledge", self.state(status), **{**members, **changes})

    # --- what the operator orders ------------------------------------------------------------------------------------

    def ordered(self, **changes: Any) -> int:
        members = {
            "drill": False,
            "freeze_id": "freeze-1",
            "from": self.now,
            "reason": "court",
            "scope": {"purpose": "AIS"},
            "until": self.now + 86_400,
            **OFFICERS,
        }
        return self.operator("freeze.ordered", **{**members, **changes})

    def hold(self, **changes: Any) -> int:
        members = {"hold": "hold-1", "chains": [chain_text(SECOND)], "basis": "court", "until": 0, **OFFICERS}
        return self.operator("hold.placed", **{**members, **changes})

    def alert(self, at_index: int, **changes: Any) -> int:
        members = {
            "about": {"id": chain_text(FIRST), "kind": "consent"},
            "at_index": at_index,
            "features": [60],
            "rule": "woken",
            "score": 600,
        }
        return self.operator("alert.raised", **{**members, **changes})


def ruleset_3(until: int | None = None) -> Story3:
    """The log of `bundles/ruleset-3`, or its first `until` entries."""
    return _told(until).copy()


@cache
def _told(until: int | None) -> Story3:
    log = Story3(until)
    with suppress(Enough):
        _tell(log)
    return log


def _tell(log: Story3) -> None:
    log.operator("ledger.opened", v=2, origin=ORIGIN, ruleset=3, catalogue=CATALOGUE_3)
    log.register(HOLDER, ["holder"], Ed25519("bank"))
    log.register(RECIPIENT, ["recipient"], P256("app"))
    log.register(HELPER, ["technology-provider"], Rsa("helper"))
    log.register(REGULATOR, ["regulator"], Ed25519("regulator"))
    log.operator("delegation.granted", participant=HOLDER, delegate=HELPER, acts=["assessment.record"])
    log.tick().define()
    report = {"report": "requests", "period": "day", "utc_offset": 0, "by": [], "suppress": 0}
    log.operator("report.defined", **report, measures=["consents_requested"])
    log.tick().request(
        FIRST,
        destinations=[{"country": "SG", "mechanism": "standard-contract"}],
        frequency_per_day=2,
        frequency_period="day",
        separate_consents=["cross-border", "provision", "sensitive"],
    )
    basis = log.tick().authorise(FIRST)
    log.companion(FIRST)
    log.mark("active")
    # The unit of an access: two a day of each account and resource.
    first = log.tick().access(FIRST, log.allow(basis), interaction_id="interaction-1", **BALANCES)
    log.tick().access(FIRST, log.allow(basis), **ROWS)
    log.tick().access(FIRST, log.allow(basis, used=1), **BALANCES)
    log.mark("used")
    log.tick().access(FIRST, log.deny(basis, "FREQUENCY_EXCEEDED", used=2), **BALANCES)
    log.tick().access(FIRST, log.deny(basis, "FREQUENCY_EXCEEDED", used=2), permissions=["ReadBalances"])
    log.tick().access(FIRST, log.allow(basis, used=2), customer_present=True, **BALANCES)
    log.leg("access.release", FIRST, first, masks=log.allow(basis)["obligations"]["masks"])
    log.leg("access.receive", FIRST, first)
    # Borders.
    log.tick().access(FIRST, log.allow(basis), region="SG", **DETAIL)
    log.tick().access(FIRST, log.deny(basis, "REGION_NOT_CONSENTED", used=1), region="US", **DETAIL)
    # Freezes.
    log.tick().freeze()
    log.mark("frozen")
    present: dict[str, Any] = {"customer_present": True, **BALANCES}
    log.tick().access(FIRST, log.deny(basis, "FROZEN", used=2), **present)
    log.tick().lift()
    log.freeze(RECIPIENT, freeze_id="drill-1", drill=True)
    log.tick().access(FIRST, log.allow(basis, used=2), **present)
    log.tick().ordered()
    log.access(FIRST, log.deny(basis, "FROZEN", used=2), **present)
    log.tick().operator("freeze.lifted", freeze_id="freeze-1", reason="over", **OFFICERS)
    # Assessments.
    log.tick().require()
    log.mark("required")
    log.tick().access(FIRST, log.deny(basis, "ASSESSMENT_OVERDUE", used=2), **present)
    log.tick().assess(HELPER, on_behalf_of=HOLDER)
    log.mark("assessed")
    log.tick().access(FIRST, log.allow(basis, used=2), **present)
    log.tick().say(REGULATOR, "assessment.waive", requirement_id="pipl-55", reason="met")
    # Incidents.
    log.tick().incident()
    log.mark("incident")
    log.tick().incident_goes_on(clock="4h")
    log.tick().close()
    log.head()
    # Alerts, and what a holder lets them do.
    log.tick().operator("scoring.activated", scoring=1, **OFFICERS)
    model = {"model": "forest-1", "hash": WORDS, "card_hash": WORDS, "from_index": 0, "to_index": 0}
    log.operator("model.activated", **model, **OFFICERS)
    log.tick().access(FIRST, log.allow(basis, used=1), **ROWS)
    log.mark("before-waking")
    woken = log.tick(60 * DAY).access(FIRST, log.allow(basis), **BALANCES)
    log.mark("woken")
    alert = log.tick().alert(woken)
    log.mark("alerted")
    log.tick().block()
    log.mark("blocked")
    log.tick().access(FIRST, log.deny(basis, "RISK_BLOCKED", used=1), **BALANCES)
    log.tick().decide(alert)
    log.tick().access(FIRST, log.allow(basis, used=1), **BALANCES)
    log.tick().say(HOLDER, "risk.unblock", rule="woken", reason="calm")
    log.tick().operator("scoring.activated", scoring=0, **OFFICERS)
    period = {"from": MIDNIGHT - 86_400, "to": MIDNIGHT}
    figures = {"to_index": len(log.entries) - 1, "rows": 1, "csv_hash": b64u(sha(CSV))}
    log.operator("report.issued", report="requests", **period, **figures)
    # A one-off consent: every unit once, within ten minutes.
    log.tick().request(SECOND, frequency_per_day=10, frequency_period="month", once=True, once_seconds=600)
    once = log.tick().authorise(SECOND)
    log.companion(SECOND)
    log.mark("once")
    log.tick().access(SECOND, log.allow(once), **BALANCES)
    log.mark("taken")
    log.tick().access(SECOND, log.deny(once, "CONSENT_CONSUMED", used=1), **present)
    log.tick().access(SECOND, log.allow(once), **ROWS)
    log.tick(600_000).access(SECOND, log.deny(once, "CONSENT_CONSUMED"), **DETAIL)
    # What the customer says, and what the recipient has taken note of.
    log.tick().feedback(SECOND, about=once)
    log.mark("feedback")
    log.tick().answer("answered", text_hash=WORDS)
    log.tick().answer("closed")
    log.mark("closed")
    end = log.tick().step(HOLDER, "consent.revoke", FIRST, log.state("REVOKED"))
    log.mark("ended")
    log.tick().acknowledge(FIRST, end, "REVOKED")
    log.head()
    # Holds.
    log.tick().request(THIRD, frequency_per_day=10)
    log.tick().hold(hold="hold-2", chains=[chain_text(THIRD)])
    log.hold()
    log.mark("held")
    log.tick().operator("hold.lifted", hold="hold-2", reason="over", **OFFICERS)
    log.tick().operator("erasure", chains=[chain_text(THIRD)], basis="request", **OFFICERS)
    # What a regulator is there for.
    log.tick().operator("remit.granted", regulator=REGULATOR, to="holder", names=[HOLDER], **OFFICERS)
    log.operator("remit.granted", regulator=REGULATOR, to="recipient", names=[RECIPIENT], **OFFICERS)
    log.freeze(freeze_id="freeze-2", drill=True, scope={"holder": HOLDER, "recipient": RECIPIENT})
    log.tick().operator("remit.ended", regulator=REGULATOR, **OFFICERS)
    log.head()


MARKS: Final = _told(None).marks
"""How many entries there are where a case begins, by name."""
