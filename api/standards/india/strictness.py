"""What the certification of aggregators asks of a request beyond the shapes of the specification (Sahamati's cases)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from api.standards.forms import is_uuid
from api.standards.india.requests import AaEnvelope, ConsentDetail, RowFilter, parse_time, refused

SKEW_SECONDS: Final = 15 * 60 - 30
"""How far a message's timestamp may lie from now, either way: what is said to be of fifteen minutes from now (case 1005) has
been under way for a moment."""
CUSTOMERS_OF: Final = "india_customers"
"""A holder's decision: the identifier of this aggregator, which its customers' ids end with; empty: any."""
PURPOSES: Final = ("101", "102", "103", "104", "105")
"""ReBIT's purpose codes."""
_CUSTOMER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}@[A-Za-z0-9][A-Za-z0-9.-]{0,127}")
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")


def require_fresh(message: AaEnvelope, now: int) -> None:
    """The message was made about `now` (seconds), and its txnid is a UUID. Raises Refusal."""
    if abs(parse_time(message.timestamp, "timestamp") - now) > SKEW_SECONDS:
        raise refused("InvalidRequest", "timestamp is fifteen minutes from now, or more")
    if not is_uuid(message.txnid):
        raise refused("InvalidRequest", "txnid must be a UUID")


def require_certified(detail: ConsentDetail, aggregator: str = "") -> None:
    """Raises Refusal for a value that no aggregator takes. `aggregator`: see CUSTOMERS_OF."""
    _require_customer(detail.Customer.id, aggregator, named=bool(detail.Customer.Identifiers))
    code, place = detail.Purpose.code, detail.Purpose.refUri
    if code not in PURPOSES:
        raise refused("InvalidConsentPurpose", f"Purpose.code is one of {', '.join(PURPOSES)}")
    if place and not _is_of_purpose(place, code):
        raise refused("InvalidConsentPurpose", f"Purpose.refUri is the https address of {code}.xml")
    for name, rate in (("DataLife", detail.DataLife), ("Frequency", detail.Frequency)):
        nothing = rate.unit == "INF" or (name == "DataLife" and detail.consentMode == "VIEW")
        if (rate.value <= 0 and not nothing) or rate.value != int(rate.value):
            raise refused("InvalidRequest", f"{name}.value is a whole number, and more than nothing")
    if detail.DataLife.unit == "INF" and detail.DataLife.value:
        raise refused("InvalidRequest", "DataLife.value is 0 where the unit is INF")
    for one in detail.DataFilter:
        if not _is_filter(one):
            raise refused("InvalidRequest", "DataFilter: an amount is a number, a type CREDIT or DEBIT, by = or !=")


def _require_customer(address: str, aggregator: str, *, named: bool) -> None:
    if not address:
        if not named:
            raise refused("InvalidRequest", "Customer has an id, or Identifiers")
    elif not _CUSTOMER.fullmatch(address) or aggregator not in ("", address.rpartition("@")[2]):
        raise refused("InvalidCustomerAddress", "Customer.id is written customer@aggregator, of this aggregator")


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
