"""Declarations: what a participant says that belongs to no consent and to no customer (docs/spec/ruleset-3.md, 1; those of
`partner_acts`: partners.md).

Members, form, and which roles may say it; whether one is legal where it stands is `rules.supervision`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from verifier.bytes.encoding import (
    MAX_INTEGER,
    Object,
    check_members,
    get_bytes,
    get_flag,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.errors import Code, Refuted, refuted
from verifier.records import history_acts, partner_acts
from verifier.records.terms import CODE, COUNTRY, PARTICIPANT, check_sorted, get_choice, get_codes

PURPOSE = frozenset(
    {"code", "permissions", "max_days", "max_frequency_per_day", "max_history_days", "max_retention_days"}
)
MAX_DAYS, MAX_FREQUENCY = 36_500, 10_000
DECISIONS = ("cleared", "confirmed", "escalated")
OUTCOMES = ("acceptable", "acceptable-with-measures", "unacceptable")
ABOUT = ("consent", "recipient")
MAX_FREEZE, MAX_BLOCK = 7_776_000, 2_592_000
REFERENCE = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)

MEMBERS: dict[str, frozenset[str]] = {
    "freeze.order": frozenset({"drill", "freeze_id", "from", "reason", "scope", "until"}),
    "freeze.lift": frozenset({"freeze_id", "reason"}),
    "assessment.require": frozenset({"requirement_id", "reason", "scope"}),
    "assessment.waive": frozenset({"requirement_id", "reason"}),
    "assessment.record": frozenset({"assessment_id", "document_hash", "method", "next_due", "outcome", "scope"}),
    "risk.block": frozenset({"about", "level", "rule", "seconds"}),
    "risk.unblock": frozenset({"reason", "rule"}),
    "alert.decide": frozenset({"alert", "decision", "officer", "proposal", "proposal_reasons"}),
    "incident.open": frozenset(
        {"affected", "affected_consents", "class", "clocks", "detected_at", "incident_id", "severity", "text_hash"}
    ),
    "incident.update": frozenset({"incident_id", "text_hash", "told_customers", "told_participants"}),
    "incident.close": frozenset({"incident_id", "reason", "text_hash"}),
    "purpose.define": PURPOSE,
    "case.hand_over": frozenset({"basis", "disclosure", "handover_id", "pack_hash", "scope", "to"}),
    "case.receive": frozenset({"handover", "pack_hash"}),
    **partner_acts.MEMBERS,
    **history_acts.MEMBERS,
}
OPTIONAL = {"alert.decide": frozenset({"comment_hash"}), "incident.update": frozenset({"clock"})}
DECLARED = frozenset(MEMBERS)
ROLES: dict[str, tuple[str, ...]] = {
    "assessment.require": ("regulator",),
    "assessment.record": ("holder",),
    "risk.block": ("holder",),
    "risk.unblock": ("holder",),
    "alert.decide": ("holder", "recipient", "regulator"),
    "incident.open": ("holder", "recipient", "regulator", "technology-provider"),
    "purpose.define": ("regulator",),
    "case.hand_over": ("regulator",),
    "case.receive": ("regulator",),
    **partner_acts.ROLES,
    **history_acts.ROLES,
}
"""Who may say it: any of these. An act that is not here asks for who did something before, or for nothing; `freeze.order`
for more."""

_SCOPE: dict[str, re.Pattern[str]] = {
    "country": COUNTRY,
    "holder": PARTICIPANT,
    "permission": CODE,
    "purpose": CODE,
    "recipient": PARTICIPANT,
}


def check_scope(value: Object, name: str, without: Collection[str] = ()) -> None:
    """A member that is a scope, without some of the members that a scope can have. Raises Refuted(BAD_ENCODING)."""
    scope = get_object(value, name)
    check_members(scope, (), _SCOPE.keys() - set(without))
    for member in scope:
        get_text(scope, member, 64, _SCOPE[member])


def check_purpose(value: Object) -> None:
    """The members of a purpose's definition. Raises Refuted(BAD_ENCODING)."""
    get_text(value, "code", 64, CODE)
    get_codes(value, "permissions", 1, 64)
    for name, high in (
        ("max_days", MAX_DAYS),
        ("max_frequency_per_day", MAX_FREQUENCY),
        ("max_history_days", MAX_DAYS),
        ("max_retention_days", MAX_DAYS),
    ):
        get_integer(value, name, 0, high)


def check_declaration(act: str, payload: Object) -> None:
    """The form of a declaration. Raises Refuted(BAD_ENCODING)."""
    for name in ("freeze_id", "requirement_id", "assessment_id", "incident_id", "reason", "rule"):
        if name in payload:
            get_text(payload, name, 64, CODE)
    if "text_hash" in payload:
        get_bytes(payload, "text_hash", 32)
    reader = _READERS.get(act)
    if reader is not None:
        reader(payload)


def _check_freeze(payload: Object) -> None:
    get_flag(payload, "drill")
    get_integer(payload, "from")
    check_scope(payload, "scope")
    made = get_integer(payload, "iat")
    get_integer(payload, "until", made + 1, min(made + MAX_FREEZE, MAX_INTEGER))


def _check_requirement(payload: Object) -> None:
    check_scope(payload, "scope", ("permission",))


def _check_assessment(payload: Object) -> None:
    check_scope(payload, "scope", ("holder", "permission"))
    get_bytes(payload, "document_hash", 32)
    get_text(payload, "method", 64, CODE)
    get_integer(payload, "next_due", get_integer(payload, "iat") + 1)
    get_choice(payload, "outcome", OUTCOMES)


def _check_block(payload: Object) -> None:
    get_choice(payload, "about", ABOUT)
    get_integer(payload, "level", 0, 1_000)
    get_integer(payload, "seconds", 60, MAX_BLOCK)


def _check_decision(payload: Object) -> None:
    get_integer(payload, "alert")
    if "comment_hash" in payload:
        get_bytes(payload, "comment_hash", 32)
    get_choice(payload, "decision", DECISIONS)
    get_choice(payload, "proposal", DECISIONS)
    get_text(payload, "officer", 64, REFERENCE)
    get_codes(payload, "proposal_reasons", 0, 8)


def _check_incident(payload: Object) -> None:
    check_scope(payload, "affected")
    get_integer(payload, "affected_consents")
    get_text(payload, "class", 64, CODE)
    get_integer(payload, "detected_at", 0, get_integer(payload, "iat"))
    get_integer(payload, "severity", 1, 4)
    clocks = payload["clocks"]
    rows = [clock for clock in clocks if isinstance(clock, dict)] if isinstance(clocks, list) else []
    if not isinstance(clocks, list) or not 1 <= len(rows) == len(clocks) <= 6:
        raise _bad("not a list of the expected length", "clocks", "1 to 6 objects", "another")
    for row in rows:
        check_members(row, {"due", "name"})
    dues = [get_integer(row, "due") for row in rows]
    names = [get_text(row, "name", 64, CODE) for row in rows]
    if dues != sorted(dues) or len(set(names)) != len(names):
        raise _bad("clocks are sorted by `due` and have different names", "clocks", "sorted, unique", ", ".join(names))


def _check_update(payload: Object) -> None:
    if "clock" in payload:
        get_text(payload, "clock", 64, CODE)
    get_integer(payload, "told_customers")
    get_integer(payload, "told_participants")


def _check_handover(payload: Object) -> None:
    get_text(payload, "basis", 64, CODE)
    get_integer(payload, "disclosure")
    get_text(payload, "handover_id", 64, CODE)
    get_bytes(payload, "pack_hash", 32)
    check_scope(payload, "scope")
    get_text(payload, "to", 63, PARTICIPANT)


def _check_receipt(payload: Object) -> None:
    get_integer(payload, "handover")
    get_bytes(payload, "pack_hash", 32)


_READERS: dict[str, Callable[[Object], None]] = {
    "freeze.order": _check_freeze,
    "assessment.require": _check_requirement,
    "assessment.record": _check_assessment,
    "risk.block": _check_block,
    "alert.decide": _check_decision,
    "incident.open": _check_incident,
    "incident.update": _check_update,
    "purpose.define": check_purpose,
    "case.hand_over": _check_handover,
    "case.receive": _check_receipt,
    **partner_acts.READERS,
    **history_acts.READERS,
}


def get_approvers(document: Object) -> list[str]:
    """`approved_by` of a document: two codes, sorted. That they differ is legality. Raises Refuted(BAD_ENCODING)."""
    approvers = get_texts(document, "approved_by", 2, 2)
    for text in approvers:
        if not CODE.fullmatch(text):
            raise _bad("not a code", "approved_by", CODE.pattern, text)
    if approvers[0] > approvers[1]:
        check_sorted(approvers, "approved_by")
    return approvers


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
