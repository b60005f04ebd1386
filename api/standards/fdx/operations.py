"""Consent grants: asked for, authorized anew, revoked from either side, told to both. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from api.office.holders import HolderDesk
from api.office.office import Office, Standing
from api.standards.fdx.answers import grant_of, is_asked_for, revocation_of
from api.standards.fdx.dialect import fdx_refusal
from api.standards.fdx.requests import ConsentGrantRequest, RevocationRequest, read_as, wish_of
from ledger.app import Ledger
from ledger.consent.state import BEFORE, LIVE
from ledger.errors import IllegalTransition, NotFound

BY_CUSTOMER: Final = "customer-request"
BY_RULE: Final = "business-rule"
REVOKED: Final = ("REVOKED", "TERMINATED", "REJECTED")


@dataclass(frozen=True)
class ConsentGrants:
    """The operations at one data provider, for whoever asks: a recipient, or the provider itself."""

    ledger: Ledger
    office: Office
    holder: str
    caller: str
    base_url: str

    def request(self, body: bytes, statement: str | None) -> dict[str, Any]:
        """A new consent grant, which waits for its consumer. Raises DialectRefusal and what the office raises."""
        wish = wish_of(read_as(body, ConsentGrantRequest), self.office.gateway.options(self.holder), self.office.now)
        return self._told(self.office.request(self.caller, self.holder, wish, body, statement=statement))

    def reauthorize(self, consent_id: str, body: bytes, statement: str | None) -> dict[str, Any]:
        """A new authorization for another year (§ 1033.421(b)(3)): a version that waits beside the one in force."""
        wish = wish_of(read_as(body, ConsentGrantRequest), self.office.gateway.options(self.holder), self.office.now)
        before = self._mine(consent_id)
        if before.status not in LIVE:
            raise IllegalTransition("this consent grant has ended: ask for a new one")
        made = self.office.amend(self.caller, self.holder, consent_id, lambda _: wish, body, statement=statement)
        return self._told(made)

    def shown(self, consent_id: str) -> dict[str, Any]:
        """One consent grant."""
        return self._told(self._mine(consent_id))

    def listed(self, after: int, limit: int) -> dict[str, Any]:
        """The recipient's consent grants at this provider, oldest first."""
        page = self.office.consents(self.caller, self.holder, after=after, limit=limit)
        rows = [self._told(self.office.describe(consent)) for _, consent in page]
        return {"consents": rows, "page": {"nextOffset": page[-1][0] if len(page) == limit else None}}

    def revoke(self, consent_id: str, body: bytes, statement: str | None) -> None:
        """The end of a consent grant, from either side; the other side is told (§§ 1033.331(e), 1033.421(h)(2))."""
        asked, before = read_as(body, RevocationRequest), self._mine(consent_id)
        if before.status not in LIVE:
            raise IllegalTransition("this consent grant has ended already")
        by_customer = asked.initiator == "INDIVIDUAL"
        if self.caller == self.holder:
            by, reason = ("customer", BY_CUSTOMER) if by_customer else ("holder", BY_RULE)
            act = "consent.reject" if before.status in BEFORE else "consent.revoke"
            desk = HolderDesk(self.ledger, self.office)
            desk.step(before.consent, act, by=by, reason=reason, statement=statement)
            return
        if asked.initiator == "DATA_PROVIDER":
            raise fdx_refusal(400, "INVALID_INPUT", "a recipient does not revoke for the data provider", "initiator")
        act = "consent.revoke" if by_customer else "consent.terminate"
        act = "consent.reject" if before.status in BEFORE else act
        by, reason = ("customer", BY_CUSTOMER) if by_customer else ("recipient", BY_RULE)
        self.office.step(self.caller, self.holder, consent_id, act, by=by, reason=reason, statement=statement)

    def revocation(self, consent_id: str) -> dict[str, Any]:
        """How a consent grant was revoked. Raises DialectRefusal for one that was not."""
        standing = self._mine(consent_id)
        if standing.status.value not in REVOKED:
            raise fdx_refusal(404, "NOT_FOUND", "this consent grant was not revoked", "consentId")
        return {"revocations": [revocation_of(standing.change)]}

    def _mine(self, consent_id: str) -> Standing:
        consent = self.ledger.records.consent(self.caller, consent_id)
        if consent.terms.holder != self.holder or self.caller not in (consent.terms.holder, consent.terms.recipient):
            raise NotFound("there is no such consent grant", member="consentId")
        return self.office.describe(consent)

    def _told(self, standing: Standing) -> dict[str, Any]:
        told = grant_of(standing, self._name_of)
        if is_asked_for(standing):
            place = self.office.gateway.options(self.holder).approve_at or f"{self.base_url}/my/approve"
            mark = "&" if "?" in place else "?"
            told["approveAt"] = f"{place}{mark}consent={quote(standing.consent_id, safe='')}"
        return told

    def _name_of(self, participant: str) -> str:
        known = self.ledger.registry.participants.get(participant)
        return participant if known is None else known.name
