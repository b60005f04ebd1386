"""The terms of a consent: their one form, and rule T (docs/spec/consents.md, «Terms»)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from verifier.catalogue import GRADES, MAX_GRADE
from verifier.encoding import (
    Object,
    check_members,
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
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)

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


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rules look at; times in seconds, 0 = open."""

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


def check_sorted(texts: list[str], name: str) -> None:
    """Sorted and unique, else BAD_ENCODING: one set has one spelling."""
    if texts != sorted(set(texts)):
        raise refuted(Code.BAD_ENCODING, "the list is not sorted and unique", field=name, found=", ".join(texts))


def check_codes(texts: list[str], name: str) -> None:
    """Each text is a code, else BAD_ENCODING."""
    for text in texts:
        if not CODE.fullmatch(text):
            raise refuted(Code.BAD_ENCODING, "not a code", field=name, expected=CODE.pattern, found=text)


def parse_terms(value: Object) -> Terms:
    """Read terms of any values in their one form. Raises Refuted(BAD_ENCODING)."""
    check_members(value, MEMBERS)
    permissions = get_texts(value, "permissions", 1, 64)
    separate = get_texts(value, "separate_consents", 0, 8)
    for texts, name in ((permissions, "permissions"), (separate, "separate_consents")):
        check_sorted(texts, name)
        check_codes(texts, name)
    purpose = get_object(value, "purpose")
    check_members(purpose, {"code", "text"})
    get_text(purpose, "text", 200)
    get_text(value, "language", 35, LANGUAGE)
    get_bytes(value, "notice_hash", 32)
    get_integer(value, "retention_days", 0, 36_500)
    get_text(value, "standard", 64, CODE)
    get_text(value, "standard_version", 64, CODE)
    return Terms(
        holder=get_text(value, "holder", 63, PARTICIPANT),
        recipient=get_text(value, "recipient", 63, PARTICIPANT),
        permissions=tuple(permissions),
        purpose=get_text(purpose, "code", 64, CODE),
        grade=get_integer(value, "grade", 1, 5),
        once=get_flag(value, "once"),
        starts_at=get_integer(value, "starts_at"),
        expires_at=get_integer(value, "expires_at"),
        history_from=get_integer(value, "history_from"),
        history_to=get_integer(value, "history_to"),
        frequency_per_day=get_integer(value, "frequency_per_day", 0, 10_000),
        authorisers_required=get_integer(value, "authorisers_required", 1, 10),
    )


def check_values(terms: Terms, time: int) -> None:
    """The part of rule T that needs nobody else: raises Refuted(CONSENT_INVALID). `time` in milliseconds."""
    unknown = [code for code in terms.permissions if code not in GRADES]
    if unknown:
        raise _bad(
            "a permission is not in the catalogue",
            "permissions",
            "codes of the catalogue",
            ", ".join(unknown),
        )
    grade = max(GRADES[code] for code in terms.permissions)
    if terms.grade != grade or grade > MAX_GRADE:
        raise _bad("the grade is not the highest of the permissions", "grade", grade, terms.grade)
    if terms.expires_at and not (terms.expires_at > terms.starts_at and terms.expires_at * 1000 > time):
        raise _bad(
            "the terms end before they begin or before now",
            "expires_at",
            f"0 or above {max(terms.starts_at, time // 1000)}",
            terms.expires_at,
        )
    if terms.history_to and terms.history_to < terms.history_from:
        raise _bad(
            "the history ends before it begins",
            "history_to",
            f"0 or at least {terms.history_from}",
            terms.history_to,
        )
    if terms.holder == terms.recipient:
        raise _bad("holder and recipient are the same", "recipient", f"not {terms.holder}", terms.recipient)


def _bad(sentence: str, field: str, expected: object, found: object) -> Exception:
    return refuted(Code.CONSENT_INVALID, sentence, field=field, expected=expected, found=found)
