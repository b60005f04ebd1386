"""What the certification of aggregators asks of a request beyond the shapes of the specification (Sahamati's cases)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from api.standards.forms import is_uuid
from api.standards.india.requests import AaEnvelope, ConsentDetail, RowFilter, parse_time, refused

SKEW_SECONDS: Final = 15 * 60
"""How far a message's timestamp may lie from now, either way."""
PURPOSES: Final = ("101", "102", "103", "104", "105")
"""ReBIT's purpose codes."""
_CUSTOMER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}@[A-Za-z0-9][A-Za-z0-9.-]{0,127}")
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")


def require_fresh(message: AaEnvelope, now: int) -> None:
    """The message was made about `now` (seconds), and its txnid is a UUID. Raises Refusal."""
    if abs(parse_time(message.timestamp, "timestamp") - now) > SKEW_SECONDS:
        raise refused("InvalidRequest", "timestamp is more than fifteen minutes from now")
    if not is_uuid(message.txnid):
        raise refused("InvalidRequest", "txnid must be a UUID")


def require_certified(detail: ConsentDetail) -> None:
    """Raises Refusal for a value that no aggregator takes."""
    if detail.Customer.id and not _CUSTOMER.fullmatch(detail.Customer.id):
        raise refused("InvalidRequest", "Customer.id is written customer@aggregator")
    code, place = detail.Purpose.code, detail.Purpose.refUri
    if code not in PURPOSES:
        raise refused("InvalidConsentPurpose", f"Purpose.code is one of {', '.join(PURPOSES)}")
    if place and not _is_of_purpose(place, code):
        raise refused("InvalidConsentPurpose", f"Purpose.refUri is the https address of {code}.xml")
    for name, rate in (("DataLife", detail.DataLife), ("Frequency", detail.Frequency)):
        if rate.unit != "INF" and rate.value <= 0:
            raise refused("InvalidRequest", f"{name}.value is more than nothing")
    for one in detail.DataFilter:
        if not _is_filter(one):
            raise refused("InvalidRequest", "DataFilter: an amount is a number, a type CREDIT or DEBIT, by = or !=")


def _is_of_purpose(place: str, code: str) -> bool:
    try:
        parts = urlsplit(place)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and parts.path.rsplit("/", 1)[-1] == f"{code}.xml"


def _is_filter(one: RowFilter) -> bool:
    if one.type == "TRANSACTIONAMOUNT":
        return bool(_AMOUNT.fullmatch(one.value))
    return one.operator in ("=", "!=") and one.value in ("CREDIT", "DEBIT")
