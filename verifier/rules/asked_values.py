"""What a request says of one member of the terms (docs/spec/requests.md, the rules without parts)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from verifier.bytes.encoding import Object

Path = list[str | int]
Fits = Callable[[object], bool]
"""Whether a member of the terms (None: not there) is what the request asks for."""
Wanted = tuple[str, Fits]
"""That, and what it asks for in words."""

MAX_OFFSET = 14 * 4
"""Quarters of an hour between UTC and the zones at its ends."""
MOST_OFTEN, MOST_DAYS, MOST_CHARACTERS = 10_000, 36_500, 200
_BESIDE = "apart by clean edge else fixed lenient members most offset open per text unit units unless"
BESIDE = set(_BESIDE.split())
"""Members of a rule beside the one that names it."""
_TIME = r"[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
_MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})" + _TIME + r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")
_LENIENT = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})" + _TIME + r"(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))")
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_WHITE = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""Unicode `White_Space`, but for the controls."""
_SPREAD: dict[str, Callable[[int], int]] = {
    "day": lambda often: often,
    "hour": lambda often: min(often * 24, MOST_OFTEN),
    "month": lambda often: max(often // 30, 1),
    "year": lambda often: max(often // 365, 1),
}
"""What a number for a period is in terms that count days."""


class NoTerms(Exception):
    """The rules refuse the request: it gives no terms."""


@dataclass(frozen=True)
class Asked:
    """A request: its text, when it was signed (seconds), and the terms that say to be its translation."""

    text: object
    at: int
    terms: Object


@dataclass(frozen=True)
class ValueRule:
    """A rule, and the members that may stand beside its name."""

    apply: Callable[[Object, Asked], Wanted]
    members: set[str]


def _exactly(wanted: object) -> Wanted:
    return shown(wanted), lambda said: type(said) is type(wanted) and said == wanted


def _absent(_: Object, __: Asked) -> Wanted:
    return "no such member", lambda said: said is None


def _is(rule: Object, _: Asked) -> Wanted:
    return _exactly(rule["is"])


def _not(rule: Object, asked: Asked) -> Wanted:
    there = needed(asked, rule["not"])
    if type(there) is not bool:
        refuse(f"{dotted(path_of(rule['not']))} is no boolean")
    return _exactly(not there)


def _at_most(rule: Object, asked: Asked) -> Wanted:
    path = path_of(rule["at_most"])
    most = whole_at(needed(asked, path) if "else" not in rule else _or_else(at(asked.text, path), rule["else"]), path)
    return f"1 to {most}", lambda said: type(said) is int and 1 <= said <= most


def _second(rule: Object, asked: Asked) -> Wanted:
    path = path_of(rule["second"])
    there = at(asked.text, path)
    if there is None or text_at(there, path) == rule.get("open"):
        return _exactly(0)
    return _exactly(_moment(text_at(there, path), dotted(path), _LENIENT if rule.get("lenient") is True else _MOMENT))


def _day_end(rule: Object, asked: Asked) -> Wanted:
    path = path_of(rule["day_end"])
    there = at(asked.text, path)
    if there is None and rule["open"] == "":
        return _exactly(0)
    text = text_at(needed(asked, path), path)
    if text == rule["open"]:
        return _exactly(0)
    found = _DAY.fullmatch(text)
    if found is None:
        refuse(f"{dotted(path)} is no date")
    end = (_day_of(found, dotted(path)) + 1) * 96  # in quarters of an hour
    return (
        f"the end of {text}",
        lambda said: type(said) is int and said % 900 == 0 and abs(said // 900 - end) <= MAX_OFFSET,
    )


def _value(rule: Object, asked: Asked) -> Wanted:
    path = path_of(rule["value"])
    wanted = _or_else(at(asked.text, path), rule["else"])
    if type(wanted) is not type(rule["else"]):
        refuse(f"{dotted(path)} is of another type")
    return _exactly(wanted)


def _texts(rule: Object, asked: Asked) -> Wanted:
    instead, clean = members_of(rule.get("else")), items_of(rule.get("clean"))
    wanted: dict[str, str] = {}
    for name, value in sorted(members_of(rule["texts"]).items(), key=lambda one: one[0] != "code"):
        path = path_of(value)
        there = at(asked.text, path)
        text = None if there is None else text_at(there, path)
        if text is not None and name in clean:
            text = _CONTROL.sub(" ", text).strip(_WHITE)[:MOST_CHARACTERS]
        if name in instead and (text is None or (text == "" and name in clean)):
            text = str(instead[name]).replace("{code}", wanted.get("code", ""))
        if text is None:
            refuse(f"{dotted(path)} is not there")
        wanted[name] = text
    return _exactly(wanted)


def _text_is(rule: Object, asked: Asked) -> Wanted:
    path = path_of(rule["text_is"])
    return _exactly(text_at(needed(asked, path), path) == rule["text"])


def _zero(rule: Object, asked: Asked) -> Wanted:
    path = path_of(rule["zero"])
    return _exactly(_count(asked, path) == 0)


def _after(rule: Object, asked: Asked) -> Wanted:
    number, unit, apart = _count(asked, path_of(rule["after"])), _number(rule["unit"]), _number(rule["apart"])
    if number == 0 and "else" not in rule:
        return _exactly(0)
    away = number * unit if number else _number(rule["else"])
    if "most" in rule:
        away = min(away, _number(rule["most"]))
    bound = asked.at + away
    if unit > 0:
        return f"1 to {bound + apart}", lambda said: type(said) is int and 1 <= said <= bound + apart
    least = bound - apart
    return f"{least} or later", lambda said: type(said) is int and said >= least and (said != 0 or bound <= 0)


def _rate(rule: Object, asked: Asked) -> Wanted:
    number = _double(asked, path_of(rule["rate"]))
    period = str(_of_unit(rule, asked))
    often = min(max(math.floor(number), 1), MOST_OFTEN)
    counted = asked.terms.get("frequency_period")
    if period == "":
        return "0 without a period", lambda said: counted is None and type(said) is int and said == 0
    if counted is not None:
        return f"{often} a {period}", lambda said: counted == period and type(said) is int and said == often
    return _exactly(_SPREAD[period](often))


def _span(rule: Object, asked: Asked) -> Wanted:
    unless = path_of(rule["unless"])
    fixed, there = members_of(rule["fixed"]), at(asked.text, unless)
    if there is not None and text_at(there, unless) in fixed:
        return _exactly(fixed[text_at(there, unless)])
    number, days = _double(asked, path_of(rule["span"])), _number(_of_unit(rule, asked))
    if days == 0:
        return _exactly(0)
    product = number * float(days)
    if not math.isfinite(product):
        refuse(f"{dotted(path_of(rule['span']))} is too much")
    return _exactly(min(max(math.floor(product), 1), MOST_DAYS))


def _day_edge(rule: Object, asked: Asked) -> Wanted:
    path = path_of(rule["day"])
    there = at(asked.text, path)
    text = "" if there is None else text_at(there, path)
    if text == "":
        return _exactly(0)
    found = _DIGITS.fullmatch(text)
    if found is None:
        refuse(f"{dotted(path)} is no day of eight digits")
    return _exactly((_day_of(found, dotted(path)) + (rule["edge"] == "end")) * 86_400 - _number(rule["offset"]) * 60)


def _objects(rule: Object, asked: Asked) -> Wanted:
    path, names = path_of(rule["objects"]), [str(name) for name in items_of(rule["members"])]
    there = at(asked.text, path)
    if there is not None and type(there) is not list:
        refuse(f"{dotted(path)} is no list")
    rows: list[dict[str, str]] = []
    for one in there or []:
        if type(one) is not dict or not all(type(one.get(name)) is str for name in names):
            refuse(f"{dotted(path)} is no list of such objects")
        rows.append({name: one[name] for name in names})
    wanted = sorted(rows, key=lambda one: one[str(rule["by"])]) or None
    return shown(wanted), lambda said: said == wanted


RULES = {
    "absent": ValueRule(_absent, set()),
    "after": ValueRule(_after, {"apart", "else", "most", "unit"}),
    "at_most": ValueRule(_at_most, {"else"}),
    "day": ValueRule(_day_edge, {"edge", "offset"}),
    "day_end": ValueRule(_day_end, {"open"}),
    "is": ValueRule(_is, set()),
    "not": ValueRule(_not, set()),
    "objects": ValueRule(_objects, {"by", "members"}),
    "rate": ValueRule(_rate, {"per", "units"}),
    "second": ValueRule(_second, {"lenient", "open"}),
    "span": ValueRule(_span, {"fixed", "per", "units", "unless"}),
    "text_is": ValueRule(_text_is, {"text"}),
    "texts": ValueRule(_texts, {"clean", "else"}),
    "value": ValueRule(_value, {"else"}),
    "zero": ValueRule(_zero, set()),
}


# -- reading ----------------------------------------------------------------------------------------------------------


def at(value: object, path: Path) -> object:
    """What a path leads to; None if a name or a place on it is missing. Raises NoTerms."""
    for depth, step in enumerate(path):
        if type(value) is not (list if isinstance(step, int) else dict):
            refuse(f"{dotted(path[:depth]) or 'the request'} is no {'list' if isinstance(step, int) else 'object'}")
        assert isinstance(value, dict | list)  # noqa: S101 - seen above
        if isinstance(value, list):
            if not (isinstance(step, int) and 0 <= step < len(value)):
                return None
            value = value[step]
        elif step not in value:
            return None
        else:
            value = value[str(step)]
    if value is None:
        refuse(f"{dotted(path)} is null")
    return value


def needed(asked: Asked, path: object) -> object:
    """What a path leads to. Raises NoTerms where nothing is there."""
    there = at(asked.text, path_of(path))
    if there is None:
        refuse(f"{dotted(path_of(path))} is not there")
    return there


def text_at(there: object, path: Path) -> str:
    """A text. Raises NoTerms."""
    if type(there) is not str:
        refuse(f"{dotted(path)} is no text")
    return there


def texts_at(there: object, path: Path) -> list[str]:
    """A list of texts. Raises NoTerms."""
    if type(there) is not list or not all(type(one) is str for one in there):
        refuse(f"{dotted(path)} is no list of texts")
    return there


def whole_at(there: object, path: Path) -> int:
    """A whole number. Raises NoTerms."""
    if type(there) is not int:
        refuse(f"{dotted(path)} is no whole number")
    return there


def _count(asked: Asked, path: Path) -> int:
    """A whole number that is not below 0; 0 if absent."""
    number = whole_at(_or_else(at(asked.text, path), 0), path)
    if number < 0:
        refuse(f"{dotted(path)} is below 0")
    return number


def _double(asked: Asked, path: Path) -> float:
    there = needed(asked, path)
    if type(there) not in (int, float):
        refuse(f"{dotted(path)} is no number")
    try:
        number = float(str(there))
    except ValueError:  # a whole number of more digits than Python reads
        number = math.inf
    if not math.isfinite(number) or number < 0:
        refuse(f"{dotted(path)} is negative or too great")
    return number


def _of_unit(rule: Object, asked: Asked) -> object:
    """What `units` has for the unit of a request."""
    path, units = path_of(rule["per"]), members_of(rule["units"])
    unit = text_at(needed(asked, path), path)
    if unit not in units:
        refuse(f"{dotted(path)} is no unit of the mapping")
    return units[unit]


def _number(value: object) -> int:
    """A number of the mapping itself."""
    return value if isinstance(value, int) else 0


def _or_else(there: object, instead: object) -> object:
    return instead if there is None else there


def _moment(text: str, where: str, form: re.Pattern[str]) -> int:
    """Seconds since 1970."""
    found = form.fullmatch(text)
    if found is None:
        refuse(f"{where} is no date-time with an offset")
    hour, minute, second = (int(found[n]) for n in (4, 5, 6))
    away, apart = (int(found[n] or 0) for n in (8, 9))
    if hour > 23 or minute > 59 or second > 59 or away > 23 or apart > 59:
        refuse(f"{where} is no time of a day")
    offset = (away * 60 + apart) * (-60 if found[7] == "-" else 60)
    return _day_of(found, where) * 86_400 + hour * 3_600 + minute * 60 + second - offset


def _day_of(found: re.Match[str], where: str) -> int:
    """Days since 1970 of a date that exists."""
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year == 0 or not 1 <= month <= 12:
        refuse(f"{where} is no date that exists")
    if not 1 <= day <= _DAYS_BEFORE[month] - _DAYS_BEFORE[month - 1] + (leap and month == 2):
        refuse(f"{where} is no date that exists")
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400
    return days + _DAYS_BEFORE[month - 1] + (leap and month > 2) + day - 1 - 719_162


def shown(value: object) -> str:
    """A value in words."""
    if value is None:
        return "no such member"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def members_of(value: object) -> Object:
    """The members of an object of the mapping; of anything else none."""
    return value if isinstance(value, dict) else {}


def items_of(value: object) -> list[object]:
    """The items of a list of the mapping; of anything else none."""
    return value if isinstance(value, list) else []


def path_of(value: object) -> Path:
    """A path of the mapping."""
    return [step if type(step) is int else str(step) for step in items_of(value)]


def dotted(path: Path) -> str:
    """A path as people read it."""
    return ".".join(map(str, path))


def refuse(why: str) -> NoReturn:
    """Raises NoTerms."""
    raise NoTerms(why)
