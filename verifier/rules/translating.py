"""Requests in the words of a standard, translated into terms again (docs/spec/requests.md). Written from that page and from
its mapping, `requests.json`, which lies beside this file as it was published. The rules of single members: `asked_values`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import NoReturn

from verifier.bytes.encoding import Object, encode_canonical
from verifier.errors import printable
from verifier.rules.asked_values import (
    BESIDE,
    RULES,
    Asked,
    Fits,
    NoTerms,
    Path,
    at,
    dotted,
    items_of,
    members_of,
    path_of,
    refuse,
    shown,
    text_at,
    texts_at,
)

Difference = tuple[str, str, str]
"""Member of the terms (empty: the text as a whole), what the request asks for, what the terms say."""

CODES = {"codes", "some_codes"}
_PARTS = {"each", "in_each", "names", "text", "words"}
_FILTERS = ({"field", "list"}, {"field", "fields", "op", "ops", "rows", "value"})


class Mapping:
    """The published mapping, or another of its form."""

    def __init__(self, document: Object | None = None) -> None:
        if document is None:
            document = json.loads((files("verifier.rules") / "requests.json").read_bytes())
        self._maps = members_of(document["maps"])
        self._acts = {
            "consent.request": members_of(document["standards"]),
            "consent.amend": members_of(document.get("changes")),
        }

    def holds(self, terms: Object, act: str = "consent.request") -> bool:
        """Whether requests of the standard and version that the terms name are translated here: all rules are known ones."""
        rules = self._rules(terms, act)
        return rules is not None and all(_is_known(members_of(rule)) for rule in rules.values())

    def differences(
        self, terms: Object, text: bytes, asked_at: int = 0, act: str = "consent.request"
    ) -> list[Difference]:
        """Where the terms are not what the text asks for; none if they are its translation. `asked_at`: seconds."""
        try:
            asked = Asked(_read(text), asked_at, terms)
        except NoTerms as refusal:
            return [("", "a request that gives terms", str(refusal))]
        found: list[Difference] = []
        for member, rule in sorted((self._rules(terms, act) or {}).items()):
            said = terms.get(member)
            try:
                wanted, fits = self._apply(members_of(rule), asked)
            except NoTerms as refusal:
                found.append((member, f"nothing: {refusal}", shown(said)))
                continue
            if not fits(said):
                found.append((member, wanted, shown(said)))
        return found

    def _rules(self, terms: Object, act: str) -> Object | None:
        versions = self._acts.get(act, {}).get(str(terms.get("standard")))
        rules = members_of(versions).get(str(terms.get("standard_version")))
        return rules if isinstance(rules, dict) else None

    def _apply(self, rule: Object, asked: Asked) -> tuple[str, Fits]:
        """What a rule asks for, in words, and whether a member of the terms (None: not there) is that."""
        [name] = rule.keys() - BESIDE
        parts = [members_of(part) for part in items_of(rule[name])]
        if name == "filters":
            given = {encode_canonical(one): one for part in parts for one in self._filters(part, asked.text)}
            filters = [given[key] for key in sorted(given)] or None
            return shown(filters), lambda said: said == filters
        if name in CODES:
            codes = sorted({code for part in parts for code in self._codes(part, asked.text)})
            if name == "codes":
                return shown(codes), lambda said: said == codes
            return f"some of {shown(codes)}", lambda said: _is_part(said, codes)
        return RULES[name].apply(rule, asked)

    def _codes(self, part: Object, text: object) -> list[str]:
        [kind] = part.keys() & _PARTS
        path = path_of(part[kind])
        there = at(text, path)
        words = [] if there is None else _words(kind, part, there, path)
        codes = [code for word in words for code in self._looked_up(part["map"], word, path)]
        if "only_with" in part:
            only = path_of(part["only_with"])
            listed = at(text, only)
            if listed is None or not set(texts_at(listed, only)) & set(map(str, items_of(part["one_of"]))):
                return []
        return codes

    def _looked_up(self, name: object, word: str, path: Path) -> list[str]:
        known = members_of(self._maps.get(str(name)))
        if word not in known:
            refuse(f"«{printable(word, 64)}» at {dotted(path)} is no word of the mapping")
        return [str(code) for code in items_of(known[word])]

    def _filters(self, part: Object, text: object) -> Iterator[Object]:
        path = path_of(part.get("list", part.get("rows")))
        there = at(text, path)
        if there is None:
            return
        if "list" in part:
            yield {"field": part["field"], "op": "in", "value": ",".join(sorted(set(texts_at(there, path))))}
            return
        for row in _objects(there, path):
            field, op, value = (text_at(at(row, [str(part[name])]), path) for name in ("field", "op", "value"))
            [code] = self._looked_up(part["fields"], field, path)
            [sign] = self._looked_up(part["ops"], op, path)
            yield {"field": code, "op": sign, "value": value}


def _is_known(rule: Object) -> bool:
    """Whether a rule, and each part of it, has a name and members that this program knows."""
    names = rule.keys() - BESIDE
    if len(names) != 1:
        return False
    [name] = names
    parts = [members_of(part) for part in items_of(rule[name])]
    if name == "filters":
        return rule.keys() == {name} and all(part.keys() in _FILTERS for part in parts)
    if name in CODES:
        return rule.keys() == {name} and all(_is_known_part(part) for part in parts)
    return name in RULES and rule.keys() <= {name} | RULES[name].members


def _is_known_part(part: Object) -> bool:
    own = {"list", "named"} if "in_each" in part else set()
    known = {"map", "one_of", "only_with"} | own
    return (
        len(part.keys() & _PARTS) == 1 and part.keys() - _PARTS <= known and ("only_with" in part) == ("one_of" in part)
    )


def _is_part(said: object, codes: list[str]) -> bool:
    if type(said) is not list or not said or not all(type(code) is str for code in said):
        return False
    return said == sorted(set(said)) and set(said) <= set(codes)


def _words(kind: str, part: Object, there: object, path: Path) -> list[str]:
    """The texts that a part of `codes` looks up."""
    match kind:
        case "each":
            return texts_at(there, path)
        case "names":
            return list(_object(there, path))
        case "text":
            return [text_at(there, path)]
        case "words":
            return [word for word in text_at(there, path).split(" ") if word]
        case _:
            return _in_each(part, there, path)


def _in_each(part: Object, there: object, path: Path) -> list[str]:
    name = str(part["list"])
    if part.get("named") is not True:
        return [word for row in _objects(there, path) for word in _listed(row, name, path)]
    kinds = _object(there, path)
    return [f"{one}.{word}" for one in kinds for row in _objects(kinds[one], path) for word in _listed(row, name, path)]


def _listed(row: Object, name: str, path: Path) -> list[str]:
    listed = at(row, [name])
    return [] if listed is None else texts_at(listed, [*path, name])


def _object(there: object, path: Path) -> Object:
    if not isinstance(there, dict):
        refuse(f"{dotted(path)} is no object")
    return there


def _objects(there: object, path: Path) -> list[Object]:
    if not isinstance(there, list) or not all(isinstance(one, dict) for one in there):
        refuse(f"{dotted(path)} is no list of objects")
    return there


def _read(text: bytes) -> object:
    """The JSON object of a request. Raises NoTerms."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        refuse(f"the text is no JSON: {printable(error, 80)}")
    if type(value) is not dict:
        refuse("the text is no JSON object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        refuse("an object has a name twice")
    return members


def _constant(name: str) -> NoReturn:
    refuse(f"{name} is no number")
