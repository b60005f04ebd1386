"""Reading China's requests: exactly what the page says, and the terms that they come to."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.office.json import NotJson, read_object
from api.office.wish import Wish
from api.standards.china.codes import OFFSET_MINUTES, china_refusal, seconds_of
from api.standards.words import words
from ledger.catalogue import LATEST
from ledger.entries.terms import Destination, Purpose

STANDARD: Final = "jrt-0185"
VERSION: Final = "2020"
ITEMS: Final = {item: tuple(codes) for item, codes in words("china").permissions.items()}
"""Data item to the catalogue's permissions."""
DAY_SECONDS: Final = 86_400
_DAY: Final = re.compile(r"[0-9]{8}", re.ASCII)

Number = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+\Z")]
Day = Annotated[str, Meta(max_length=8)]
ConsentId = Annotated[str, Meta(min_length=1, max_length=128)]


class CrossBorder(Struct, frozen=True, forbid_unknown_fields=True):
    """A receiver abroad (PIPL art. 38, 39): where, on what legal ground, who, and how she is reached."""

    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
    mechanism: Annotated[str, Meta(max_length=64, pattern=r"^[a-z][a-z0-9-]*\Z")]
    receiver: Annotated[str, Meta(min_length=1, max_length=200)]
    contact: Annotated[str, Meta(min_length=1, max_length=200)]


class Applied(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An application for a consent."""

    request_no: Number
    data_items: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]
    purpose_code: Annotated[str, Meta(min_length=1, max_length=64)]
    purpose: Annotated[str, Meta(min_length=1, max_length=200)]
    valid_to: Day = ""
    frequency_per_day: Annotated[int, Meta(ge=0, le=10_000)] = 0
    once: bool = False
    history_from: Day = ""
    history_to: Day = ""
    retention_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    authorisers_required: Annotated[int, Meta(ge=1, le=10)] = 1
    cross_border: Annotated[tuple[CrossBorder, ...], Meta(max_length=32)] = ()
    assessment_no: Annotated[str, Meta(max_length=64)] = ""


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    """A question about one consent."""

    request_no: Number
    consent_id: ConsentId


class Withdrawn(Struct, frozen=True, forbid_unknown_fields=True):
    """The customer's wish to end a consent, told to the app; or the app's own, `by` being `recipient`."""

    request_no: Number
    consent_id: ConsentId
    by: Annotated[str, Meta(pattern=r"^(customer|recipient)\Z")] = "customer"


class Listed(Struct, frozen=True, forbid_unknown_fields=True):
    """A question about all consents of the app at the bank, page by page."""

    request_no: Number
    after: Annotated[int, Meta(ge=-1)] = -1
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class Catalogued(Struct, frozen=True, forbid_unknown_fields=True):
    """A question about what can be asked for: the one interface of level A1."""

    request_no: Number


T = TypeVar("T")


def read_request(body: bytes, form: type[T]) -> T:
    """A body as its operation has it. Raises DialectRefusal, which names the member."""
    try:
        return msgspec.convert(read_object(body), form)
    except (NotJson, msgspec.ValidationError) as error:
        raise china_refusal(400, "100001", f"报文不符合接口规范：{error}") from None


def read_applied(note: bytes | None) -> Applied | None:
    """The application behind a consent; None for one that was not asked for in these words."""
    try:
        return None if note is None else msgspec.json.decode(note, type=Applied)
    except msgspec.DecodeError:
        return None


def wish_of(asked: Applied, *, now: int) -> Wish:
    """The terms that an application comes to at `now` (seconds). Raises DialectRefusal."""
    unknown = sorted(set(asked.data_items) - ITEMS.keys())
    if unknown:
        raise china_refusal(
            400, "300003", f"数据项 {unknown[0][:64]} 不存在，可用 /catalogue/query 查询", member="data_items"
        )
    expires_at = _end_of(asked.valid_to, "valid_to")
    if expires_at and expires_at <= now:
        raise china_refusal(400, "300005", "valid_to 已过", member="valid_to")
    since, until = _start_of(asked.history_from, "history_from"), _end_of(asked.history_to, "history_to")
    if until and until <= since:
        raise china_refusal(400, "300005", "history_to 早于 history_from", member="history_to")
    return Wish(
        permissions=frozenset(code for item in asked.data_items for code in ITEMS[item]),
        standard=STANDARD,
        standard_version=VERSION,
        purpose=Purpose(asked.purpose_code, asked.purpose),
        expires_at=expires_at,
        frequency_per_day=asked.frequency_per_day,
        once=asked.once,
        history_from=since,
        history_to=until,
        retention_days=asked.retention_days,
        authorisers_required=asked.authorisers_required,
        language="zh-CN",
        utc_offset=OFFSET_MINUTES,
        destinations=_destinations(asked),
    )


def grade_of(item: str) -> int:
    """The grade of a data item: its highest permission's (JR/T 0197-2020)."""
    return LATEST.highest_grade(ITEMS[item]) or LATEST.max_grade


def _destinations(asked: Applied) -> tuple[Destination, ...]:
    countries = [one.country for one in asked.cross_border]
    if len(set(countries)) != len(countries):
        raise china_refusal(400, "300008", "每个国家或地区只列一项", member="cross_border")
    if "CN" in countries:
        raise china_refusal(400, "300008", "中国境内不是出境", member="cross_border")
    return tuple(Destination(one.country, one.mechanism) for one in asked.cross_border)


def _start_of(day: str, member: str) -> int:
    if not day:
        return 0
    try:
        if not _DAY.fullmatch(day):
            raise ValueError(day)  # noqa: TRY301
        return seconds_of(day, "%Y%m%d")
    except ValueError:
        raise china_refusal(400, "300005", f"{member} 应为日期 yyyyMMdd（北京时间）", member=member) from None


def _end_of(day: str, member: str) -> int:
    """The first second after a day: what is said to run to a day includes it."""
    start = _start_of(day, member)
    return start + DAY_SECONDS if start else 0
