"""The dashboard's requests, read strictly: which customer, which permission, what a provider announces."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from api.office.configuration import HolderOptions
from api.office.json import NotJson, read_object
from api.office.wish import Wish
from api.standards.days import after_day, day_at, offset_at, read_day
from api.standards.forms import LATEST_YEAR
from api.standards.psr.dialect import psr_refusal
from api.standards.words import words
from ledger.entries.fields import Code, Language, Reference, Text
from ledger.entries.terms import Purpose

STANDARD: Final = "eu-psr"
VERSION: Final = "com-2023-367"
CATEGORIES: Final = {name: frozenset(codes) for name, codes in words("psr").permissions.items()}
"""Category of data to the catalogue's permissions."""
Day = Annotated[str, Meta(max_length=10)]


class OneCustomer(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Whose dashboard it is, by the holder's own reference; and which authorisers of consents she is, for those that one
    person of a joint relationship keeps from the others."""

    customer: Reference
    authorisers: Annotated[tuple[Reference, ...], Meta(max_length=100)] = ()


class ShownPart(OneCustomer, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Which part of a dashboard: a page of it, oldest first."""

    show: Literal["all", "ended", "ongoing"] = "all"
    after: Annotated[int, Meta(ge=-1)] = -1
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class StatedPurpose(Struct, frozen=True, forbid_unknown_fields=True):
    """Why data are shared, for programs and for people."""

    code: Code
    text: Text


class AnnouncedPermission(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A new permission, as its provider tells of it (art. 43(4)(b)): purpose, period of validity, categories of data."""

    purpose: StatedPurpose
    data_categories: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]
    valid_to: Day = ""
    """The last day, in the holder's zone; empty: no end."""
    frequency_per_day: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    once: bool = False
    language: Language = "en"


T = TypeVar("T")


def read_as(body: bytes, form: type[T]) -> T:
    """A body as its operation has it. Raises DialectRefusal, which names the member."""
    try:
        return msgspec.convert(read_object(body), form)
    except (NotJson, msgspec.ValidationError) as error:
        raise psr_refusal(400, "MALFORMED", f"the body is not what this operation takes: {error}") from None


def wish_of(asked: AnnouncedPermission, options: HolderOptions, now: int) -> Wish:
    """The terms that a permission comes to at `now` (ms). Raises DialectRefusal."""
    unknown = sorted(set(asked.data_categories) - CATEGORIES.keys())
    if unknown:
        raise psr_refusal(
            400,
            "MALFORMED",
            f"{unknown[0][:64]!r} is none of the categories {', '.join(CATEGORIES)}",
            "dataCategories",
        )
    often = asked.frequency_per_day or options.frequency_per_day
    if often > options.frequency_per_day:
        raise psr_refusal(
            400, "MALFORMED", f"this holder gives at most {options.frequency_per_day} a day", "frequencyPerDay"
        )
    return Wish(
        permissions=frozenset().union(*(CATEGORIES[name] for name in asked.data_categories)),
        standard=STANDARD,
        standard_version=VERSION,
        purpose=Purpose(asked.purpose.code, asked.purpose.text),
        expires_at=_end_of(asked.valid_to, options, now),
        frequency_per_day=often,
        once=asked.once,
        language=asked.language,
        reauthenticate_days=options.reauthenticate_days,
        utc_offset=offset_at(now, options.tz),
    )


def _end_of(said: str, options: HolderOptions, now: int) -> int:
    if not said:
        return 0
    try:
        day = read_day(said)
    except ValueError:
        raise psr_refusal(400, "MALFORMED", "validTo is a date, as 2027-05-31", "validTo") from None
    if not day_at(now, options.tz) <= day or day.year >= LATEST_YEAR:
        raise psr_refusal(400, "MALFORMED", f"validTo lies in the past, or not before {LATEST_YEAR}", "validTo")
    return after_day(day, options.tz)
