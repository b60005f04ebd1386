"""A consent in Brazil's words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from api.office.office import Change, Standing
from api.standards.brazil.permissions import codes_of, meaning_of
from api.standards.brazil.requests import ConsentFacts, Extension, parse_facts
from api.standards.brazil.versions import NEWEST, BrazilVersion
from api.standards.forms import CONSENT_URN
from ledger.consent.state import Status

CONFIRM_SECONDS: Final = 3600
"""A consent that is not confirmed within 60 minutes is rejected (consents 3.3.1, Orientações)."""
TIMED_OUT: Final = "consent-expired"
"""The reason under which that is recorded."""
_URN: Final = re.compile(r"urn:[a-zA-Z0-9][a-zA-Z0-9-]{0,31}:[a-zA-Z0-9()+,\-.:=@;$_!*'%/?#]+")
_BY: Final = {"customer": "USER", "guardian": "USER", "recipient": "TPP"}
"""Everyone else (the holder, a court, the ledger) is the account servicing side."""


def outward_id(consent_id: str) -> str:
    """The id as a URN, which this standard demands."""
    return consent_id if _URN.fullmatch(consent_id) else CONSENT_URN + consent_id


def inward_id(outward: str) -> str:
    """The ledger's own id."""
    return outward.removeprefix(CONSENT_URN)


def brazil_time(seconds: int) -> str:
    """RFC 3339 «zulu», whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status_of(status: Status) -> str:
    """The three states that this standard has."""
    match status:
        case Status.AWAITING | Status.PARTIAL:
            return "AWAITING_AUTHORISATION"
        case Status.ACTIVE | Status.PAUSED | Status.SUSPENDED:
            return "AUTHORISED"
        case _:
            return "REJECTED"


def rejection_of(status: Status, change: Change) -> dict[str, Any]:
    """Why and by whom a consent ended."""
    if change.reason == TIMED_OUT:
        return {"rejectedBy": "ASPSP", "reason": {"code": "CONSENT_EXPIRED"}}
    match status:
        case Status.EXPIRED | Status.CONSUMED:
            by, code = "ASPSP", "CONSENT_MAX_DATE_REACHED"
        case Status.REJECTED:
            by, code = _BY.get(change.by, "ASPSP"), "CUSTOMER_MANUALLY_REJECTED"
            if change.by in ("holder", "system"):
                code = "CONSENT_TECHNICAL_ISSUE"
        case Status.REVOKED:
            by, code = _BY.get(change.by, "ASPSP"), "CUSTOMER_MANUALLY_REVOKED"
            if by == "ASPSP":
                code = "INTERNAL_SECURITY_REASON"
        case _:
            by = _BY.get(change.by, "ASPSP")
            code = "CUSTOMER_MANUALLY_REVOKED" if by == "TPP" else "INTERNAL_SECURITY_REASON"
    return {"rejectedBy": by, "reason": {"code": code}}


def permissions_in(standing: Standing, facts: ConsentFacts | None, version: BrazilVersion = NEWEST) -> list[str]:
    """The codes as they were asked for, without those that fell away; else those that the terms cover."""
    held = frozenset(standing.consent.terms.permissions)
    asked = codes_of(held) if facts is None else list(dict.fromkeys(facts.data.permissions))
    return [code for code in asked if code not in version.without and (facts is None or meaning_of([code]) <= held)]


def answer_of(
    standing: Standing, link: str, now: int, *, reading: bool, version: BrazilVersion = NEWEST
) -> dict[str, Any]:
    """ResponseConsent, or ResponseConsentRead with the rejection. `now` in seconds."""
    terms = standing.consent.terms
    data: dict[str, Any] = {
        "consentId": outward_id(standing.consent_id),
        "creationDateTime": brazil_time(standing.created_at // 1000),
        "status": status_of(standing.status),
        "statusUpdateDateTime": brazil_time(standing.change.at // 1000),
        "permissions": permissions_in(standing, parse_facts(standing.facts), version),
    }
    if terms.expires_at or version.never:
        data["expirationDateTime"] = brazil_time(terms.expires_at) if terms.expires_at else version.never
    if reading and data["status"] == "REJECTED":
        data["rejection"] = rejection_of(standing.status, standing.change)
    return {"data": data, "links": {"self": link}, "meta": meta_of(now, version)}


def meta_of(now: int, version: BrazilVersion, records: int = 1) -> dict[str, Any]:
    """`meta` of an answer that is all on one page."""
    totals = {"totalRecords": records, "totalPages": 1} if version.totals else {}
    return {**totals, "requestDateTime": brazil_time(now)}


def renewal_of(one: Extension, version: BrazilVersion) -> dict[str, Any]:
    """A renewal as it is listed."""
    said = dict(msgspec.to_builtins(one))
    if version.pages:
        return said
    short = {name: said[name] for name in ("loggedUser", "requestDateTime")}
    return {**short, "expirationDateTime": said.get("expirationDateTime", version.never)}


def error_body(code: str, title: str, detail: str, now: int, version: BrazilVersion = NEWEST) -> dict[str, Any]:
    """ResponseError and its kin."""
    said = {"code": code[:255], "title": title[:255], "detail": detail[:2048]}
    return {"errors": [said], "meta": meta_of(now, version)}
