"""The words of a request through a map: codes of the catalogue, and filters (docs/spec/requests.md). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from api.office.request_values import Asked, Rule, at, objects, refused, texts, typed

Maps = Mapping[str, Mapping[str, list[str]]]
"""Name of a map, to text of the standard, to codes."""
_BESIDE: Final = frozenset({"list", "map", "named", "one_of", "only_with"})


def codes(part: Rule, asked: Asked, maps: Maps, member: str) -> Iterator[str]:
    """The codes that a part gives. Raises InvalidInput for a word that its map does not hold."""
    known = maps[part["map"]]
    [(kind, path)] = [(name, value) for name, value in part.items() if name not in _BESIDE]
    if at(asked, path, member) is None:
        return
    match kind:
        case "each":
            words = texts(asked, path, member)
        case "names":
            words = list(typed(asked, path, dict, member))
        case "words":
            words = [word for word in typed(asked, path, str, member).split(" ") if word]
        case "in_each":
            words = list(_in_each(part, asked, member))
        case _:
            words = [typed(asked, path, str, member)]
    given = [code for word in words for code in _known(known, word, member)]
    if "only_with" in part:
        with_it = part["only_with"]
        if at(asked, with_it, member) is None or not set(part["one_of"]).intersection(texts(asked, with_it, member)):
            return
    yield from given


def filters(part: Rule, asked: Asked, maps: Maps, member: str) -> Iterator[dict[str, str]]:
    """The filters that a part gives. Raises InvalidInput."""
    if "rows" in part:
        if at(asked, part["rows"], member) is None:
            return
        named = (part["field"], part["op"], part["value"])
        for one in objects(asked, part["rows"], named, member):
            [field] = _known(maps[part["fields"]], one[part["field"]], member)
            [op] = _known(maps[part["ops"]], one[part["op"]], member)
            yield {"field": field, "op": op, "value": one[part["value"]]}
    elif at(asked, part["list"], member) is not None:
        joined = ",".join(sorted(set(texts(asked, part["list"], member))))
        yield {"field": part["field"], "op": "in", "value": joined}


def _in_each(part: Rule, asked: Asked, member: str) -> Iterator[str]:
    path, name = part["in_each"], part["list"]
    if part.get("named"):
        for kind in typed(asked, path, dict, member):
            yield from (f"{kind}.{word}" for word in _lists(asked, [*path, kind], name, member))
    else:
        yield from _lists(asked, path, name, member)


def _lists(asked: Asked, path: list[str | int], name: str, member: str) -> Iterator[str]:
    for place in range(len(typed(asked, path, list, member))):
        yield from texts(asked, [*path, place, name], member)


def _known(known: Mapping[str, list[str]], word: str, member: str) -> list[str]:
    if word not in known:
        raise refused(f"{word[:64]} is no word of the mapping", member)
    return known[word]
