"""Leaves have one spelling, whether they are read one by one, by the strict reader or as columns of a whole bundle."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.verifier.forge import World, b64u, encode, leaf_hash, sha
from tests.verifier.making import accepts, refusal
from verifier.bytes.encoding import MAX_LEAF
from verifier.errors import Code
from verifier.records.leaf import Leaf, parse_leaf, parse_strictly, raw_of, read_columns, text_of

HASH = b64u(sha(b"hash"))
COMMON = {"index": 7, "prev": HASH, "time": 9, "v": 1}
CHAINED = COMMON | {"chain": b64u(sha(b"chain")), "prev_in_chain": b64u(sha(b"before")), "seq": 3}
COMMITTED = CHAINED | {"commitment": b64u(sha(b"commitment"))}
LEAVES: dict[str, dict[str, Any]] = {
    "consent": COMMITTED,
    "subject": COMMITTED,
    "operator": CHAINED | {"document": {"type": "x"}},
    "index-head": COMMON | {"map_root": b64u(sha(b"map")), "map_size": 7},
}
LARGEST = 2**53 - 1


def spelled(of: str, **changes: Any) -> bytes:
    return encode({**LEAVES[of], "kind": of, **changes})


@pytest.mark.parametrize("kind", LEAVES)
def test_each_kind_is_read_with_exactly_its_members(kind: str) -> None:
    members = LEAVES[kind]
    leaf = parse_leaf(spelled(kind))
    assert leaf == parse_strictly(spelled(kind))
    assert leaf == Leaf(
        7,
        kind,
        9,
        HASH.encode(),
        members.get("chain", "").encode(),
        members.get("commitment", "").encode(),
        members.get("prev_in_chain", "").encode(),
        members.get("seq", 0),
        members.get("document"),
        members.get("map_root", "").encode(),
        members.get("map_size", 0),
    )
    for name in (*members, "kind"):
        lacking = {key: value for key, value in {**members, "kind": kind}.items() if key != name}
        with refusal(Code.BAD_ENCODING):
            parse_leaf(encode(lacking))
    with refusal(Code.BAD_ENCODING):
        parse_leaf(spelled(kind, more=1))
    for other in LEAVES.keys() - {"consent", "subject"} - {kind}:
        with refusal(Code.BAD_ENCODING):
            parse_leaf(spelled(kind, kind=other))


@pytest.mark.parametrize("kind", LEAVES)
def test_members_of_leaves_are_bounded_by_both_readers(kind: str) -> None:
    for name, value in LEAVES[kind].items():
        if name == "v":
            fine, wrong = [1], [0, 2, True, "1"]
        elif isinstance(value, int):
            fine, wrong = [0, LARGEST], [-1, LARGEST + 1, 10**16, True, "1"]
        elif isinstance(value, str):
            fine, wrong = [b64u(bytes(32))], [b64u(bytes(31)), b64u(bytes(33)), "A" * 42 + "B", "", 1]
        else:
            fine, wrong = [{}], [[], "x", None]
        for read in (parse_leaf, parse_strictly):
            for changed in fine:
                assert accepts(read, spelled(kind, **{name: changed})), (name, changed)
            for changed in wrong:
                with refusal(Code.BAD_ENCODING):
                    read(spelled(kind, **{name: changed}))


def test_a_leaf_has_at_most_1024_bytes_and_a_kind_that_is_known() -> None:
    plain = len(spelled("operator", document={"type": ""}))
    parse_leaf(spelled("operator", document={"type": "x" * (MAX_LEAF - plain)}))
    for entry in (
        spelled("operator", document={"type": "x" * (MAX_LEAF - plain + 1)}),
        spelled("consent", kind="consents"),
        spelled("consent", kind=""),
        spelled("consent").replace(b",", b", ", 1),
        spelled("consent") + b"\n",
        b"\n" + spelled("consent"),
    ):
        with refusal(Code.BAD_ENCODING):
            parse_leaf(entry)


def test_a_leaf_that_lacks_any_one_byte_is_read_as_the_strict_reader_reads_it() -> None:
    for kind in LEAVES:
        whole = spelled(kind, time=10)
        for at in range(len(whole)):
            less = whole[:at] + whole[at + 1 :]
            assert accepts(parse_leaf, less) is accepts(parse_strictly, less), less
            if accepts(parse_leaf, less):  # a digit less is another number
                assert parse_leaf(less) == parse_strictly(less)


def test_hashes_are_texts_and_back() -> None:
    for raw in (bytes(32), b"\xff" * 32, b"\xfb\xef" * 16, sha(b"any")):
        assert text_of(raw).decode() == b64u(raw)
        assert raw_of(text_of(raw)) == raw


# --- whole bundles --------------------------------------------------------------------------------------------


@cache
def entries() -> tuple[bytes, ...]:
    """Entries 7 to 12: of a consent, of its customer, and accesses."""
    world = World(5).open()
    consent = world.grant()
    for _ in range(3):
        world.access(consent)
    return tuple(world.entries)


def bundle(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2) + part for part in parts)


def test_the_leaves_of_a_bundle_are_read_as_one_by_one() -> None:
    for first, last in ((7, 13), (7, 8), (9, 12)):
        part = entries()[first:last]
        columns = read_columns(bundle(*part), first, len(part))
        assert columns is not None
        assert columns.leaves(first) == [parse_leaf(entry) for entry in part]
        assert columns.raws == [leaf_hash(entry) for entry in part]
        assert columns.texts == [text_of(leaf_hash(entry)) for entry in part]
    assert {leaf.kind for leaf in map(parse_leaf, entries()[7:])} == {"consent", "subject"}


def test_bundles_of_any_length_give_each_leaf_its_hash() -> None:
    world = World(5).open()
    consent = world.grant()
    for _ in range(253):
        world.access(consent)
    for width in (43, 44, 45, 256):
        columns = read_columns(bundle(*world.entries[7 : 7 + width]), 7, width)
        assert columns is not None
        assert columns.texts == [text_of(hashed) for hashed in world.hashes[7 : 7 + width]]


def test_a_bundle_in_which_a_leaf_lacks_a_byte_is_read_as_one_by_one_or_not_at_all() -> None:
    part = list(entries()[7:10])
    whole = part[1]
    for at in range(len(whole)):
        part[1] = whole[:at] + whole[at + 1 :]
        columns = read_columns(bundle(*part), 7, 3)
        assert columns is None or columns.leaves(7) == [parse_leaf(entry) for entry in part]
    assert read_columns(bundle(b"", b"", b""), 7, 3) is None


def test_any_other_bundle_is_left_to_be_read_entry_by_entry() -> None:
    part = entries()[7:13]
    good = bundle(*part)
    other = json.loads(part[2])
    for data, first, width in (
        (good, 6, 6),
        (good, 8, 6),
        (good, 7, 5),
        (good, 7, 7),
        (good + b"\n", 7, 6),
        (b"\n" + good, 7, 6),
        (bundle(*part[:2]) + b"\n" + bundle(*part[2:]), 7, 6),
        (bundle(*part[:2]) + b"\0\1" + part[2] + bundle(*part[3:]), 7, 6),
        (bundle(*part[:2]) + bundle(part[2])[:1] + b"?" + part[2] + bundle(*part[3:]), 7, 6),
        (bundle(*part[::-1]), 7, 6),
        (bundle(part[0], part[2], part[1], *part[3:]), 7, 6),
        (bundle(*part[:2], encode(other | {"index": 8}), *part[3:]), 7, 6),
        (bundle(*part[:2], encode(other).replace(b",", b", ", 1), *part[3:]), 7, 6),
        (bundle(*part[:2], encode(other | {"time": 10**15}), *part[3:]), 7, 6),
        (bundle(*entries()[6:12]), 6, 6),  # an operator's leaf is among them
    ):
        assert read_columns(data, first, width) is None, (data[:40], first, width)
    assert read_columns(bundle(*part[:2], encode(other | {"time": 10**15 - 1}), *part[3:]), 7, 6) is not None
