"""An FIU's request: ConsentDetail, exactly as the specification allows it, and its terms."""

# ruff: noqa: N815  (members are named as the specification names them)
from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.office.wish import Wish
from api.standards.dialects import DialectRefusal
from api.standards.forms import LATEST_SECOND, LATEST_YEAR
from api.standards.india.versions import V2
from api.standards.words import words
from ledger.entries.terms import Filter, Period, Purpose

STANDARD: Final = "india-aa"
VERSIONS: Final = V2.numbers
DAYS: Final = {"DAY": 1, "MONTH": 30, "YEAR": 365}
"""Days of a unit of DataLife. A month of 30 days is the shortest that the standard could mean by 12 of them."""
_PERIODS: Final[dict[str, Period]] = {"DAY": "day", "HOUR": "hour", "MONTH": "month", "YEAR": "year"}
_BANK: Final = frozenset({"DEPOSIT", "RECURRING_DEPOSIT", "TERM_DEPOSIT"})
_MEANING: Final = words("india").permissions
"""Of a consent type, for accounts at a bank; and of each other kind of data."""
_TYPES: Final = frozenset({"PROFILE", "SUMMARY", "TRANSACTIONS"})
FI_TYPES: Final = _BANK | (_MEANING.keys() - _TYPES)
NOT_UNDERSTOOD: Final = frozenset({"OTHER"})
"""Allowed by the schema and refused here, since nobody could tell what was shared (docs/standards/india.md, by design
not)."""
_OPS: Final = {"=": "eq", "!=": "ne", ">": "gt", "<": "lt", ">=": "ge", "<=": "le"}
_FIELDS: Final = {"TRANSACTIONAMOUNT": "transaction-amount", "TRANSACTIONTYPE": "transaction-type"}
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_Id = Annotated[str, Meta(max_length=256)]
_Txn = Annotated[str, Meta(min_length=1, max_length=128)]


class Consumer(Struct, frozen=True):
    """Who wants the data."""

    id: _Id
    type: Literal["FIU", "USER", "AA"]


class CustomerDetail(Struct, frozen=True, omit_defaults=True):
    """Whose data it is: personal, kept in the sealed note only."""

    id: _Id = ""
    Identifiers: list[dict[str, str]] = []


class PurposeDetail(Struct, frozen=True, omit_defaults=True):
    """Why."""

    code: str
    refUri: str = ""
    text: str = ""
    Category: dict[str, Any] = {}


class Range(Struct, frozen=True, rename={"from_": "from"}):
    """From when to when the data are."""

    from_: str
    to: str


class DataLife(Struct, frozen=True):
    """How long data may be kept."""

    unit: Literal["DAY", "INF", "MONTH", "YEAR"]
    value: Annotated[float, Meta(ge=0)]


class Rate(Struct, frozen=True):
    """How often data may be fetched."""

    unit: Literal["DAY", "HOUR", "INF", "MONTH", "YEAR"]
    value: Annotated[float, Meta(ge=0)]


class RowFilter(Struct, frozen=True):
    """Which rows."""

    type: Literal["TRANSACTIONAMOUNT", "TRANSACTIONTYPE"]
    operator: Literal["!=", "<", "<=", "=", ">", ">="]
    value: str


class ConsentDetail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The specification's ConsentDetail."""

    consentStart: str
    consentExpiry: str
    consentMode: Literal["QUERY", "STORE", "STREAM", "VIEW"]
    fetchType: Literal["ONETIME", "PERIODIC"]
    consentTypes: Annotated[tuple[Literal["PROFILE", "SUMMARY", "TRANSACTIONS"], ...], Meta(min_length=1, max_length=8)]
    fiTypes: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)]
    DataConsumer: Consumer
    Customer: CustomerDetail
    Purpose: PurposeDetail
    FIDataRange: Range
    DataLife: DataLife
    Frequency: Rate
    DataFilter: Annotated[tuple[RowFilter, ...], Meta(max_length=64)] = ()


class AaEnvelope(Struct, frozen=True):
    """The members that begin every message of the specification."""

    ver: _Txn
    timestamp: Annotated[str, Meta(max_length=40)]
    txnid: _Txn


class ConsentMessage(AaEnvelope, frozen=True, kw_only=True):
    """POST /Consent."""

    ConsentDetail: ConsentDetail


class HandleRequest(AaEnvelope, frozen=True, kw_only=True):
    """POST /Consent/handle."""

    ConsentHandle: _Id


class FetchRequest(AaEnvelope, frozen=True, kw_only=True):
    """POST /Consent/fetch."""

    consentId: _Id


class Notifier(Struct, frozen=True):
    """Who tells."""

    type: _Id
    id: _Id


class StatusNotification(Struct, frozen=True):
    """The new state of a consent."""

    consentId: _Id
    consentStatus: Literal["ACTIVE", "EXPIRED", "PAUSED", "REJECTED", "REVOKED"]


class NotificationRequest(AaEnvelope, frozen=True, kw_only=True):
    """POST /Consent/Notification."""

    Notifier: Notifier
    ConsentStatusNotification: StatusNotification


class ArtefactRequest(Struct, frozen=True, kw_only=True):
    """POST /Consent of an FIP: an artefact that an aggregator made."""

    ver: _Txn
    txnid: _Txn
    consentId: _Id
    status: Literal["ACTIVE", "EXPIRED", "PAUSED", "REVOKED"]
    createTimestamp: Annotated[str, Meta(max_length=40)]
    signedConsent: Annotated[str, Meta(max_length=32_768)]
    ConsentUse: dict[str, Any]


def refused(code: str, detail: str, *, status: int = 400) -> DialectRefusal:
    """A refusal with one of the specification's codes."""
    return DialectRefusal(status, code, detail)


Body = TypeVar("Body", ConsentMessage, HandleRequest, FetchRequest, NotificationRequest, ArtefactRequest)


def parse_body(body: bytes, kind: type[Body], versions: tuple[str, ...] = VERSIONS) -> Body:
    """Raises Refusal 400 InvalidRequest, or 404 NoSuchVersion."""
    try:
        message = msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise refused("InvalidRequest", f"the body is not as the specification says: {error}") from None
    if message.ver not in versions:
        raise refused("NoSuchVersion", f"the versions here are {', '.join(versions)}", status=404)
    if not isinstance(message, ArtefactRequest):
        parse_time(message.timestamp, "timestamp")
    return message


def parse_time(text: str, name: str) -> int:
    """Seconds. The specification writes offsets with and without a colon. Raises Refusal."""
    try:
        found = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise refused("InvalidRequest", f"{name} is not written 2026-12-31T23:59:59.999Z, or with an offset for the Z")
    seconds = int(found.timestamp())
    if not 0 <= seconds <= LATEST_SECOND:
        raise refused("InvalidRequest", f"{name} lies before 1970, or after {LATEST_YEAR}")
    return seconds


def aa_time(milliseconds: int) -> str:
    """UTC with milliseconds, as the specification writes it."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def retention_days(life: DataLife, mode: str) -> int:
    """Days; 0 = for ever. Data that may only be viewed are kept for the day of viewing."""
    if mode == "VIEW":
        return 1
    if life.unit == "INF":
        return 0
    return min(36_500, max(1, math.floor(life.value * DAYS[life.unit])))


def frequency_of(rate: Rate) -> tuple[int, Period]:
    """Fetches, 0 = unlimited, and what they count per. Of a fraction the whole part counts, and at least one."""
    if rate.unit == "INF":
        return 0, "day"
    return min(10_000, max(1, math.floor(rate.value))), _PERIODS[rate.unit]


def permissions_of(detail: ConsentDetail) -> set[str]:
    """The catalogue's permissions. Raises Refusal. Older versions write TERM-DEPOSIT for TERM_DEPOSIT."""
    kinds = {kind.replace("-", "_") for kind in detail.fiTypes}
    unknown = kinds - FI_TYPES
    if unknown & NOT_UNDERSTOOD:
        raise refused("InvalidRequest", "fiTypes: OTHER is not offered: name the kind of data")
    if unknown:
        raise refused("InvalidRequest", "fiTypes holds a type that the specification does not have")
    wanted = {permission for kind in kinds if kind not in _BANK for permission in _MEANING[kind]}
    if _BANK & kinds:
        wanted |= {permission for kind in detail.consentTypes for permission in _MEANING[kind]}
    elif "PROFILE" in detail.consentTypes:
        wanted |= set(_MEANING["PROFILE"])
    return wanted


def wish_of(detail: ConsentDetail, *, now: int, version: str) -> Wish:
    """The terms that a request comes to at `now` (seconds). Raises Refusal."""
    starts, expires = parse_time(detail.consentStart, "consentStart"), parse_time(detail.consentExpiry, "consentExpiry")
    history_from = parse_time(detail.FIDataRange.from_, "FIDataRange.from")
    history_to = parse_time(detail.FIDataRange.to, "FIDataRange.to")
    if expires <= max(starts, now):
        raise refused("InvalidRequest", "consentExpiry is not after consentStart and now")
    if history_to < history_from:
        raise refused("InvalidRequest", "FIDataRange.to is before FIDataRange.from")
    if not _CODE.fullmatch(detail.Purpose.code):
        raise refused("InvalidConsentPurpose", "Purpose.code is not a code")
    text = _CONTROLS.sub(" ", detail.Purpose.text).strip()[:200] or f"Account Aggregator purpose {detail.Purpose.code}"
    filters = dict.fromkeys(
        Filter(_FIELDS[one.type], _OPS[one.operator], _value(one.value))  # type: ignore[arg-type] # _OPS gives only those
        for one in detail.DataFilter
    )
    if len(filters) > 8:
        raise refused("InvalidRequest", "DataFilter has more than eight different conditions")
    frequency, period = frequency_of(detail.Frequency)
    return Wish(
        permissions=permissions_of(detail),
        standard=STANDARD,
        standard_version=version,
        purpose=Purpose(detail.Purpose.code, text),
        starts_at=starts,
        expires_at=expires,
        history_from=history_from,
        history_to=history_to,
        frequency_per_day=frequency,
        frequency_period=period,
        once=detail.fetchType == "ONETIME",
        retention_days=retention_days(detail.DataLife, detail.consentMode),
        language="en-IN",
        utc_offset=330,
        filters=tuple(filters),
    )


def _value(text: str) -> str:
    if not 1 <= len(text) <= 200 or _CONTROLS.search(text):
        raise refused("InvalidRequest", "DataFilter.value is empty, or longer than 200 characters")
    return text
