"""The rules of the mapping, each a function of a request (docs/spec/requests.md). Pure."""

from __future__ import annotations

import math
import re
from typing import Any, Final, NamedTuple

import msgspec

from api.office.request_values import (
    Asked,
    Path,
    Rule,
    Says,
    at,
    day_end,
    midnight,
    number,
    objects,
    refused,
    second,
    typed,
)
from api.office.request_words import Maps, codes, filters

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_LONGEST: Final = 200
"""Characters of a text in terms."""
_MOST: Final = 10_000
"""Reads in a period that terms can say."""
_MOST_DAYS: Final = 36_500


class HeldAgainst(NamedTuple):
    """What a rule is held against."""

    asked: Asked
    """The request."""
    terms: dict[str, Any]
    """As the log holds them."""
    at: int
    """When it was asked: `iat` of the statement, in seconds."""
    maps: Maps


def says(rule: Rule, told: HeldAgainst, member: str) -> Says:
    """Raises InvalidInput for a request that the rule refuses."""
    asked = told.asked
    match dict(rule):
        case {"absent": True}:
            return lambda found: found is None
        case {"is": value}:
            return lambda found: type(found) is type(value) and found == value
        case {"not": path}:
            flag = typed(asked, path, bool, member)
            return lambda found: found is not flag and isinstance(found, bool)
        case {"text_is": path, "text": text}:
            alike = typed(asked, path, str, member) == text
            return lambda found: found is alike
        case {"zero": path}:
            nothing = at(asked, path, member) is None or _whole(asked, path, member) == 0
            return lambda found: found is nothing
        case {"value": path, "else": default}:
            wanted = default if at(asked, path, member) is None else typed(asked, path, type(default), member)
            return lambda found: type(found) is type(wanted) and found == wanted
        case {"codes": parts}:
            given = sorted({code for part in parts for code in codes(part, asked, told.maps, member)})
            return lambda found: found == given
        case {"some_codes": parts}:
            most = {code for part in parts for code in codes(part, asked, told.maps, member)}
            return lambda found: bool(found) and most.issuperset(found)
        case {"filters": parts}:
            rows = [one for part in parts for one in filters(part, asked, told.maps, member)]
            wanted_rows = sorted({msgspec.json.encode(one) for one in rows})
            return lambda found: [msgspec.json.encode(one) for one in found or []] == wanted_rows
        case {"texts": _} | {"objects": _}:
            return _objects_of(rule, asked, member)
        case {"at_most": _} | {"rate": _} | {"span": _}:
            return _count(rule, told, member)
        case _:
            return _time(rule, told, member)


def _time(rule: Rule, told: HeldAgainst, member: str) -> Says:
    asked = told.asked
    match dict(rule):
        case {"second": path}:
            said = None if at(asked, path, member) is None else typed(asked, path, str, member)
            if said is None or said == rule.get("open"):
                return lambda found: found == 0
            moment = second(said, member, lenient=rule.get("lenient", False))
            return lambda found: found == moment
        case {"day_end": path, "open": open_}:
            day = "" if open_ == "" and at(asked, path, member) is None else typed(asked, path, str, member)
            return (lambda found: found == 0) if day == open_ else day_end(day, member)
        case {"day": path, "offset": minutes, "edge": edge}:
            text = "" if at(asked, path, member) is None else typed(asked, path, str, member)
            start = 0 if not text else midnight(text, member) - minutes * 60 + (86_400 if edge == "end" else 0)
            return lambda found: found == start
        case {"after": path, "unit": unit, "apart": apart}:
            count = 0 if at(asked, path, member) is None else _whole(asked, path, member)
            if not count and "else" not in rule:
                return lambda found: found == 0
            away = count * unit if count else rule["else"]
            bound = told.at + min(away, rule.get("most", away))
            if unit < 0:
                least = max(1 if bound > 0 else 0, bound - apart)
                return lambda found: isinstance(found, int) and found >= least
            return lambda found: isinstance(found, int) and 1 <= found <= bound + apart
        case other:
            raise AssertionError(other)


def _count(rule: Rule, told: HeldAgainst, member: str) -> Says:
    asked = told.asked
    match dict(rule):
        case {"at_most": path}:
            absent = "else" in rule and at(asked, path, member) is None
            most = rule["else"] if absent else typed(asked, path, int, member)
            return lambda found: isinstance(found, int) and 1 <= found <= most
        case {"rate": path, "per": per, "units": units}:
            period, value = _unit(units, asked, per, member), number(asked, path, member)
            count = min(_MOST, max(1, math.floor(value))) if period else 0
            stated = told.terms.get("frequency_period", "day")
            wanted = count if stated == (period or "day") else _spread(count, period) if stated == "day" else None
            return lambda found: found == wanted
        case {"span": path, "per": per, "units": units}:
            told_apart = at(asked, rule["unless"], member) is not None
            fixed = rule["fixed"].get(typed(asked, rule["unless"], str, member)) if told_apart else None
            if fixed is None:
                fixed = _days(_unit(units, asked, per, member), number(asked, path, member), member)
            return lambda found: found == fixed
        case other:
            raise AssertionError(other)


def _days(unit: float, value: float, member: str) -> int:
    """So many units of so many days each."""
    if not unit:
        return 0
    if not math.isfinite(value * unit):
        raise refused("so many days are not finite", member)
    return min(_MOST_DAYS, max(1, math.floor(value * unit)))


def _spread(count: int, period: str) -> int:
    """So many in a period, in a log that counts days."""
    if period == "hour":
        return min(_MOST, count * 24)
    return max(1, count // (30 if period == "month" else 365))


def _objects_of(rule: Rule, asked: Asked, member: str) -> Says:
    match dict(rule):
        case {"texts": texts}:
            usual, made = rule.get("else", {}), dict[str, str]()
            for name, path in sorted(texts.items()):
                missing = name in usual and at(asked, path, member) is None
                text = "" if missing else typed(asked, path, str, member)
                if name in rule.get("clean", ()):
                    text = _CONTROLS.sub(" ", text).strip()[:_LONGEST]
                    missing = missing or not text
                made[name] = usual[name].replace("{code}", made.get("code", "")) if missing else text
            return lambda found: found == made
        case {"objects": path, "members": members, "by": by}:
            rows = [] if at(asked, path, member) is None else objects(asked, path, members, member)
            return lambda found: (found or []) == sorted(rows, key=lambda one: one[by])
        case other:
            raise AssertionError(other)


def _unit(units: dict[str, Any], asked: Asked, path: Path, member: str) -> Any:
    unit = typed(asked, path, str, member)
    if unit not in units:
        raise refused(f"{unit[:64]} is no unit of the mapping", member)
    return units[unit]


def _whole(asked: Asked, path: Path, member: str) -> int:
    found = typed(asked, path, int, member)
    if found < 0:
        raise refused("a number is negative", member)
    return int(found)
