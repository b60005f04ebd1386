"""A data map at the edges of its form, and the entry that commits to it (docs/spec/partners.md, 9)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vectors.hashing import encode
from tests.vectors.mapped import ROWS, field, honest
from tests.verifier.making import refusal
from verifier.errors import Code, Refuted
from verifier.rules.data_maps import find_entry, read_map
from verifier.rules.partners import PublishedMap

MOST_BYTES, MOST_FIELDS = 4_194_304, 10_000


def altered(**members: Any) -> bytes:
    return encode({**honest(), **members})


def one(place: str = "/card", **members: Any) -> bytes:
    return altered(fields=[field(place, 3, permission="ReadBalances") | members])


def test_a_map_is_told_with_its_fields_by_grade_and_how_many_are_masked() -> None:
    given = read_map(altered())
    assert (given.holder, given.name, given.version, given.fields) == (honest()["holder"], "accounts", 2, 8)
    assert (given.by_grade, given.masked) == ({1: 1, 2: 1, 3: 5, 4: 1}, 3)


@pytest.mark.parametrize(
    "fine",
    [
        altered(holder="b" * 63),
        altered(map="m" * 64),
        altered(map_version=1, fields=[field("/a", 1)]),
        one(at="GET /" + "a" * 251),
        one("/" + "a" * 511),
    ],
    ids=["holder", "map", "version", "at", "field"],
)
def test_a_map_at_its_bounds_is_read(fine: bytes) -> None:
    read_map(fine)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (altered(holder="b" * 64), "holder"),
        (altered(map="m" * 65), "map"),
        (altered(map_version=0), "map_version"),
        (altered(ruleset=1), "ruleset"),
        (one(at="GET /" + "a" * 252), "at"),
        (one("/" + "a" * 512), "field"),
        (altered(fields=[field(place, 1) for place in ("/a", "/c", "/b")]), "fields"),
    ],
    ids=["holder", "map", "version", "ruleset", "at", "field", "order"],
)
def test_a_map_beyond_them_is_refused_at_the_member(wrong: bytes, name: str) -> None:
    with pytest.raises(Refuted) as caught:
        read_map(wrong)
    assert (caught.value.defect.code, caught.value.defect.place.field) == (Code.BAD_ENCODING, name)


def test_a_map_has_four_mebibytes_and_ten_thousand_fields_at_most() -> None:
    def mapped(count: int, size: int) -> bytes:
        """So many fields, and bytes."""
        least = len(altered(fields=[field(f"/{n:06}", 1, ROWS) for n in range(count)]))
        more, rest = divmod(size - least, count)
        rows = [field(f"/{n:06}" + "x" * (more + (n < rest)), 1, ROWS) for n in range(count)]
        return altered(fields=rows)

    whole = mapped(MOST_FIELDS, MOST_BYTES)
    assert len(whole) == MOST_BYTES
    assert read_map(whole).fields == MOST_FIELDS
    for count, size in ((MOST_FIELDS, MOST_BYTES + 1), (MOST_FIELDS + 1, MOST_BYTES)):
        with refusal(Code.BAD_ENCODING):
            read_map(mapped(count, size))


def test_an_entry_commits_to_the_very_map() -> None:
    given = read_map(altered())
    name = given.holder, given.name, given.version
    assert find_entry(given, {name: PublishedMap(7, given.fields, given.hash)}) == 7
    for published in (
        {},
        {(*name[:2], 1): PublishedMap(7, given.fields, given.hash)},
        {name: PublishedMap(7, given.fields + 1, given.hash)},
        {name: PublishedMap(7, given.fields, "A" * 43)},
    ):
        with refusal(Code.BAD_COMMITMENT):
            find_entry(given, published)
