"""What partners declare of themselves and of their dealings: attestations, maps, tariffs, usage (docs/spec/partners.md, 1, 3).

Members, form, and which roles may say it; whether one is legal where it stands is `rules.partners`' business.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from verifier.bytes.encoding import (
    Json,
    Object,
    check_members,
    get_bytes,
    get_flag,
    get_integer,
    get_text,
)
from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import CODE, PARTICIPANT, get_choice

CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
ANSWERS = ("agreed", "disputed")
MAX_LINES, MAX_TIERS, MAX_NAMED = 16, 8, 100
MAX_PRICE = 10**12

MEMBERS: dict[str, frozenset[str]] = {
    "attestation.give": frozenset({"attestation", "document_hash", "issuer", "kind", "valid_until"}),
    "attestation.withdraw": frozenset({"attestation", "reason"}),
    "map.publish": frozenset({"fields", "map", "map_hash", "map_version"}),
    "tariff.offer": frozenset({"currency", "from", "lines", "recipient", "tariff", "utc_offset"}),
    "tariff.accept": frozenset({"offer"}),
    "tariff.end": frozenset({"from", "offer", "reason"}),
    "usage.state": frozenset(
        {"amounts", "count", "from", "left_out", "offer", "recipient", "replaces", "root", "to", "to_index", "total"}
    ),
    "usage.answer": frozenset({"answer", "disputed", "statement"}),
}
ROLES: dict[str, tuple[str, ...]] = {
    "map.publish": ("holder",),
    "tariff.offer": ("holder",),
    "tariff.accept": ("recipient",),
    "usage.state": ("holder",),
    "usage.answer": ("recipient",),
}
_LINE = frozenset({"free", "tiers"})
_MATCHED = frozenset({"attended", "purpose", "resource", "rows_from", "rows_to"})


def _check_attestation(payload: Object) -> None:
    get_text(payload, "attestation", 64, CODE)
    get_bytes(payload, "document_hash", 32)
    get_text(payload, "issuer", 200)
    get_text(payload, "kind", 64, CODE)
    get_integer(payload, "valid_until", get_integer(payload, "iat") + 1)


def _check_withdrawal(payload: Object) -> None:
    get_text(payload, "attestation", 64, CODE)


def _check_map(payload: Object) -> None:
    get_integer(payload, "fields")
    get_text(payload, "map", 64, CODE)
    get_bytes(payload, "map_hash", 32)
    get_integer(payload, "map_version", 1)


def _check_offer(payload: Object) -> None:
    get_text(payload, "currency", 3, CURRENCY)
    get_integer(payload, "from")
    if payload["recipient"] != "":  # which is any
        get_text(payload, "recipient", 63, PARTICIPANT)
    get_text(payload, "tariff", 64, CODE)
    get_integer(payload, "utc_offset", -840, 840)
    for line in _objects(payload["lines"], "lines", 1, MAX_LINES):
        _check_line(line)


def _check_line(line: Object) -> None:
    check_members(line, _LINE, _MATCHED)
    if "attended" in line:
        get_flag(line, "attended")
    for name in ("purpose", "resource"):
        if name in line:
            get_text(line, name, 64, CODE)
    low = get_integer(line, "rows_from") if "rows_from" in line else 0
    if "rows_to" in line:
        get_integer(line, "rows_to", low)
    get_integer(line, "free")
    begins = []
    for tier in _objects(line["tiers"], "tiers", 1, MAX_TIERS):
        check_members(tier, {"from", "price"})
        begins.append(get_integer(tier, "from"))
        get_integer(tier, "price", 0, MAX_PRICE)
    if begins[0] or begins != sorted(set(begins)):
        raise _bad(
            "the tiers of a line begin at 0 and rise", "tiers", "0 first, then rising", ", ".join(map(str, begins))
        )


def _check_end(payload: Object) -> None:
    get_integer(payload, "from", get_integer(payload, "iat") + 1)
    get_integer(payload, "offer")


def _check_acceptance(payload: Object) -> None:
    get_integer(payload, "offer")


def _check_usage(payload: Object) -> None:
    for amount in _objects(payload["amounts"], "amounts", 1, MAX_LINES):
        check_members(amount, {"amount", "count"})
        get_integer(amount, "amount")
        get_integer(amount, "count")
    for name in ("count", "from", "offer", "to", "to_index", "total"):
        get_integer(payload, name)
    get_text(payload, "recipient", 63, PARTICIPANT)
    get_integer(payload, "replaces", -1)
    get_bytes(payload, "root", 32)
    _check_named(payload, "left_out")


def _check_answer(payload: Object) -> None:
    get_integer(payload, "statement")
    answer, disputed = get_choice(payload, "answer", ANSWERS), _check_named(payload, "disputed")
    if (answer == "agreed") != (not disputed):
        raise _bad("entries are named exactly if the statement is disputed", "disputed", answer, f"{disputed} entries")


def _check_named(payload: Object, name: str) -> int:
    """Entries that are named with a reason each; how many."""
    rows = _objects(payload[name], name, 0, MAX_NAMED)
    indexes = []
    for row in rows:
        check_members(row, {"index", "reason"})
        indexes.append(get_integer(row, "index"))
        get_text(row, "reason", 64, CODE)
    if indexes != sorted(set(indexes)):
        raise _bad("the entries are not sorted, each once", name, "rising indexes", ", ".join(map(str, indexes[:8])))
    return len(rows)


def _objects(rows: Json, name: str, low: int, high: int) -> list[Object]:
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not isinstance(rows, list) or not low <= len(found) == len(rows) <= high:
        raise _bad("not a list of the expected length", name, f"{low} to {high} objects", "another")
    return found


READERS: dict[str, Callable[[Object], None]] = {
    "attestation.give": _check_attestation,
    "attestation.withdraw": _check_withdrawal,
    "map.publish": _check_map,
    "tariff.offer": _check_offer,
    "tariff.accept": _check_acceptance,
    "tariff.end": _check_end,
    "usage.state": _check_usage,
    "usage.answer": _check_answer,
}
"""The form of each. They raise Refuted(BAD_ENCODING)."""


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
