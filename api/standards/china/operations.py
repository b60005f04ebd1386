"""China's operations on the ledger. Blocking; seconds throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from api.office.office import Office, Standing
from api.standards.china.answers import catalogue, consent_of, succeeded
from api.standards.china.codes import china_refusal
from api.standards.china.requests import (
    Applied,
    Catalogued,
    Listed,
    Named,
    Withdrawn,
    read_request,
    wish_of,
)
from ledger.consent.state import BEFORE, IN_FORCE

REASON: Final = {"customer": "customer-request", "recipient": "no-longer-needed"}


@dataclass(frozen=True)
class China:
    """The operations, for one app at one bank."""

    office: Office
    recipient: str
    holder: str
    base_url: str

    def apply(self, body: bytes, statement: str | None) -> dict[str, Any]:
        """Ask for a consent. Raises DialectRefusal and what the office raises."""
        asked = read_request(body, Applied)
        wish = wish_of(asked, now=self._now)
        made = self.office.request(self.recipient, self.holder, wish, body, statement=statement)
        return succeeded(asked.request_no, self._now, self._told(made))

    def query(self, body: bytes, _: str | None) -> dict[str, Any]:
        """One consent as it stands."""
        asked = read_request(body, Named)
        return succeeded(asked.request_no, self._now, self._told(self._standing(asked.consent_id)))

    def withdraw(self, body: bytes, statement: str | None) -> dict[str, Any]:
        """End a consent: before the customer has agreed it is rejected, afterwards it is revoked, or closed by the app."""
        asked = read_request(body, Withdrawn)
        before = self._standing(asked.consent_id)
        if before.status not in (*BEFORE, *IN_FORCE):
            raise china_refusal(409, "300002", "授权已经结束", member="consent_id")
        act = "consent.revoke" if asked.by == "customer" else "consent.terminate"
        act = "consent.reject" if before.status in BEFORE else act
        ended = self.office.step(
            self.recipient,
            self.holder,
            asked.consent_id,
            act,
            by=asked.by,
            reason=REASON[asked.by],
            statement=statement,
        )
        return succeeded(asked.request_no, self._now, self._told(ended))

    def listed(self, body: bytes, _: str | None) -> dict[str, Any]:
        """A page of the app's consents, oldest first; `next` is empty on the last."""
        asked = read_request(body, Listed)
        found = self.office.consents(self.recipient, self.holder, after=asked.after, limit=asked.limit)
        rows = [self._told(self.office.describe(consent)) for _, consent in found]
        last = found[-1][0] if len(found) == asked.limit else None
        return succeeded(asked.request_no, self._now, {"consents": rows, "next": last})

    def catalogued(self, body: bytes, _: str | None) -> dict[str, Any]:
        """What can be asked for."""
        asked = read_request(body, Catalogued)
        return succeeded(asked.request_no, self._now, {"data_items": catalogue()})

    @property
    def _now(self) -> int:
        return self.office.now // 1000

    def _standing(self, consent_id: str) -> Standing:
        return self.office.standing(self.recipient, self.holder, consent_id)

    def _told(self, standing: Standing) -> dict[str, Any]:
        place = self.office.gateway.options(self.holder).approve_at or f"{self.base_url}/my/approve"
        mark = "&" if "?" in place else "?"
        return consent_of(standing, f"{place}{mark}consent={quote(standing.consent_id, safe='')}")
