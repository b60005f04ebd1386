"""Events in the words of outward standards, for endpoints that take those.

The address tells: one that ends as the standard says it must is told in the standard's own message, signed by the gateway; any
other gets security event tokens (docs/events.md). Sent by the same sender: guarded addresses, retries, acknowledgements.
"""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec

from api.client.signing import sign_jwt
from api.events.delivery import Message
from api.http.wire import JSON
from api.office.gateway import Gateway
from api.standards.cdr.requests import STANDARD as CDR
from api.standards.india.requests import STANDARD as INDIA
from api.standards.india.requests import VERSIONS, aa_time
from api.standards.india.signatures import HEADER, detached
from api.tokens.clients import FORM
from ledger.canonical import b64u
from ledger.clock import Clock, SystemClock
from ledger.queries.events import Notice

CDR_ENDING: Final = "/arrangements/revoke"
INDIA_ENDING: Final = "/Consent/Notification"
JWT_SECONDS: Final = 300
_CDR_ACTS: Final = frozenset({"consent.revoke", "consent.supersede", "consent.terminate"})
"""Endings that must be told (CDR Arrangement Revocation); a natural expiry is known to both sides."""
_INDIA_STATUS: Final = {
    "consent.expire": "EXPIRED", "consent.pause": "PAUSED", "consent.reject": "REJECTED", "consent.resume": "ACTIVE",
    "consent.revoke": "REVOKED", "consent.suspend": "PAUSED", "consent.terminate": "REVOKED",
}  # fmt: skip


class OutwardNotices:
    """See `api.events.sender.Outward`."""

    def __init__(self, gateway: Gateway, clock: Clock | None = None) -> None:
        self._gateway = gateway
        self._clock = clock or SystemClock()

    def speaks_at(self, url: str) -> bool:
        """Whether the address ends as a standard's."""
        return urlsplit(url).path.endswith((CDR_ENDING, INDIA_ENDING))

    def message(self, url: str, notice: Notice, participant: str) -> Message | None:
        """The standard's message for an event of a consent of that standard."""
        if urlsplit(url).path.endswith(CDR_ENDING):
            return self._cdr(url, notice, participant)
        return self._india(notice, participant)

    def _cdr(self, url: str, notice: Notice, participant: str) -> Message | None:
        """Holder to recipient: the arrangement's JWT. 422 is an acknowledgement: the recipient has ended it already."""
        if notice.standard != CDR or participant != notice.recipient or notice.act not in _CDR_ACTS:
            return None
        now, key = self._clock.now() // 1000, self._gateway.messages
        claims = {
            "aud": url, "cdr_arrangement_id": notice.consent_id, "exp": now + JWT_SECONDS, "iat": now, "iss": notice.holder,
            "jti": _identifier(notice, participant, now), "sub": notice.holder,
        }  # fmt: skip
        jwt = sign_jwt(key, {"kid": key.kid, "typ": "JWT"}, claims)
        form = {"cdr_arrangement_id": notice.consent_id, "cdr_arrangement_jwt": jwt}
        return Message(urlencode(form).encode(), FORM, (), frozenset({200, 202, 204, 422}))

    def _india(self, notice: Notice, participant: str) -> Message | None:
        """Aggregator to FIU or FIP: Consent/Notification, signed like all its messages."""
        status = _INDIA_STATUS.get(notice.act)
        if notice.standard != INDIA or status is None:
            return None
        if status == "REJECTED" and participant == notice.holder:
            return None  # an FIP knows no rejected consents
        body = msgspec.json.encode(
            {
                "ver": notice.standard_version if notice.standard_version in VERSIONS else VERSIONS[-1],
                "timestamp": aa_time(self._clock.now()),
                "txnid": _identifier(notice, participant, 0),
                "Notifier": {"type": "AA", "id": self._gateway.participant},
                "ConsentStatusNotification": {"consentId": notice.consent_id, "consentStatus": status},
            }
        )
        return Message(
            body, JSON, ((HEADER, detached(self._gateway.messages, body)),), frozenset({200, 202, 204})
        )  # fmt: skip


def _identifier(notice: Notice, participant: str, salt: int) -> str:
    """The same for every attempt to tell this participant of this entry; with a salt, one per attempt."""
    said = f"{notice.leaf_hash.hex()}\0{participant}\0{salt}"
    return b64u(hashlib.sha256(said.encode()).digest()[:16])
