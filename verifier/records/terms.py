"""The terms of a consent in their one form (docs/spec/consents.md, «Terms»). `acceptance` says which are acceptable."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from verifier.bytes.encoding import (
    Object,
    check_members,
    encode_canonical,
    get_bytes,
    get_flag,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.errors import Code, refuted

PARTICIPANT = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}", re.ASCII)
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
PERIODS = ("hour", "day", "month", "year")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
OPERATOR = re.compile("eq|ge|gt|in|le|lt|ne")

MEMBERS = frozenset(
    {
        "authorisers_required",
        "expires_at",
        "frequency_per_day",
        "grade",
        "history_from",
        "history_to",
        "holder",
        "language",
        "notice_hash",
        "once",
        "permissions",
        "purpose",
        "recipient",
        "retention_days",
        "separate_consents",
        "standard",
        "standard_version",
        "starts_at",
    }
)
SINCE_2 = frozenset({"details_hash", "filters", "reauthenticate_days", "reconfirm_days", "utc_offset"})
"""Members that may be absent, and must be under ruleset 1."""
SINCE_3 = frozenset({"destinations", "frequency_period", "once_seconds"})
"""Members that may be absent, and must be under rulesets 1 and 2."""

Filter = tuple[str, str, str]
"""Field, operator, value: only rows that pass may be given."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The members that the rules look at; times in seconds, 0 = open; `utc_offset` in minutes. `later`, `later_3`:
    members that exist from ruleset 2, from ruleset 3 onwards. `destinations`: countries."""

    holder: str
    recipient: str
    permissions: tuple[str, ...]
    purpose: str
    grade: int
    once: bool
    starts_at: int
    expires_at: int
    history_from: int
    history_to: int
    frequency_per_day: int
    authorisers_required: int
    retention_days: int
    separate_consents: tuple[str, ...]
    filters: tuple[Filter, ...] = ()
    reauthenticate_days: int = 0
    reconfirm_days: int = 0
    utc_offset: int = 0
    later: tuple[str, ...] = ()
    later_3: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    frequency_period: str = "day"
    once_seconds: int = 3_600
    standard: str = ""


def check_sorted(texts: list[str], name: str) -> None:
    """Sorted and unique, else BAD_ENCODING: one set has one spelling."""
    if texts != sorted(set(texts)):
        raise refuted(Code.BAD_ENCODING, "the list is not sorted and unique", field=name, found=", ".join(texts))


def check_codes(texts: list[str], name: str) -> None:
    """Each text is a code, else BAD_ENCODING."""
    for text in texts:
        if not CODE.fullmatch(text):
            raise refuted(Code.BAD_ENCODING, "not a code", field=name, expected=CODE.pattern, found=text)


def get_choice(value: Object, name: str, choices: Collection[str]) -> str:
    """A text member that is one of a few. Raises Refuted(BAD_ENCODING)."""
    text = get_text(value, name, 64)
    if text not in choices:
        raise refuted(
            Code.BAD_ENCODING,
            "not one of the words that are allowed here",
            field=name,
            expected=", ".join(choices),
            found=text,
        )
    return text


def get_codes(value: Object, name: str, low: int, high: int) -> list[str]:
    """A list member of `low` to `high` codes, sorted and unique. Raises Refuted(BAD_ENCODING)."""
    texts = get_texts(value, name, low, high)
    check_sorted(texts, name)
    check_codes(texts, name)
    return texts


def parse_terms(value: Object) -> Terms:
    """Read terms of any values in their one form. Raises Refuted(BAD_ENCODING)."""
    later = tuple(sorted(value.keys() & SINCE_2))
    later_3 = tuple(sorted(value.keys() & SINCE_3))
    check_members(value, MEMBERS, later + later_3)
    purpose = get_object(value, "purpose")
    check_members(purpose, {"code", "text"})
    get_text(purpose, "text", 200)
    get_text(value, "language", 35, LANGUAGE)
    get_bytes(value, "notice_hash", 32)
    get_text(value, "standard_version", 64, CODE)
    if "details_hash" in value:
        get_bytes(value, "details_hash", 32)
    return Terms(
        holder=get_text(value, "holder", 63, PARTICIPANT),
        recipient=get_text(value, "recipient", 63, PARTICIPANT),
        permissions=tuple(get_codes(value, "permissions", 1, 64)),
        purpose=get_text(purpose, "code", 64, CODE),
        grade=get_integer(value, "grade", 1, 5),
        once=get_flag(value, "once"),
        starts_at=get_integer(value, "starts_at"),
        expires_at=get_integer(value, "expires_at"),
        history_from=get_integer(value, "history_from"),
        history_to=get_integer(value, "history_to"),
        frequency_per_day=get_integer(value, "frequency_per_day", 0, 10_000),
        authorisers_required=get_integer(value, "authorisers_required", 1, 10),
        retention_days=get_integer(value, "retention_days", 0, 36_500),
        separate_consents=tuple(get_codes(value, "separate_consents", 0, 8)),
        filters=_filters(value) if "filters" in value else (),
        reauthenticate_days=_optional(value, "reauthenticate_days", 1, 3_650),
        reconfirm_days=_optional(value, "reconfirm_days", 1, 3_650),
        utc_offset=_optional(value, "utc_offset", -840, 840),
        later=later,
        later_3=later_3,
        destinations=_destinations(value) if "destinations" in value else (),
        frequency_period=_period(value),
        standard=get_text(value, "standard", 64, CODE),
        once_seconds=get_integer(value, "once_seconds", 1, 2_592_000) if "once_seconds" in value else 3_600,
    )


def _period(value: Object) -> str:
    period = get_text(value, "frequency_period", 8) if "frequency_period" in value else "day"
    if period not in PERIODS:
        raise refuted(
            Code.BAD_ENCODING, "an unknown period", field="frequency_period", expected=", ".join(PERIODS), found=period
        )
    return period


def _destinations(value: Object) -> tuple[str, ...]:
    items = value["destinations"]
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if not isinstance(items, list) or not 1 <= len(rows) == len(items) <= 32:
        raise refuted(
            Code.BAD_ENCODING, "not a list of the expected length", field="destinations", expected="1 to 32 objects"
        )
    for row in rows:
        check_members(row, {"country", "mechanism"})
        get_text(row, "mechanism", 64, CODE)
    countries = [get_text(row, "country", 2, COUNTRY) for row in rows]
    check_sorted(countries, "destinations")
    return tuple(countries)


def _optional(value: Object, name: str, low: int, high: int) -> int:
    return get_integer(value, name, low, high) if name in value else 0


def _filters(value: Object) -> tuple[Filter, ...]:
    items = value["filters"]
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if not isinstance(items, list) or not 1 <= len(rows) == len(items) <= 8:
        raise refuted(
            Code.BAD_ENCODING, "not a list of the expected length", field="filters", expected="1 to 8 objects"
        )
    for row in rows:
        check_members(row, {"field", "op", "value"})
    spelled = [encode_canonical(row) for row in rows]
    if spelled != sorted(set(spelled)):
        raise refuted(Code.BAD_ENCODING, "the list is not sorted and unique", field="filters")
    return tuple(
        (get_text(row, "field", 64, CODE), get_text(row, "op", 2, OPERATOR), get_text(row, "value", 200))
        for row in rows
    )
