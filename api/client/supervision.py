"""What supervisors, holders and recipients declare: freezes, assessments, blocks, incidents (docs/supervision.md)."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal

from api.client.client import LedgerClient
from api.client.receipts import VerifiedReceipt
from ledger.canonical import b64u

USUAL_CLOCKS: Final[Mapping[str, int]] = {"initial": 4 * 3_600, "intermediate": 24 * 3_600, "authority": 72 * 3_600}
"""What is due after an incident was detected, unless one says otherwise: seconds by name."""
Decision = Literal["cleared", "confirmed", "escalated"]


@dataclass(frozen=True, slots=True)
class KeptText:
    """Words and the key under which the log holds a hash of them. Keep both: without the key the hash shows nothing, and when
    both are erased nothing can be guessed from the log."""

    text: str
    key: bytes

    @classmethod
    def of(cls, text: str) -> KeptText:
        """Words under a fresh key."""
        return cls(text, os.urandom(32))

    @property
    def hash(self) -> str:
        """`text_hash`: HMAC-SHA256 of the words, b64u."""
        return b64u(hmac.digest(self.key, self.text.encode(), "sha256"))


class SupervisionClient:
    """Declarations of a client's participant. Times are seconds; a scope has any of `country`, `holder`, `permission`,
    `purpose`, `recipient`. Every method raises what LedgerClient raises, and BadStatement before anything is signed."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client

    async def freeze(
        self, freeze_id: str, scope: Mapping[str, str], *, until: int, reason: str, from_: int = 0, drill: bool = False
    ) -> VerifiedReceipt:
        """Deny accesses in a scope from the next entry on, until a time at most ninety days ahead; a drill denies none."""
        members = {
            "freeze_id": freeze_id,
            "scope": scope,
            "from": from_,
            "until": until,
            "reason": reason,
            "drill": drill,
        }
        return await self._say("freeze.order", "/freezes", **members)

    async def lift(self, freeze_id: str, *, reason: str) -> VerifiedReceipt:
        """End a freeze that this participant has ordered."""
        return await self._say("freeze.lift", "/freezes/lift", freeze_id=freeze_id, reason=reason)

    async def require_assessment(
        self, requirement_id: str, scope: Mapping[str, str], *, reason: str
    ) -> VerifiedReceipt:
        """As regulator: accesses in a scope need an impact assessment of the holder that is in force."""
        return await self._say(
            "assessment.require", "/assessments/require", requirement_id=requirement_id, scope=scope, reason=reason
        )

    async def waive_assessment(self, requirement_id: str, *, reason: str) -> VerifiedReceipt:
        """As the regulator that required them: no longer."""
        return await self._say("assessment.waive", "/assessments/waive", requirement_id=requirement_id, reason=reason)

    async def record_assessment(
        self,
        assessment_id: str,
        scope: Mapping[str, str],
        *,
        document_hash: str,
        outcome: Literal["acceptable", "acceptable-with-measures", "unacceptable"],
        method: str,
        next_due: int,
    ) -> VerifiedReceipt:
        """As holder: an assessment was made; `document_hash` is the SHA-256 (b64u) of the document, which stays with it."""
        return await self._say(
            "assessment.record",
            "/assessments",
            assessment_id=assessment_id,
            scope=scope,
            outcome=outcome,
            method=method,
            document_hash=document_hash,
            next_due=next_due,
        )

    async def block(
        self, rule: str, *, about: Literal["consent", "recipient"], level: int, seconds: int
    ) -> VerifiedReceipt:
        """As holder: alerts of this rule with at least this score (0–1,000) deny accesses for so many seconds."""
        return await self._say("risk.block", "/blocks", rule=rule, about=about, level=level, seconds=seconds)

    async def unblock(self, rule: str, *, reason: str) -> VerifiedReceipt:
        """As holder: alerts of this rule deny nothing any more."""
        return await self._say("risk.unblock", "/blocks/end", rule=rule, reason=reason)

    async def decide(
        self,
        alert: int,
        decision: Decision,
        *,
        officer: str,
        proposal: Decision,
        proposal_reasons: Iterable[str] = (),
        comment: KeptText | None = None,
    ) -> VerifiedReceipt:
        """What a person decided about the alert at this entry, beside what was proposed. `officer` is a reference, no name."""
        return await self._say(
            "alert.decide",
            "/alerts/decide",
            alert=alert,
            decision=decision,
            officer=officer,
            proposal=proposal,
            proposal_reasons=sorted(set(proposal_reasons)),
            comment_hash=None if comment is None else comment.hash,
        )

    async def open_incident(
        self,
        incident_id: str,
        scope: Mapping[str, str],
        *,
        kind: str,
        severity: int,
        detected_at: int,
        affected_consents: int,
        text: KeptText,
        clocks: Mapping[str, int] = USUAL_CLOCKS,
    ) -> VerifiedReceipt:
        """Report an incident. `clocks`: what is due so many seconds after it was detected."""
        due = sorted(({"due": detected_at + seconds, "name": name} for name, seconds in clocks.items()), key=_due)
        return await self._say(
            "incident.open",
            "/incidents",
            incident_id=incident_id,
            affected=scope,
            severity=severity,
            clocks=due,
            affected_consents=affected_consents,
            detected_at=detected_at,
            text_hash=text.hash,
            **{"class": kind},
        )

    async def update_incident(
        self, incident_id: str, *, text: KeptText, told_customers: int, told_participants: int, clock: str | None = None
    ) -> VerifiedReceipt:
        """Say how it goes on; `clock` names what is hereby delivered."""
        return await self._say(
            "incident.update",
            "/incidents/update",
            incident_id=incident_id,
            text_hash=text.hash,
            clock=clock,
            told_customers=told_customers,
            told_participants=told_participants,
        )

    async def close_incident(self, incident_id: str, *, text: KeptText, reason: str) -> VerifiedReceipt:
        """Put its end on record."""
        return await self._say(
            "incident.close", "/incidents/close", incident_id=incident_id, text_hash=text.hash, reason=reason
        )

    async def hand_over(
        self, handover_id: str, to: str, *, disclosure: int, pack: bytes, basis: str, scope: Mapping[str, str]
    ) -> VerifiedReceipt:
        """As the regulator that evidence was opened to by the entry `disclosure`: its file `pack` goes to another regulator."""
        return await self._say(
            "case.hand_over",
            "/cases",
            handover_id=handover_id,
            to=to,
            disclosure=disclosure,
            pack_hash=b64u(sha256(pack).digest()),
            basis=basis,
            scope=scope,
        )

    async def receive(self, handover: int, pack: bytes) -> VerifiedReceipt:
        """As the other regulator: sign for the file of the hand-over at this entry."""
        return await self._say(
            "case.receive", "/cases/receive", handover=handover, pack_hash=b64u(sha256(pack).digest())
        )

    async def define_purpose(self, code: str, permissions: Sequence[str], **limits: int) -> VerifiedReceipt:
        """As regulator: what may be asked for under a purpose. `limits`: `max_days`, `max_frequency_per_day`,
        `max_history_days`, `max_retention_days`; one that is not given is 0, none."""
        none = dict.fromkeys(("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"), 0)
        members = {**none, **limits, "code": code, "permissions": sorted(set(permissions))}
        return await self._say("purpose.define", "/purposes", **members)

    async def _say(self, act: str, path: str, **members: Any) -> VerifiedReceipt:
        question = await self._client.statements.sign(act, **members)
        return (await self._client.ask(f"/supervision{path}", question))[0]


def _due(clock: Mapping[str, object]) -> tuple[object, object]:
    return clock["due"], clock["name"]
