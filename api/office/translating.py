"""Whether terms are what a request asks for in its standard's words (docs/spec/requests.md; its mapping is requests.json).

The adapters translate by code of their own; what they come to is held against the mapping before anything is signed. The
verifier does the same from the mapping alone. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import msgspec
from msgspec import Struct

from api.office.json import NotJson, read_object
from ledger.entries.terms import Terms
from ledger.errors import InvalidInput

QUARTER: Final = 15 * 60
FARTHEST: Final = 14 * 3600
"""Seconds between UTC and the zones at its ends."""
_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Asked = Mapping[str, Any]
Rule = Mapping[str, Any]
Says = Callable[[Any], bool]
"""Whether a member of the terms, None where it is not there, is what the request asks for."""


class TermsMapping(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    maps: dict[str, dict[str, list[str]]]
    standards: dict[str, dict[str, dict[str, Rule]]]
    v: int


@lru_cache
def mapping() -> TermsMapping:
    """The mapping that the specification publishes."""
    text = resources.files(__package__).joinpath("requests.json").read_bytes()
    return msgspec.json.decode(text, type=TermsMapping)


def require_translation(terms: Terms, text: bytes) -> None:
    """Raises InvalidInput, which names the member, for terms that are no translation of the request's text. Of a standard or
    version that the mapping does not hold it says nothing."""
    rules = mapping().standards.get(terms.standard, {}).get(terms.standard_version)
    if rules is None:
        return
    try:
        asked = read_object(text)
    except NotJson as error:
        raise InvalidInput(f"the request cannot be translated into terms: {error}") from None
    said: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(terms))
    for member, rule in rules.items():
        if not _says(rule, asked, member)(said.get(member)):
            raise InvalidInput(
                f"the terms say something else about {member} than the request does (docs/spec/requests.md)",
                member=f"terms.{member}",
            )


def _says(rule: Rule, asked: Asked, member: str) -> Says:
    """Raises InvalidInput for a request that the rule refuses."""
    match dict(rule):
        case {"absent": True}:
            return lambda found: found is None
        case {"is": value}:
            return lambda found: type(found) is type(value) and found == value
        case {"not": path}:
            flag = _typed(asked, path, bool, member)
            return lambda found: found is not flag and isinstance(found, bool)
        case {"at_most": path}:
            most = _typed(asked, path, int, member)
            return lambda found: isinstance(found, int) and 1 <= found <= most
        case {"second": path}:
            second = 0 if _at(asked, path, member) is None else _second(_typed(asked, path, str, member), member)
            return lambda found: found == second
        case {"day_end": path, "open": open_}:
            day = _typed(asked, path, str, member)
            return (lambda found: found == 0) if day == open_ else _day_end(day, member)
        case {"codes": parts}:
            codes = sorted({code for part in parts for code in _codes(part, asked, member)})
            return lambda found: found == codes
        case {"filters": parts}:
            filters = [one for part in parts for one in _filter(part, asked, member)]
            return lambda found: (found or []) == sorted(filters, key=msgspec.json.encode)
        case _:
            return _says_more(rule, asked, member)


def _says_more(rule: Rule, asked: Asked, member: str) -> Says:
    """The rules of standards that write days as eight digits, and members of the terms as such. Raises InvalidInput."""
    match dict(rule):
        case {"value": path, "else": default}:
            wanted = default if _at(asked, path, member) is None else _typed(asked, path, type(default), member)
            return lambda found: type(found) is type(wanted) and found == wanted
        case {"texts": texts}:
            each = {name: _typed(asked, path, str, member) for name, path in texts.items()}
            return lambda found: found == each
        case {"day": path, "offset": minutes, "edge": edge}:
            text = "" if _at(asked, path, member) is None else _typed(asked, path, str, member)
            start = 0 if not text else _midnight(text, member) - minutes * 60 + (86_400 if edge == "end" else 0)
            return lambda found: found == start
        case {"objects": path, "members": members, "by": by}:
            objects = [] if _at(asked, path, member) is None else _objects(asked, path, members, member)
            return lambda found: (found or []) == sorted(objects, key=lambda one: one[by])
        case other:
            raise AssertionError(other)


def _codes(part: Mapping[str, Any], asked: Asked, member: str) -> Iterator[str]:
    known = mapping().maps[part["map"]]
    [(kind, path)] = [(name, value) for name, value in part.items() if name != "map"]
    if _at(asked, path, member) is None:
        return
    match kind:
        case "each":
            words = _texts(asked, path, member)
        case "names":
            words = list(_typed(asked, path, dict, member))
        case _:
            words = [_typed(asked, path, str, member)]
    for word in words:
        if word not in known:
            raise _refused(f"{word[:64]} is no word of the mapping", member)
        yield from known[word]


def _filter(part: Mapping[str, Any], asked: Asked, member: str) -> Iterator[dict[str, str]]:
    if _at(asked, part["list"], member) is not None:
        joined = ",".join(sorted(set(_texts(asked, part["list"], member))))
        yield {"field": part["field"], "op": "in", "value": joined}


def _at(asked: Asked, path: list[str], member: str) -> Any:
    """What a path leads to; None where a name on it is missing."""
    found: Any = asked
    for name in path:
        if not isinstance(found, dict):
            raise _refused(f"{'.'.join(path)} is not there to be read", member)
        if name not in found:
            return None
        found = found[name]
    if found is None:
        raise _refused(f"{'.'.join(path)} is null", member)
    return found


def _typed(asked: Asked, path: list[str], kind: type[Any], member: str) -> Any:
    found = _at(asked, path, member)
    if type(found) is not kind:
        raise _refused(f"{'.'.join(path)} is not of its type", member)
    return found


def _texts(asked: Asked, path: list[str], member: str) -> list[str]:
    found = _typed(asked, path, list, member)
    if not all(isinstance(one, str) for one in found):
        raise _refused(f"{'.'.join(path)} is not a list of texts", member)
    return list(found)


def _second(text: str, member: str) -> int:
    spelled = text.upper()
    if not _DATE_TIME.fullmatch(spelled):
        raise _refused("a date-time has another form", member)
    try:
        moment = datetime.fromisoformat(re.sub(r"\.[0-9]+", "", spelled))
    except ValueError:
        raise _refused("a date-time does not exist", member) from None
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def _day_end(text: str, member: str) -> Says:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)  # noqa: TRY301
        after = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise _refused("a date does not exist, or has another form", member) from None
    midnight = (after - date(1970, 1, 1)).days * 86_400
    return lambda found: (
        isinstance(found, int) and abs(found - midnight) <= FARTHEST and (found - midnight) % QUARTER == 0
    )


def _midnight(text: str, member: str) -> int:
    """The second at which a day of eight digits begins in UTC."""
    try:
        if not re.fullmatch("[0-9]{8}", text):
            raise ValueError(text)  # noqa: TRY301
        return (date(int(text[:4]), int(text[4:6]), int(text[6:])) - date(1970, 1, 1)).days * 86_400
    except ValueError:
        raise _refused("a day does not exist, or is not written yyyyMMdd", member) from None


def _objects(asked: Asked, path: list[str], members: list[str], member: str) -> list[dict[str, str]]:
    found = _typed(asked, path, list, member)
    for one in found:
        if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in members):
            raise _refused(f"{'.'.join(path)} is not a list of such objects", member)
    return [{name: one[name] for name in members} for one in found]


def _refused(why: str, member: str) -> InvalidInput:
    return InvalidInput(f"the request gives no terms: {why} (docs/spec/requests.md)", member=f"terms.{member}")
