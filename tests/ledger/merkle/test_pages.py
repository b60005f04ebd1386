"""The map in pages against the map in memory: same roots, same proofs; and no damaged page goes unseen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Corrupt, InvalidInput
from ledger.kept import Kept
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.merkle.pages import BUCKET, PagedMap
from tests.ledger.merkle.patricia import PatriciaMap

# Few first bytes, so that branches of branches come about with few keys.
KEYS = st.builds(
    lambda head, tail: (head + tail)[:32],
    st.sampled_from([b"", b"\x10\x10\x10", b"\x17"]),
    st.binary(min_size=32, max_size=32),
)
VALUES = st.binary(min_size=40, max_size=40)


class Shelf:
    """Pages in a dictionary."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.reads = 0
        self.map = PagedMap(EMPTY_ROOT, self.read)

    def read(self, prefixes: Iterable[str]) -> Mapping[str, bytes]:
        self.reads += 1
        return {prefix: self.pages[prefix] for prefix in prefixes if prefix in self.pages}

    def put(self, values: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        update = self.map.update(values)
        self.pages |= update.pages
        return update.replaced


def filled(count: int, seed: int = 1) -> tuple[Shelf, dict[bytes, bytes]]:
    dice = random.Random(seed)
    values = {dice.randbytes(32): dice.randbytes(40) for _ in range(count)}
    shelf = Shelf()
    shelf.put(values)
    return shelf, values


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=60), max_size=4), KEYS)
def test_roots_and_proofs_are_those_of_the_map_in_memory(rounds: list[dict[bytes, bytes]], other: bytes) -> None:
    shelf, reference = Shelf(), PatriciaMap()
    for values in rounds:
        before = {key: old for key in values if (old := reference.get(key)) is not None}
        assert shelf.put(values) == before
        for key, value in values.items():
            reference.set(key, value)
        assert shelf.map.root == reference.root()
        for key in [*values, other]:
            assert shelf.map.find(key) == (reference.get(key), reference.prove(key))
    assert shelf.map.check() == len(reference)


def test_a_page_is_split_when_its_bucket_overflows_and_no_sooner() -> None:
    shelf, _ = filled(BUCKET)
    assert set(shelf.pages) == {""}
    shelf, _ = filled(BUCKET + 1)
    assert len(shelf.pages) > 1


def test_an_update_reads_once_for_each_level_and_writes_the_changed_ways_only() -> None:
    shelf, values = filled(2_000)
    shelf.reads = 0
    update = shelf.map.update({key: bytes(40) for key in list(values)[:3]})
    assert shelf.reads <= 4
    assert len(update.pages) <= 3 * 4


def flipped(page: bytes, at: int) -> bytes:
    return page[:at] + bytes([page[at] ^ 1]) + page[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "its kind": lambda page: flipped(page, 0),
    "its first byte": lambda page: flipped(page, 1),
    "its last byte": lambda page: flipped(page, len(page) - 1),
    "cut": lambda page: page[:-1],
    "empty": lambda page: page[:0],
    "too long": lambda page: page + b"\0",
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_a_damaged_page_on_the_way_is_refused_by_update_and_check(damage: str) -> None:
    shelf, values = filled(300)
    key = next(iter(values))
    way = [prefix for prefix in shelf.pages if key.hex().startswith(prefix)]
    assert len(way) > 1
    for prefix in way:
        good = shelf.pages[prefix]
        shelf.pages[prefix] = DAMAGE[damage](good)
        root = shelf.map.root
        if not (damage == "its last byte" and good[0] == 1 and not key.hex().startswith(f"{prefix}f")):
            with pytest.raises(Corrupt, match="rebuild-map"):
                shelf.map.update({key: bytes(40)})
        shelf.map.root = root
        with pytest.raises(Corrupt, match="rebuild-map"):
            shelf.map.check()
        shelf.pages[prefix] = good


def test_a_page_that_belongs_elsewhere_or_is_gone_is_refused() -> None:
    shelf, values = filled(300)
    key = next(iter(values))
    deepest = max((prefix for prefix in shelf.pages if key.hex().startswith(prefix)), key=len)
    stranger = next(prefix for prefix in shelf.pages if len(prefix) == len(deepest) and prefix != deepest)
    good = shelf.pages.pop(deepest)
    with pytest.raises(Corrupt, match="missing"):
        shelf.map.find(key)
    shelf.pages[deepest] = shelf.pages[stranger]
    with pytest.raises(Corrupt, match="parent"):
        shelf.map.find(key)
    shelf.pages[deepest] = good
    assert shelf.map.find(key).value == values[key]


def test_values_are_read_past_the_branches_that_are_kept() -> None:
    """What was changed since is read anew, and only that."""
    shelf, values = filled(3_000)
    kept: Kept[tuple[str, bytes], list[bytes]] = Kept(512)
    others = [bytes([number]) * 32 for number in range(40)]
    nothing = dict.fromkeys(others, bytes(40))
    assert shelf.map.values([*values, *others], kept) == values | nothing
    asked, reads = list(values)[:100], []
    for branches in (Kept(512), kept):
        shelf.reads = 0
        assert shelf.map.values(asked, branches) == {key: values[key] for key in asked}
        reads.append(shelf.reads)
    assert reads == [4, 2], "without the first two levels; the third has buckets among its branches"
    changed = {key: bytes([7]) * 40 for key in [asked[0], others[3]]}
    shelf.put(changed)
    assert shelf.map.values([*values, *others], kept) == values | nothing | changed


def test_a_branch_is_kept_only_when_all_of_it_is_what_its_parent_names() -> None:
    """Else the next key's way would lead through what nobody compared."""
    shelf, values = filled(3_000)
    key = next(iter(values))
    whole = dict(shelf.pages)
    for prefix in ("", key.hex()[:1], key.hex()[:2]):
        for node in range(1, 32):
            page = bytearray(whole[prefix])
            page[1 + 32 * (node - 1)] ^= 1
            shelf.pages = whole | {prefix: bytes(page)}
            with pytest.raises(Corrupt, match="not the one that its parent names"):
                shelf.map.values([key], Kept(512))


def test_keys_and_values_of_other_sizes_are_refused() -> None:
    shelf = Shelf()
    for key, value in ((b"k" * 31, bytes(40)), (b"k" * 32, bytes(39))):
        with pytest.raises(InvalidInput):
            shelf.put({key: value})
    with pytest.raises(InvalidInput):
        shelf.map.find(b"k" * 33)
