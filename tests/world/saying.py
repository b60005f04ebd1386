"""What participants and the operator say: members of statements and documents, without a ledger and without keys."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.canonical import b64u, encode
from ledger.documents import registration
from tests.clocks import NOW

DAY = 86_400
ORIGIN = "ledger.example/1"
BANK, FINTECH, STRANGER, OTHER_BANK = "bank-a", "fintech-b", "fintech-c", "bank-d"
TERMS_TAG = b"consent-ledger/v1/terms\0"
SEPARATE = ("provision", "sensitive")
"""What terms of grade 3 must name."""

Document = dict[str, Any]


def reference(name: str = "") -> str:
    """An opaque reference of 128 bits: random, or always the same for a name."""
    return b64u(hashlib.sha256(name.encode()).digest()[:16] if name else os.urandom(16))


def new_consent_id() -> str:
    return str(uuid.uuid4())


def registered(participant: str, *roles: str) -> Document:
    """The operator document that registers a participant."""
    return registration(participant, participant.title(), roles)


def about(kind: str, participant: str, **members: Any) -> Document:
    """An operator document about a participant."""
    return {"type": kind, "v": 1, "participant": participant, **members}


def terms(**changes: Any) -> Document:
    """Acceptable terms between the bank and the fintech, without end or limit."""
    made = {
        "authorisers_required": 1,
        "expires_at": 0,
        "frequency_per_day": 0,
        "grade": 3,
        "history_from": 0,
        "history_to": 0,
        "holder": BANK,
        "language": "en",
        "notice_hash": b64u(bytes(32)),
        "once": False,
        "permissions": ["ReadBalances", "ReadTransactionsDetail"],
        "purpose": {"code": "budgeting", "text": "Budget planning"},
        "recipient": FINTECH,
        "retention_days": 90,
        "separate_consents": list(SEPARATE),
        "standard": "uk-ob",
        "standard_version": "v4.0",
        "starts_at": 0,
    }
    return {**made, **changes}


def terms_hash(document: Mapping[str, Any]) -> str:
    return b64u(hashlib.sha256(TERMS_TAG + encode(dict(document))).digest())


def separately(kinds: Iterable[str], at: int = NOW) -> list[Document]:
    """Separate consents of these kinds, given at `at` (ms)."""
    return [{"given_at": at // 1000, "kind": kind, "text_hash": b64u(bytes(32))} for kind in sorted(kinds)]


def item(consent_id: str, **changes: Any) -> Document:
    """An access item that acceptable terms allow."""
    made = {
        "accounts": [],
        "consent_id": consent_id,
        "customer_present": False,
        "from": 0,
        "interaction_id": str(uuid.uuid4()),
        "permissions": ["ReadBalances"],
        "purpose": "budgeting",
        "request_digest": b64u(bytes(32)),
        "to": 0,
    }
    return {**made, **changes}


def payload(act: str, iss: str, at: int, /, **members: Any) -> bytes:
    """The payload bytes of a statement made at `at` (ms); members replace the common ones, one that is None is left out."""
    common = {"act": act, "aud": ORIGIN, "iat": at // 1000, "iss": iss, "jti": reference(), "v": 1}
    return encode({name: value for name, value in (common | members).items() if value is not None})
