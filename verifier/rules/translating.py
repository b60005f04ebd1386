"""Requests in the words of a standard, translated into terms again (docs/spec/requests.md). Written from that page and from
its mapping, `requests.json`, which lies beside this file as it was published."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import NoReturn

from verifier.bytes.encoding import Object, encode_canonical
from verifier.errors import printable

Path = list[str]
Difference = tuple[str, str, str]
"""Member of the terms (empty: the text as a whole), what the request asks for, what the terms say."""

MAX_OFFSET = 14 * 4
"""Quarters of an hour between UTC and the zones at its ends."""
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)


_BESIDE = {"by", "edge", "else", "members", "offset", "open"}
"""Members of a rule beside the one that names it."""


class _NoTerms(Exception):
    """The rules refuse the request: it gives no terms."""


class Mapping:
    """The published mapping, or another of its form."""

    def __init__(self, document: Object | None = None) -> None:
        if document is None:
            document = json.loads((files("verifier.rules") / "requests.json").read_bytes())
        self._standards, self._maps = _members(document["standards"]), _members(document["maps"])

    def holds(self, terms: Object) -> bool:
        """Whether requests of the standard and version that the terms name are translated here."""
        return self._rules(terms) is not None

    def differences(self, terms: Object, text: bytes) -> list[Difference]:
        """Where the terms are not what the text asks for; none if they are its translation."""
        try:
            asked = _read(text)
        except _NoTerms as refusal:
            return [("", "a request that gives terms", str(refusal))]
        found: list[Difference] = []
        for member, rule in sorted((self._rules(terms) or {}).items()):
            said = terms.get(member)
            try:
                wanted, fits = self._apply(_members(rule), asked)
            except _NoTerms as refusal:
                found.append((member, f"nothing: {refusal}", _shown(said)))
                continue
            if not fits(said):
                found.append((member, wanted, _shown(said)))
        return found

    def _rules(self, terms: Object) -> Object | None:
        versions = self._standards.get(str(terms["standard"]))
        rules = _members(versions).get(str(terms["standard_version"])) if versions is not None else None
        return None if rules is None else _members(rules)

    def _apply(self, rule: Object, asked: object) -> tuple[str, Callable[[object], bool]]:
        """What a rule asks for, in words, and whether a member of the terms (None: not there) is that."""
        [name] = rule.keys() - _BESIDE
        value = rule[name]
        if name in _LATER:
            return _LATER[name](rule, asked)
        if name == "absent":
            return "no such member", lambda said: said is None
        if name == "is":
            return _shown(value), lambda said: type(said) is type(value) and said == value
        if name in ("codes", "filters"):
            parts = [_members(part) for part in _items(value)]
            if name == "codes":
                codes: object = sorted({code for part in parts for code in self._codes(part, asked)})
            else:
                filters = [one for part in parts for one in _filters(part, asked)]
                codes = sorted(filters, key=encode_canonical) or None
            return _shown(codes), lambda said: said == codes
        return _of_one_value(name, _path(value), rule.get("open"), asked)

    def _codes(self, part: Object, asked: object) -> Iterator[str]:
        [kind] = part.keys() - {"map"}
        path = _path(part[kind])
        there = _at(asked, path)
        if there is None:
            return
        words = {"each": _each, "names": _names, "text": _one}[kind](there, path)
        known = _members(self._maps[str(part["map"])])
        for word in words:
            if word not in known:
                _refuse(f"«{printable(word, 64)}» at {'.'.join(path)} is no word of the mapping")
            yield from map(str, _items(known[word]))


def _of_one_value(name: str, path: Path, open_end: object, asked: object) -> tuple[str, Callable[[object], bool]]:
    there, where = _at(asked, path), ".".join(path)
    if name == "second" and there is None:
        return "0", lambda said: said == 0
    if there is None:
        _refuse(f"{where} is not there")
    if name == "not":
        if type(there) is not bool:
            _refuse(f"{where} is no boolean")
        return _shown(not there), lambda said: said is (not there)
    if name == "at_most":
        if type(there) is not int:
            _refuse(f"{where} is no whole number")
        most = there
        return f"1 to {most}", lambda said: type(said) is int and 1 <= said <= most
    if type(there) is not str:
        _refuse(f"{where} is no text")
    if name == "second":
        moment = _moment(there, where)
        return str(moment), lambda said: said == moment
    if there == open_end:
        return "0", lambda said: said == 0
    found = _DAY.fullmatch(there)
    if found is None:
        _refuse(f"{where} is no date")
    end = (_day(found, where) + 1) * 96  # in quarters of an hour
    return (
        f"the end of {there}",
        lambda said: type(said) is int and said % 900 == 0 and abs(said // 900 - end) <= MAX_OFFSET,
    )


def _value(rule: Object, asked: object) -> tuple[str, Callable[[object], bool]]:
    default, path = rule["else"], _path(rule["value"])
    there = _at(asked, path)
    wanted = default if there is None else there
    if type(wanted) is not type(default):
        _refuse(f"{'.'.join(path)} is of another type")
    return _shown(wanted), lambda said: type(said) is type(wanted) and said == wanted


def _texts(rule: Object, asked: object) -> tuple[str, Callable[[object], bool]]:
    wanted = {}
    for name, value in _members(rule["texts"]).items():
        path = _path(value)
        [wanted[name]] = _one(_at(asked, path), path)
    return _shown(wanted), lambda said: said == wanted


def _day_edge(rule: Object, asked: object) -> tuple[str, Callable[[object], bool]]:
    path = _path(rule["day"])
    there = _at(asked, path)
    [text] = [""] if there is None else _one(there, path)
    second = 0
    if text:
        found = _DIGITS.fullmatch(text)
        if found is None:
            _refuse(f"{'.'.join(path)} is no day of eight digits")
        second = (_day(found, ".".join(path)) + (rule["edge"] == "end")) * 86_400 - int(str(rule["offset"])) * 60
    return str(second), lambda said: said == second


def _objects(rule: Object, asked: object) -> tuple[str, Callable[[object], bool]]:
    path, names = _path(rule["objects"]), [str(name) for name in _items(rule["members"])]
    there = _at(asked, path)
    if there is not None and type(there) is not list:
        _refuse(f"{'.'.join(path)} is no list")
    rows: list[dict[str, str]] = []
    for one in there or []:
        if type(one) is not dict or not all(type(one.get(name)) is str for name in names):
            _refuse(f"{'.'.join(path)} is no list of such objects")
        rows.append({name: one[name] for name in names})
    wanted = sorted(rows, key=lambda one: one[str(rule["by"])]) or None
    return _shown(wanted), lambda said: said == wanted


_LATER = {"day": _day_edge, "objects": _objects, "texts": _texts, "value": _value}


def _read(text: bytes) -> object:
    """The JSON object of a request. Raises _NoTerms."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        _refuse(f"the text is no JSON: {printable(error, 80)}")
    if type(value) is not dict:
        _refuse("the text is no JSON object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        _refuse("an object has a name twice")
    return members


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is no number")


def _at(value: object, path: Path) -> object:
    """What a path leads to; None if a name on it is missing."""
    for depth, name in enumerate(path):
        if type(value) is not dict:
            _refuse(f"{'.'.join(path[:depth])} is no object")
        if name not in value:
            return None
        value = value[name]
    if value is None:
        _refuse(f"{'.'.join(path)} is null")
    return value


def _each(there: object, path: Path) -> list[str]:
    if type(there) is not list or not all(type(one) is str for one in there):
        _refuse(f"{'.'.join(path)} is no list of texts")
    return there


def _names(there: object, path: Path) -> list[str]:
    if type(there) is not dict:
        _refuse(f"{'.'.join(path)} is no object")
    return list(there)


def _one(there: object, path: Path) -> list[str]:
    if type(there) is not str:
        _refuse(f"{'.'.join(path)} is no text")
    return [there]


def _filters(part: Object, asked: object) -> Iterator[Object]:
    path = _path(part["list"])
    there = _at(asked, path)
    if there is not None:
        yield {"field": part["field"], "op": "in", "value": ",".join(sorted(set(_each(there, path))))}


def _moment(text: str, where: str) -> int:
    """Seconds since 1970."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        _refuse(f"{where} is no date-time with an offset")
    hour, minute, second = (int(found[n]) for n in (4, 5, 6))
    away, apart = (int(found[n] or 0) for n in (8, 9))
    if hour > 23 or minute > 59 or second > 59 or away > 23 or apart > 59:
        _refuse(f"{where} is no time of a day")
    offset = (away * 60 + apart) * (-60 if found[7] == "-" else 60)
    return _day(found, where) * 86_400 + hour * 3_600 + minute * 60 + second - offset


def _day(found: re.Match[str], where: str) -> int:
    """Days since 1970 of a date that exists."""
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year == 0 or not 1 <= month <= 12:
        _refuse(f"{where} is no date that exists")
    if not 1 <= day <= _DAYS_BEFORE[month] - _DAYS_BEFORE[month - 1] + (leap and month == 2):
        _refuse(f"{where} is no date that exists")
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400
    return days + _DAYS_BEFORE[month - 1] + (leap and month > 2) + day - 1 - 719_162


def _shown(value: object) -> str:
    if value is None:
        return "no such member"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _members(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _path(value: object) -> Path:
    return [str(name) for name in _items(value)]


def _refuse(why: str) -> NoReturn:
    raise _NoTerms(why)
