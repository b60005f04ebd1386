"""A world under ruleset 3: the forge's rule book, with what docs/spec/ruleset-3.md adds. It imports nothing of ours."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from tests.verifier.forge import HOLDER, OTHER, PROVIDER, RECIPIENT, Json, World, b64u, chain_of

ROOT = Path(__file__).resolve().parent.parent.parent
AUTHORITY = "authority.example"
CATALOGUE = json.loads((ROOT / "docs/spec/catalogue-3.json").read_text())["permissions"]
ORDER = (
    "PARTICIPANT_SUSPENDED",
    "FROZEN",
    "CONSENT_",
    "REAUTHENTICATION_REQUIRED",
    "RECONFIRMATION_OVERDUE",
    "SEPARATE_CONSENT_MISSING",
    "ASSESSMENT_OVERDUE",
    "PURPOSE_MISMATCH",
    "REGION_NOT_CONSENTED",
    "ACCOUNT_",
    "PERMISSION_MISSING",
    "GRADE_EXCEEDED",
    "WINDOW_EXCEEDED",
    "FREQUENCY_EXCEEDED",
    "RISK_BLOCKED",
)
APPROVED = ["a1", "b2"]


class Supervised(World):
    """`declare` says something in a participant's own chain; `document` is the operator's."""

    def __init__(self, seed: int = 0, ruleset: int = 3) -> None:
        super().__init__(seed, ruleset)
        self.frozen: dict[tuple[str, str], Json] = {}
        self.required: dict[tuple[str, str], Json] = {}
        self.assessed: dict[tuple[str, str], Json] = {}
        self.blocked: dict[tuple[str, str], Json] = {}
        self.alerts: dict[int, Json] = {}
        self.cleared: set[tuple[str, int]] = set()

    def begun(self) -> Supervised:
        """Opened, with a regulator and a provider."""
        self.open()
        self.register(AUTHORITY, ["regulator"])
        self.register(PROVIDER, ["technology-provider"])
        return self

    # --- who says what --------------------------------------------------------------------------------------

    def declare(self, iss: str, act: str, behalf: str | None = None, **members: Any) -> int:
        more = {} if behalf is None else {"on_behalf_of": behalf}
        party = behalf or iss
        self._fold(act, party, members)
        payload = self.payload(iss, act, **members, **more)
        return self.submit(payload, None, kind="participant", name=f"participant:{party}")

    def document(self, kind: str, **members: Any) -> int:
        first = kind.partition(".")[0]
        chain = {"freeze": "supervision", "hold": "supervision", "remit": "supervision", "report": "reports"}.get(
            first, "risk"
        )
        self._fold(kind, "", members)
        if kind == "alert.raised":
            self.alerts[len(self.entries)] = {**members, "time": self.time}
        else:
            members = {"approved_by": APPROVED, **members} if first != "report" else members
        return self.operator({"type": kind, **members}, f"operator:{chain}")

    def _fold(self, act: str, party: str, members: Json) -> None:
        if act in ("freeze.order", "freeze.ordered"):
            if not members["drill"]:
                self.frozen[party, members["freeze_id"]] = members
        elif act in ("freeze.lift", "freeze.lifted"):
            self.frozen.pop((party, members["freeze_id"]), None)
        elif act == "assessment.require":
            self.required[party, members["requirement_id"]] = members
        elif act == "assessment.waive":
            self.required.pop((party, members["requirement_id"]), None)
        elif act == "assessment.record":
            self.assessed[party, members["assessment_id"]] = members
        elif act == "risk.block":
            self.blocked[party, members["rule"]] = members
        elif act == "risk.unblock":
            self.blocked.pop((party, members["rule"]), None)
        elif act == "alert.decide":
            (self.cleared.add if members["decision"] == "cleared" else self.cleared.discard)((party, members["alert"]))
        elif act == "purpose.define":
            self.purposes[members["code"]] = {name: value for name, value in members.items() if name != "code"}

    # Everything below makes one plain statement.

    def freeze(self, iss: str = AUTHORITY, name: str = "f1", **changes: Any) -> int:
        now = self.time // 1000
        plain = {"drill": False, "freeze_id": name, "from": 0, "reason": "case", "scope": {}, "until": now + 600}
        return self.declare(iss, "freeze.order", **{**plain, **changes})

    def lift(self, iss: str = AUTHORITY, name: str = "f1") -> int:
        return self.declare(iss, "freeze.lift", freeze_id=name, reason="over")

    def require(self, name: str = "r1", iss: str = AUTHORITY, **scope: str) -> int:
        return self.declare(iss, "assessment.require", requirement_id=name, reason="law", scope=scope)

    def assess(self, iss: str = HOLDER, name: str = "a1", **changes: Any) -> int:
        plain = {
            "assessment_id": name,
            "document_hash": b64u(bytes(32)),
            "method": "dpia",
            "outcome": "acceptable",
            "next_due": self.time // 1000 + 600,
            "scope": {},
        }
        return self.declare(iss, "assessment.record", **{**plain, **changes})

    def block(self, iss: str = HOLDER, **changes: Any) -> int:
        plain = {"about": "recipient", "level": 500, "rule": "rate", "seconds": 3_600}
        return self.declare(iss, "risk.block", **{**plain, **changes})

    def raise_alert(self, about: str = RECIPIENT, kind: str = "recipient", **changes: Any) -> int:
        plain = {"about": {"id": about, "kind": kind}, "at_index": 1, "features": [60, 2], "rule": "rate", "score": 700}
        return self.document("alert.raised", **{**plain, **changes})

    def decide_alert(self, alert: int, iss: str = HOLDER, decision: str = "cleared") -> int:
        members = {"decision": decision, "officer": "o" * 22, "proposal": "confirmed", "proposal_reasons": []}
        return self.declare(iss, "alert.decide", alert=alert, **members)

    def incident(self, iss: str = HOLDER, name: str = "i1", **changes: Any) -> int:
        now = self.time // 1000
        plain = {
            "affected": {},
            "affected_consents": 3,
            "class": "leak",
            "clocks": [{"due": now + 60, "name": "4h"}],
            "detected_at": now,
            "incident_id": name,
            "severity": 2,
            "text_hash": b64u(bytes(32)),
        }
        return self.declare(iss, "incident.open", **{**plain, **changes})

    def update(self, iss: str = HOLDER, name: str = "i1", **more: Any) -> int:
        members = {"text_hash": b64u(bytes(32)), "told_customers": 1, "told_participants": 1}
        return self.declare(iss, "incident.update", incident_id=name, **members, **more)

    def close(self, iss: str = HOLDER, name: str = "i1") -> int:
        return self.declare(iss, "incident.close", incident_id=name, reason="over", text_hash=b64u(bytes(32)))

    def define(self, code: str = "AIS", iss: str = AUTHORITY, **changes: Any) -> int:
        none = dict.fromkeys(("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"), 0)
        return self.declare(iss, "purpose.define", code=code, **{"permissions": ["ReadBalances"], **none, **changes})

    def feedback(self, consent_id: str, number: str = "n1", subject: str = "s" * 22, **changes: Any) -> int:
        plain = {
            "about": -1,
            "consent_id": consent_id,
            "due": self.time // 1000 + 60,
            "kind": "other",
            "number": number,
        }
        payload = self.payload(HOLDER, "subject.feedback", **{**plain, "subject": subject, **changes})
        return self.submit(payload, None, kind="subject", name=f"subject:{HOLDER}:{subject}")

    def answer(self, number: str = "n1", state: str = "answered", subject: str = "s" * 22) -> int:
        payload = self.payload(HOLDER, "subject.answer", by="holder", number=number, state=state, subject=subject)
        return self.submit(payload, None, kind="subject", name=f"subject:{HOLDER}:{subject}")

    def acknowledge(self, consent_id: str, basis: int, iss: str = RECIPIENT, **changes: Any) -> int:
        payload = self.payload(iss, "consent.acknowledge", consent_id=consent_id, basis=basis)
        return self.submit(payload, {**self._state(consent_id), **changes})

    # --- decisions ------------------------------------------------------------------------------------------

    def status(self, consent_id: str) -> str:
        found, until = super().status(consent_id), self.consents[consent_id].get("once_until", 0)
        over = found in ("ACTIVE", "PAUSED", "SUSPENDED") and until and self.time >= until * 1000
        return "CONSUMED" if over else found

    def authorise(self, consent_id: str, *arguments: Any, **changes: Any) -> int:
        before = self.consents[consent_id]["version"], self.consents[consent_id]["status"]
        index = super().authorise(consent_id, *arguments, **changes)
        state = self.consents[consent_id]
        if state["version"] != before[0] or (state["status"] == "ACTIVE" and before[1] in ("AWAITING", "PARTIAL")):
            state |= {"once_until": 0, "taken": set()}
        return index

    def _units(self, state: Json, item: Json) -> set[tuple[str, str]]:
        named = {CATALOGUE.get(code, {"resource": code}).get("resource", "") for code in item["permissions"]} - {""}
        accounts = item["accounts"] or sorted(self.shared(state)) or [""]
        return {(account, resource) for account in accounts for resource in named or {""}}

    def _period(self, state: Json) -> int:
        terms = state["terms"]
        local = dt.datetime.fromtimestamp(self.time // 1000, dt.UTC) + dt.timedelta(minutes=terms.get("utc_offset", 0))
        days = (local.date() - dt.date(1970, 1, 1)).days
        numbers = {
            "hour": days * 24 + local.hour,
            "day": days,
            "month": 12 * local.year + local.month - 1,
            "year": local.year,
        }
        return numbers[terms.get("frequency_period", "day")]

    def used_before(self, state: Json, item: Json) -> int:
        if self.ruleset < 3:
            return super().used_before(state, item)
        number, known = self._period(state), state.get("units", {})
        counts = [known.get(unit, (number, 0)) for unit in self._units(state, item)]
        return max(count if at == number else 0 for at, count in counts)

    def count(self, state: Json, item: Json) -> None:
        if self.ruleset < 3:
            super().count(state, item)
            return
        number, known = self._period(state), state.setdefault("units", {})
        if not item["customer_present"]:
            for unit in self._units(state, item):
                at, count = known.get(unit, (number, 0))
                known[unit] = (number, count + 1 if at == number else 1)
        if state["terms"]["once"]:
            state["once_until"] = state.get("once_until") or self.time // 1000 + state["terms"].get(
                "once_seconds", 3_600
            )
            state["taken"] = state.get("taken", set()) | self._units(state, item)

    def also(self, state: Json, item: Json, status: str, reasons: list[str]) -> list[str]:
        if self.ruleset < 3:
            return reasons
        terms, now = state["terms"], self.time
        facts = {
            "holder": {terms["holder"]},
            "recipient": {terms["recipient"]},
            "purpose": {terms["purpose"]["code"]},
            "permission": set(item["permissions"]),
            "country": {item.get("region")},
        }

        def matches(scope: Json) -> bool:
            return all(value in facts[name] for name, value in scope.items())

        found = list(reasons)
        if any(
            one["from"] * 1000 <= now < one["until"] * 1000 and matches(one["scope"]) for one in self.frozen.values()
        ):
            found.append("FROZEN")
        mine = [one for (author, _), one in self.assessed.items() if author == terms["holder"]]
        good = [one for one in mine if one["outcome"] != "unacceptable" and one["next_due"] * 1000 > now]
        required = any(matches(one["scope"]) for one in self.required.values())
        if status == "ACTIVE" and required and not any(matches(one["scope"]) for one in good):
            found.append("ASSESSMENT_OVERDUE")
        if "region" in item and item["region"] not in {row["country"] for row in terms.get("destinations", [])}:
            found.append("REGION_NOT_CONSENTED")
        if status == "ACTIVE" and terms["once"] and self._units(state, item) & state.get("taken", set()):
            found.append("CONSENT_CONSUMED")
        if self._blocked(terms, item["consent_id"]):
            found.append("RISK_BLOCKED")
        return sorted(found, key=lambda reason: next(n for n, name in enumerate(ORDER) if reason.startswith(name)))

    def _blocked(self, terms: Json, consent_id: str) -> bool:
        about = {"recipient": terms["recipient"], "consent": b64u(chain_of(consent_id))}
        return any(
            author == terms["holder"]
            and rule == alert["rule"]
            and alert["about"] == {"id": about[block["about"]], "kind": block["about"]}
            and alert["score"] >= block["level"]
            and self.time < alert["time"] + block["seconds"] * 1000
            and (author, index) not in self.cleared
            for (author, rule), block in self.blocked.items()
            for index, alert in self.alerts.items()
        )


__all__ = ["AUTHORITY", "HOLDER", "OTHER", "PROVIDER", "RECIPIENT", "Supervised"]
