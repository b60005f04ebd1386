"""A holder's map of its own fields, and whether an entry of the log commits to it (docs/spec/partners.md, 9)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from verifier.bytes.encoding import (
    Json,
    Object,
    check_members,
    check_version,
    decode_canonical,
    encode_base64url,
    get_integer,
    get_text,
)
from verifier.errors import CannotCheck, Code, Refuted, refuted
from verifier.records.terms import CODE, PARTICIPANT
from verifier.rules.catalogue import CATALOGUES, Catalogue
from verifier.rules.partners import PublishedMap

MAX_MAP = 4_194_304
MAX_FIELDS = 10_000
MAX_STEPS = 32
GRAVEST = 5
PUBLIC = 1
_AT = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /[!-~]*", re.ASCII)
_STEP = re.compile(r"(?:[^~]|~[012])*")
_MEMBERS = frozenset({"fields", "holder", "map", "map_version", "ruleset", "v"})
_OF_A_FIELD = frozenset({"at", "field", "grade", "since"})


@dataclass(frozen=True, slots=True)
class GivenMap:
    """`name` of the `holder`'s map; `by_grade`: how many fields are of each."""

    holder: str
    name: str
    version: int
    fields: int
    hash: str
    by_grade: dict[int, int]
    masked: int


def read_map(data: bytes) -> GivenMap:
    """Raises Refuted(BAD_ENCODING), and CannotCheck for a version, or a ruleset, that this verifier does not know."""
    value = decode_canonical(data, MAX_MAP)
    check_version(value, "the data map")
    check_members(value, _MEMBERS)
    ruleset, version = get_integer(value, "ruleset", 2), get_integer(value, "map_version", 1)
    if ruleset not in CATALOGUES:
        raise CannotCheck(f"the data map is of ruleset {ruleset}, which this verifier does not know")
    rows = value["fields"]
    if not isinstance(rows, list) or not 0 < len(rows) <= MAX_FIELDS:
        raise _bad("not a list of fields", "fields", f"1 to {MAX_FIELDS}", "")
    grades: dict[int, int] = {}
    places: list[tuple[str, str]] = []
    for row in rows:
        at, place, grade = _read_field(row, CATALOGUES[ruleset], version)
        grades[grade] = grades.get(grade, 0) + 1
        if places and places[-1] >= (at, place):
            raise _bad(
                "fields are sorted by `at`, then `field`, each once", "fields", f"after {places[-1]}", (at, place)
            )
        places.append((at, place))
    _check_apart(places)
    return GivenMap(
        get_text(value, "holder", 63, PARTICIPANT),
        get_text(value, "map", 64, CODE),
        version,
        len(rows),
        encode_base64url(hashlib.sha256(data).digest()),
        grades,
        sum(isinstance(row, dict) and "mask" in row for row in rows),
    )


def find_entry(given: GivenMap, published: Mapping[tuple[str, str, int], PublishedMap]) -> int:
    """The index of the entry that commits to the map. Raises Refuted(BAD_COMMITMENT)."""
    said = published.get((given.holder, given.name, given.version))
    wanted = f"{given.hash}, {given.fields} fields"
    if said is None:
        place = f"{given.holder}, {given.name}, {given.version}: {wanted}"
        raise refuted(Code.BAD_COMMITMENT, "no entry publishes this version of the map", expected=place)
    if (said.hash, said.fields) != (given.hash, given.fields):
        sentence = "the entry that publishes this version commits to another map"
        found = f"{said.hash}, {said.fields} fields"
        raise refuted(Code.BAD_COMMITMENT, sentence, index=said.index, field="map_hash", expected=wanted, found=found)
    return said.index


def _read_field(row: Json, catalogue: Catalogue, version: int) -> tuple[str, str, int]:
    """Operation, place and grade."""
    if not isinstance(row, dict):
        raise _bad("not a field", "fields", "an object", type(row).__name__)
    check_members(row, _OF_A_FIELD, ("mask", "permission"))
    at, grade = get_text(row, "at", 256, _AT), get_integer(row, "grade", PUBLIC, GRAVEST)
    get_integer(row, "since", 1, version)
    place = row["field"]
    if not isinstance(place, str) or len(place) > 512:
        raise _bad("not a place", "field", "a text of at most 512 characters", place)
    head, *steps = place.split("/")
    if head or len(steps) > MAX_STEPS or not all(map(_STEP.fullmatch, steps)):
        raise _bad("not a place", "field", "steps that begin with /, `~` as ~0, ~1 or ~2", place)
    highest = _highest(row, catalogue)
    if grade > highest:
        raise _bad("graver than what lets it out", "grade", f"at most {highest}", grade)
    return at, place, grade


def _highest(row: Object, catalogue: Catalogue) -> int:
    """The gravest that a value may be which leaves as this row says."""
    if "permission" not in row:
        if "mask" in row:
            raise _bad("a mask and no permission", "mask", "no mask", row["mask"])
        return GRAVEST
    permission = get_text(row, "permission", 64, CODE)
    lifting: tuple[str, ...] = ()
    if "mask" in row:
        mask = get_text(row, "mask", 64, CODE)
        if mask not in catalogue.masks:
            raise _bad("not a mask of the catalogue", "mask", sorted(catalogue.masks), mask)
        lifting = catalogue.masks[mask]
    if permission not in catalogue.grades:
        raise _bad("not a permission of the catalogue", "permission", "", permission)
    return max(catalogue.grades[code] for code in (permission, *lifting))


def _check_apart(places: list[tuple[str, str]]) -> None:
    """No field lies below another one."""
    known = set(places)
    for at, place in places:
        above = place
        while above:
            above = above.rpartition("/")[0]
            if (at, above) in known:
                raise _bad("a field below another one", "field", above, place)


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
