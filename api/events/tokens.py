"""Security event tokens (RFC 8417): what a party is told of an entry, signed by this ledger's event key."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Final
from urllib.parse import quote

import msgspec

from api.tokens.keys import TokenSigner
from ledger.canonical import b64u
from ledger.queries.alerts import AlertNotice
from ledger.queries.events import Notice
from ledger.scoring.proposals import due

TYP: Final = "secevent+jwt"
EVENT_PREFIX: Final = "urn:consent-ledger:events:"
"""Followed by the act with a hyphen for the dot: `urn:consent-ledger:events:consent-revoke`."""
ALERT: Final = "alert.raised"
"""The kind of a delivery that tells of an alert."""
UK_REVOKED: Final = "urn:uk:org:openbanking:events:consent-authorization-revoked"
_UK_RID: Final = "http://openbanking.org.uk/rid"
_UK_RTY: Final = "http://openbanking.org.uk/rty"
_UK_RLK: Final = "http://openbanking.org.uk/rlk"
UK_STANDARD: Final = "uk-ob"
VERIFICATION: Final = "https://schemas.openid.net/secevent/ssf/event-type/verification"
"""Of the OpenID Shared Signals Framework, 8.1.4.1: a token that says nothing but that tokens arrive."""
UK_VERSIONS: Final = ("v4.0", "v3.1")
"""As they stand in terms, and in addresses."""


def event_id(origin: str, index: int, participant: str) -> str:
    """The `jti`: always the same for one participant and one entry, so that a repeat is recognised as one."""
    said = f"consent-ledger event\0{origin}\0{index}\0{participant}"
    return b64u(hashlib.sha256(said.encode()).digest()[:16])


class EventTokens:
    """Makes tokens. Two tokens of one delivery have the same claims."""

    def __init__(self, issuer: str, origin: str, signer: TokenSigner) -> None:
        """`issuer` is this ledger's base address, `origin` the name of its log."""
        self._issuer = issuer
        self._origin = origin
        self._signer = signer

    @property
    def key_set(self) -> dict[str, Any]:
        """The JWK set that event tokens are verified with."""
        return {"keys": [self._signer.published]}

    def event_id(self, index: int, participant: str) -> str:
        """The `jti` of what a participant is told of an entry."""
        return event_id(self._origin, index, participant)

    def token(self, notice: Notice, participant: str, first_at: int) -> str:
        """The token in compact form; `first_at` (ms) is when the delivery began."""
        return self._signed(self.claims(notice, participant, first_at))

    def claims(self, notice: Notice, participant: str, first_at: int) -> dict[str, Any]:
        """The claims: RFC 8417 §2.2, with every member that the UK schema OBEventNotification1 asks for and no other."""
        resource = self._resource(notice)
        events: dict[str, Any] = {EVENT_PREFIX + notice.act.replace(".", "-").replace("_", "-"): self._event(notice)}
        if notice.act == "consent.revoke" and notice.standard == UK_STANDARD:
            events[UK_REVOKED] = {"subject": _uk_subject(notice, resource)}
        return {
            "iss": self._issuer,
            "iat": first_at // 1000,
            "jti": self.event_id(notice.index, participant),
            "aud": participant,
            "sub": resource,
            "txn": b64u(notice.leaf_hash),
            "toe": notice.time // 1000,
            "events": events,
        }

    def _resource(self, notice: Notice) -> str:
        """Where its reader finds the consent: of a UK one, its address in the UK's own API."""
        consent = quote(notice.consent_id, safe=":")
        if notice.standard == UK_STANDARD and notice.standard_version in UK_VERSIONS:
            holder = f"{self._issuer}/holders/{quote(notice.holder)}"
            return f"{holder}/open-banking/{notice.standard_version}/aisp/account-access-consents/{consent}"
        return f"{self._issuer}/consents/{consent}"

    def alert_token(self, alert: AlertNotice, participant: str, first_at: int) -> str:
        """The token that tells a participant of an alert; `first_at` (ms) is when the delivery began."""
        return self._signed(self.alert_claims(alert, participant, first_at))

    def alert_claims(self, alert: AlertNotice, participant: str, first_at: int) -> dict[str, Any]:
        """Its claims: what the alert says, and by when it is to be answered (ms)."""
        says = {name: value for name, value in alert.says.items() if name not in ("type", "v")}
        event = {
            "act": ALERT,
            "origin": self._origin,
            "index": alert.index,
            "seq": alert.seq,
            "time": alert.time,
            "leaf_hash": b64u(alert.leaf_hash),
            "due": due(alert.says["score"], alert.time),
            **says,
        }
        return {
            "iss": self._issuer,
            "iat": first_at // 1000,
            "jti": self.event_id(alert.index, participant),
            "aud": participant,
            "sub": f"{self._issuer}/supervision/alerts/{alert.index}",
            "txn": b64u(alert.leaf_hash),
            "toe": alert.time // 1000,
            "events": {EVENT_PREFIX + "alert-raised": event},
        }

    def test_token(self, participant: str, now: int) -> tuple[str, str]:
        """A new `jti`, and a token about no entry that a participant's endpoint is tried with; `now` in milliseconds."""
        jti = b64u(os.urandom(16))
        claims = {
            "iss": self._issuer,
            "iat": now // 1000,
            "jti": jti,
            "aud": participant,
            "sub_id": {"format": "opaque", "id": participant},
            "events": {VERIFICATION: {"state": jti}},
        }
        return jti, self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        header = msgspec.json.encode({"alg": self._signer.alg, "kid": self._signer.kid, "typ": TYP})
        signed = f"{b64u(header)}.{b64u(msgspec.json.encode(claims))}"
        return f"{signed}.{b64u(self._signer.sign(signed.encode()))}"

    def _event(self, notice: Notice) -> dict[str, Any]:
        """Our own event: enough to act on, and to find the entry and its receipt."""
        said = {
            "origin": self._origin,
            "index": notice.index,
            "seq": notice.seq,
            "time": notice.time,
            "leaf_hash": b64u(notice.leaf_hash),
            "consent_id": notice.consent_id,
            "act": notice.act,
            "signer": notice.signer,
            "by": notice.by,
            "reason": notice.reason,
            "status": notice.status,
            "version": notice.version,
        }
        return {name: value for name, value in said.items() if value is not None}


def _uk_subject(notice: Notice, link: str) -> dict[str, Any]:
    """OBEventSubject1 of the UK's event notifications, v4.0."""
    return {
        "subject_type": f"{_UK_RID}_{_UK_RTY}",
        _UK_RID: notice.consent_id,
        _UK_RTY: "account-access-consents",
        _UK_RLK: [{"version": notice.standard_version[:10], "link": link}],
    }
