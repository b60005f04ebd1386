"""Single disclosures, made and read alone."""

from __future__ import annotations

from typing import Any

from tests.verifier.forge import (
    HOLDER,
    ORIGIN,
    RECIPIENT,
    START,
    Forge,
    Signer,
    b64u,
    chain_of,
    encode,
)
from verifier.crypto.backend import select
from verifier.crypto.keys import parse_jwk
from verifier.errors import Code
from verifier.records.disclosure import Reader
from verifier.records.facts import Facts, Found

SIGNERS = {who: Signer(who, who) for who in (HOLDER, RECIPIENT, "p" * 63)}
KEYS = {who: parse_jwk(signer.jwk) for who, signer in SIGNERS.items()}
CONSENT = "urn:forge:" + "c" * 22
REF, HASH = "r" * 22, b64u(bytes(32))
STATE = {"consent_version": 1, "ruleset": 2, "status": "REVOKED"}
DENIED = {
    "basis": 7,
    "consent_version": 1,
    "decision": "deny",
    "obligations": {},
    "reasons": ["CONSENT_PAUSED"],
    "ruleset": 2,
    "used_today": 0,
}
ITEM = {
    "accounts": [],
    "consent_id": CONSENT,
    "customer_present": False,
    "from": 1,
    "to": 2,
    "interaction_id": "i" * 8,
    "permissions": ["ReadBalances"],
    "purpose": "AIS",
    "request_digest": HASH,
}
LEG = {"consent_id": CONSENT, "interaction_id": "i" * 8, "basis": 7, "rows": 1, "bytes": 2, "digest": HASH}


def payload(act: str, iss: str = HOLDER, **members: Any) -> dict[str, Any]:
    made = Forge(1).payload(iss, act)
    plain: dict[str, Any] = {
        "consent.revoke": {"consent_id": CONSENT, "reason": "asked", "by": "customer"},
        "access.request": ITEM,
        "access.release": LEG,
        "access.batch": {},
        "subject.consent": {"consent_id": CONSENT, "subject": REF},
    }[act]
    return {**made, **plain, **members}


def signed(content: dict[str, Any]) -> str:
    return SIGNERS[content["iss"]].sign(content)


def evidence(content: dict[str, Any], outcome: Any = None, **members: Any) -> dict[str, Any]:
    """By default as it should be."""
    made = {"act": content["act"], "statements": [signed(content)], "v": 1}
    return made | ({} if outcome is None else {"outcome": outcome}) | members


REVOKED = evidence(payload("consent.revoke"), STATE)
ASKED = evidence(payload("access.request", RECIPIENT), DENIED)


def reader(**options: Any) -> Reader:
    return Reader(ORIGIN, select(None), KEYS, **options)


def read(
    shown: dict[str, Any], *, kind: str = "consent", name: str = CONSENT, time: int = START, by: Any = None
) -> Found:
    found: Found = (by or reader()).read_evidence(kind, b64u(chain_of(name)).encode(), time, encode(shown))
    return found


def facts(shown: dict[str, Any], **place: Any) -> Facts:
    found = read(shown, **place)
    assert found.defects == []
    assert found.facts is not None
    return found.facts


def place_of(shown: dict[str, Any]) -> str:
    """The member that its one defect names."""
    [(_, _, field, _, _)] = read(shown).defects
    return field


def refused(code: Code, shown: dict[str, Any], **place: Any) -> None:
    """Nothing of it may count."""
    found = read(shown, **place)
    assert found.facts is None, shown
    assert [row[0] for row in found.defects] == [str(code)], found.defects
