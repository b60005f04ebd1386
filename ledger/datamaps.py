"""A holder's map of its own fields to permissions, grades and masks: the bytes behind `map.publish` (docs/spec/partners.md, 9).

A map is the holder's; the log has its hash. So this is for whoever is given one: holder, guard, auditor.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Final, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ledger.canonical import b64u, decode, encode
from ledger.catalogue import CATALOGUES, Catalogue
from ledger.entries.fields import Code, ParticipantId
from ledger.errors import BadEncoding

MAP_LIMIT: Final = 4 * 1024 * 1024
"""Bytes."""
FIELDS_LIMIT: Final = 10_000
STEPS_LIMIT: Final = 32
ANY: Final = "*"
"""The step to every element of an array, or every member of an object whose names are not known beforehand."""

_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))

Operation = Annotated[str, Meta(pattern=r"^(GET|POST|PUT|PATCH|DELETE) /[!-~]*\Z", max_length=256)]
FieldPlace = Annotated[str, Meta(pattern=r"^(/([^~/\x00-\x1f\x7f-\x9f]|~[012])*)*\Z", max_length=512)]
Version = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class MappedField(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A value of an operation's answers: without which permission it does not leave, how grave it is, how it is masked."""

    at: Operation
    field: FieldPlace
    grade: Annotated[int, Meta(ge=1, le=5)]
    mask: Code | UnsetType = UNSET
    permission: Code | UnsetType = UNSET
    since: Version

    def stands_as(self, other: MappedField) -> bool:
        """Whether they are equal but for the version since which they stand so."""
        return msgspec.structs.replace(self, since=other.since) == other


class DataMap(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A version of a holder's map."""

    fields: Annotated[tuple[MappedField, ...], Meta(min_length=1, max_length=FIELDS_LIMIT)]
    holder: ParticipantId
    map: Code
    map_version: Version
    ruleset: int
    v: Literal[1]

    def encoded(self) -> bytes:
        """The bytes that the log's hash is of."""
        return encode(msgspec.to_builtins(self))

    def hash(self) -> str:
        """That of its bytes, as a `map.publish` has it (b64u)."""
        return b64u(sha256(self.encoded()).digest())


def parse_map(data: bytes) -> DataMap:
    """The map in exactly these bytes. Raises BadEncoding, which names the field and what is wrong with it."""
    try:
        found = msgspec.convert(decode(data, limit=MAP_LIMIT), DataMap)
    except msgspec.ValidationError as error:
        raise BadEncoding(f"the bytes are no data map: {error}") from None
    check_map(found)
    return found


def check_map(found: DataMap) -> None:
    """What the members alone do not show. Raises BadEncoding."""
    if found.ruleset not in CATALOGUES or found.ruleset < 2:
        raise BadEncoding(f"there is no catalogue of grades of ruleset {found.ruleset}")
    catalogue = CATALOGUES[found.ruleset]
    for each in found.fields:
        _check_grade(each, catalogue)
        if each.field.count("/") > STEPS_LIMIT:
            raise _wrong(each, f"lies more than {STEPS_LIMIT} steps deep")
        if each.since > found.map_version:
            raise _wrong(each, f"stands since version {each.since}, and this is version {found.map_version}")
    for one, after in pairwise(found.fields):
        if (one.at, one.field) >= (after.at, after.field):
            raise _wrong(after, "is not in order, or stands there twice: fields are sorted by `at`, then `field`")
    _check_apart(found.fields)


def dated(fields: Iterable[MappedField], before: DataMap | None, version: int) -> tuple[MappedField, ...]:
    """The fields of a version of a map, each with the version since which it stands so."""
    known = {} if before is None else {(each.at, each.field): each for each in before.fields}
    return tuple(
        msgspec.structs.replace(each, since=old.since if old is not None and old.stands_as(each) else version)
        for each in fields
        for old in [known.get((each.at, each.field))]
    )


def operation(method: str, path: str) -> str:
    """How a map names an operation; `path` is a template, with parameters in braces."""
    return f"{method.upper()} {quote(path, safe=_ASCII)}"


def step_of(name: str) -> str:
    """How a member's name is written as a step."""
    return "~2" if name == ANY else name.replace("~", "~0").replace("/", "~1")


def _check_grade(each: MappedField, catalogue: Catalogue) -> None:
    if each.permission is UNSET:
        if each.mask is not UNSET:
            raise _wrong(each, "has a mask and no permission: a field without a permission leaves whole or not at all")
        return
    grades = [catalogue.grades.get(each.permission)]
    if each.mask is not UNSET:
        if each.mask not in catalogue.masks:
            raise _wrong(each, f"has the mask {each.mask!r}, which the catalogue does not have")
        grades += [catalogue.grades[code] for code in catalogue.masks[each.mask]]
    if grades[0] is None:
        raise _wrong(each, f"has the permission {each.permission!r}, which the catalogue does not have")
    highest = max(grade for grade in grades if grade is not None)
    if each.grade > highest:
        raise _wrong(each, f"is of grade {each.grade}, and what lets it out is of grade {highest}")


def _check_apart(fields: Iterable[MappedField]) -> None:
    """No field lies below another one of its operation."""
    places: dict[str, set[str]] = {}
    for each in fields:
        places.setdefault(each.at, set()).add(each.field)
    for each in fields:
        steps = each.field.split("/")
        if any("/".join(steps[:end]) in places[each.at] for end in range(1, len(steps))):
            raise _wrong(each, "lies below another field, whose grade covers all that is in it")


def _wrong(each: MappedField, what: str) -> BadEncoding:
    return BadEncoding(f"the field {each.field!r} of {each.at} {what}")
