"""Telling a recipient that an arrangement ended (CDR Arrangement Revocation): a form with a signed JWT."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from api.client.signing import sign_jwt
from api.events.delivery import Message
from api.office.gateway import Gateway
from api.standards.cdr.requests import STANDARD
from api.standards.notices import notice_id
from api.standards.standard import NoticeForm
from api.tokens.clients import FORM
from ledger.clock import SystemClock
from ledger.queries.events import Notice

JWT_SECONDS: Final = 300
_ACTS: Final = frozenset({"consent.revoke", "consent.supersede", "consent.terminate"})
"""Endings that must be told (CDR Arrangement Revocation); a natural expiry is known to both sides."""


def _message(gateway: Gateway, url: str, notice: Notice, participant: str) -> Message | None:
    """Holder to recipient: the arrangement's JWT. 422 is an acknowledgement: the recipient has ended it already."""
    if notice.standard != STANDARD or participant != notice.recipient or notice.act not in _ACTS:
        return None
    now, key = SystemClock().now() // 1000, gateway.messages
    claims = {
        "aud": url,
        "cdr_arrangement_id": notice.consent_id,
        "exp": now + JWT_SECONDS,
        "iat": now,
        "iss": notice.holder,
        "jti": notice_id(notice, participant, now),
        "sub": notice.holder,
    }
    jwt = sign_jwt(key, {"kid": key.kid, "typ": "JWT"}, claims)
    form = {"cdr_arrangement_id": notice.consent_id, "cdr_arrangement_jwt": jwt}
    return Message(urlencode(form).encode(), FORM, (), frozenset({200, 202, 204, 422}))


ARRANGEMENT_REVOKED: Final = NoticeForm("/arrangements/revoke", _message)
