"""A consent in this standard's words."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET

from api.office.office import Standing
from api.standards.china.codes import MESSAGES, SUCCESS, china_day, china_time
from api.standards.china.requests import DAY_SECONDS, ITEMS, VERSION, Applied, grade_of, read_applied
from api.standards.words import words
from ledger.consent.state import BEFORE

_CLASSES: Final = {1: "", 2: "C1", 3: "C2", 4: "C3", 5: "C3"}
"""Grade (JR/T 0197-2020) to the category of personal financial information (JR/T 0171-2020)."""
_ENDED: Final = ("REVOKED", "TERMINATED", "EXPIRED", "REJECTED", "CONSUMED", "SUPERSEDED")


def said(code: str, request_no: str, now: int, **more: Any) -> dict[str, Any]:
    """The frame of every answer; `now` in seconds."""
    return {"code": code, "message": MESSAGES[code], "request_no": request_no, "response_time": china_time(now), **more}


def succeeded(request_no: str, now: int, data: Any) -> dict[str, Any]:
    """An answer with data."""
    return said(SUCCESS, request_no, now, data=data)


def consent_of(standing: Standing, approve_at: str) -> dict[str, Any]:
    """One consent. `approve_at`: where its customer agrees, told while she has not."""
    terms, asked = standing.terms, read_applied(standing.facts)
    told: dict[str, Any] = {
        "consent_id": standing.consent_id,
        "state": state_of(standing.status.value),
        "state_time": china_time(standing.changed_at // 1000),
        "apply_time": china_time(standing.created_at // 1000),
        "data_items": _items_of(standing, asked),
        "data_grade": terms.grade,
        "purpose_code": terms.purpose.code,
        "purpose": terms.purpose.text,
        "separate_consents": list(terms.separate_consents),
        "valid_to": china_day(terms.expires_at - DAY_SECONDS) if terms.expires_at else "",
        "frequency_per_day": terms.frequency_per_day,
        "once": terms.once,
        "retention_days": terms.retention_days,
    }
    if terms.destinations is not UNSET:
        told["cross_border"] = [{"country": one.country, "mechanism": one.mechanism} for one in terms.destinations]
    if asked is not None and asked.assessment_no:
        told["assessment_no"] = asked.assessment_no
    if standing.status in BEFORE:
        told["approve_at"] = approve_at
    if standing.status.value in _ENDED:
        told["ended_by"], told["ended_reason"] = standing.change.by, standing.change.reason
    return told


def state_of(status: str) -> str:
    """The standard's name of a state."""
    return words("china").states[status][VERSION]


def catalogue() -> list[dict[str, Any]]:
    """What can be asked for, with both gradings."""
    return [
        {"data_item": item, "data_grade": grade_of(item), "information_class": _CLASSES[grade_of(item)]}
        for item in ITEMS
    ]


def _items_of(standing: Standing, asked: Applied | None) -> list[str]:
    """As they were asked for; of a consent that was asked for in other words, those that its permissions cover whole."""
    if asked is not None:
        return list(asked.data_items)
    held = frozenset(standing.terms.permissions)
    return [item for item, codes in ITEMS.items() if held.issuperset(codes)]
