"""The dashboard: what a customer sees and does through her bank, and what a provider announces. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from api.office.discretion import Discretion
from api.office.holders import HolderDesk
from api.office.office import Office, Standing
from api.office.rights import OBJECTING, Rights
from api.office.subject import rfc3339
from api.standards.psr.answers import is_shown, permission_of
from api.standards.psr.dialect import psr_refusal
from api.standards.psr.requests import AnnouncedPermission, OneCustomer, ShownPart, read_as, wish_of
from ledger.app import Ledger
from ledger.consent.state import BEFORE, LIVE, Consent, Status
from ledger.entries.leaf import subject_chain
from ledger.errors import IllegalTransition, NotPermitted

REASON = "customer-request"


@dataclass(frozen=True)
class Dashboard:
    """The operations at one holder."""

    ledger: Ledger
    office: Office
    rights: Rights
    discretion: Discretion
    holder: str
    base_url: str

    # -- the customer, through her bank -------------------------------------------------------------------------------

    def shown(self, body: bytes) -> dict[str, Any]:
        """Every ongoing permission, and those that ended within two years. Raises DialectRefusal."""
        asked = read_as(body, ShownPart)
        page = self._page(asked, asked.after, asked.limit)
        told = [self.office.describe(one) for _, one in page if self._may_see(asked, one)]
        told = [one for one in told if is_shown(one, self.office.now)]
        if asked.show != "all":
            told = [one for one in told if (one.status in LIVE) == (asked.show == "ongoing")]
        since = self.rights.objections.since(self.holder, asked.customer)
        return {
            "permissions": [self._told(one) for one in told],
            "objection": {"since": rfc3339(since // 1000)} if since else None,
            "next": page[-1][0] if len(page) == asked.limit else None,
        }

    def withdraw(self, consent_id: str, body: bytes, statement: str | None) -> dict[str, Any]:
        """Her withdrawal (art. 43(2)(b)); `statement`: the holder's own signed word. Raises DialectRefusal, NotPermitted."""
        consent = self._hers(consent_id, read_as(body, OneCustomer))
        self._end(consent, REASON, statement)
        return self._told(self._described(consent_id))

    def reestablish(self, consent_id: str, body: bytes, statement: str | None) -> tuple[int, dict[str, Any]]:
        """Sharing again (art. 43(2)(c)): a pause ends at once; what was withdrawn is asked for again, and waits for her yes.

        The status of the answer, and the permission. Raises DialectRefusal, NotPermitted, IllegalTransition.
        """
        asked = read_as(body, OneCustomer)
        consent = self._hers(consent_id, asked)
        if self.rights.objections.since(self.holder, asked.customer):
            raise psr_refusal(409, "OBJECTION", "the customer objects to all sharing: lift the objection first")
        if self._described(consent_id).status is Status.PAUSED:
            self._desk.step(consent, "consent.resume", by="customer", reason=REASON, statement=statement)
            return 200, self._told(self._described(consent_id))
        again = self.office.ask_again(consent)
        place = self.office.gateway.options(self.holder).approve_at or f"{self.base_url}/my/approve"
        mark = "&" if "?" in place else "?"
        link = f"{place}{mark}consent={quote(again.consent_id, safe='')}"
        return 201, {**self._told(again), "takesPlaceOf": consent_id, "approveAt": link}

    def stand(self, body: bytes) -> dict[str, Any]:
        """Her objection to all sharing: everything is withdrawn, and nothing new is agreed to until she lifts it.

        Raises NotPermitted before anything is done where this holder does not let the gateway revoke.
        """
        asked = read_as(body, OneCustomer)
        if not self._desk.may(self.holder, "consent.revoke", "consent.reject"):
            raise NotPermitted("this holder has not delegated consent.revoke and consent.reject to the gateway")
        since = self.rights.objections.stand(self.holder, asked.customer)
        ended, after = [], -1
        while page := self._page(asked, after, 100):
            for _, consent in page:
                if self._may_see(asked, consent) and self.office.describe(consent).status in LIVE:
                    self._end(consent, OBJECTING, None)
                    ended.append(consent.consent_id)
            after = page[-1][0]
        return {"objection": {"since": rfc3339(since // 1000)}, "withdrawn": ended}

    def lift(self, body: bytes) -> dict[str, Any]:
        """She allows requests again; what ended stays ended."""
        self.rights.objections.lift(self.holder, read_as(body, OneCustomer).customer)
        return {"objection": None}

    # -- the provider -------------------------------------------------------------------------------------------------

    def announce(self, recipient: str, body: bytes, statement: str | None) -> dict[str, Any]:
        """A new permission (art. 43(4)(b)): it awaits its customer, and the holder is told at once. Raises DialectRefusal."""
        asked = read_as(body, AnnouncedPermission)
        wish = wish_of(asked, self.office.gateway.options(self.holder), self.office.now)
        return self._told(self.office.request(recipient, self.holder, wish, body, statement=statement))

    def permission(self, viewer: str, consent_id: str) -> dict[str, Any]:
        """One permission, for its provider or its holder. Raises NotFound."""
        consent = self.ledger.records.consent(viewer, consent_id)
        if self.holder != consent.terms.holder or viewer not in (consent.terms.holder, consent.terms.recipient):
            raise psr_refusal(404, "UNKNOWN", "there is no such permission", "permissionId")
        return self._told(self.office.describe(consent))

    # -- inside -------------------------------------------------------------------------------------------------------

    @property
    def _desk(self) -> HolderDesk:
        return HolderDesk(self.ledger, self.office)

    def _page(self, asked: OneCustomer, after: int, limit: int) -> list[tuple[int, Consent]]:
        chain = subject_chain(self.holder, asked.customer)
        return self.ledger.records.consents_of_subject(chain, after=after, limit=limit)

    def _may_see(self, asked: OneCustomer, consent: Consent) -> bool:
        """Not what another person of the relationship keeps to herself."""
        kept = self.discretion.kept_by(self.ledger.records, subject_chain(self.holder, asked.customer))
        return consent.consent_id not in kept or not set(asked.authorisers).isdisjoint(_authorisers(consent))

    def _hers(self, consent_id: str, asked: OneCustomer) -> Consent:
        consent = self.ledger.records.consent(self.holder, consent_id)
        if consent.subject_chain != subject_chain(self.holder, asked.customer) or not self._may_see(asked, consent):
            raise psr_refusal(404, "UNKNOWN", "this customer has no such permission", "permissionId")
        return consent

    def _end(self, consent: Consent, reason: str, statement: str | None) -> None:
        status = self.office.describe(consent).status
        if status not in LIVE:
            raise IllegalTransition("the permission has ended already")
        act = "consent.reject" if status in BEFORE else "consent.revoke"
        self._desk.step(consent, act, by="customer", reason=reason, statement=statement)

    def _described(self, consent_id: str) -> Standing:
        return self.office.describe(self.ledger.records.consent(self.holder, consent_id))

    def _told(self, standing: Standing) -> dict[str, Any]:
        known = self.ledger.registry.participants.get(standing.terms.recipient)
        return permission_of(
            standing,
            known.name if known is not None else standing.terms.recipient,
            self.office.gateway.options(self.holder).tz,
            again=standing.status is Status.PAUSED or self.rights.may_share_again(standing.consent),
        )


def _authorisers(consent: Consent) -> set[str]:
    return {*consent.authorisers, *(consent.pending.authorisers if consent.pending else ())}
