"""Consent/Notification: how the aggregator tells FIU and FIP of a consent's new state, signed like all its messages."""

from __future__ import annotations

from typing import Final

import msgspec

from api.events.delivery import Message
from api.http.wire import JSON
from api.office.gateway import Gateway
from api.standards.detached import SIGNATURE_HEADER
from api.standards.india.requests import STANDARD, aa_time
from api.standards.india.signatures import sign_body
from api.standards.india.versions import V1, V2
from api.standards.notices import notice_id
from api.standards.standard import NoticeForm
from ledger.clock import SystemClock
from ledger.queries.events import Notice

_NUMBERS: Final = (*V1.numbers, *V2.numbers)
_STATUS: Final = {
    "consent.expire": "EXPIRED",
    "consent.pause": "PAUSED",
    "consent.reject": "REJECTED",
    "consent.resume": "ACTIVE",
    "consent.revoke": "REVOKED",
    "consent.suspend": "PAUSED",
    "consent.terminate": "REVOKED",
}


def _message(gateway: Gateway, url: str, notice: Notice, participant: str) -> Message | None:
    del url  # the message is the same wherever it is sent
    status = _STATUS.get(notice.act)
    if notice.standard != STANDARD or status is None:
        return None
    if status == "REJECTED" and participant == notice.holder:
        return None  # an FIP knows no rejected consents
    body = msgspec.json.encode(
        {
            "ver": notice.standard_version if notice.standard_version in _NUMBERS else V2.numbers[-1],
            "timestamp": aa_time(SystemClock().now()),
            "txnid": notice_id(notice, participant, 0),
            "Notifier": {"type": "AA", "id": gateway.participant},
            "ConsentStatusNotification": {"consentId": notice.consent_id, "consentStatus": status},
        }
    )
    signed = ((SIGNATURE_HEADER, sign_body(gateway, gateway.options(notice.holder), body)),)
    return Message(body, JSON, signed, frozenset({200, 202, 204}))


CONSENT_NOTIFICATION: Final = NoticeForm("/Consent/Notification", _message)
