"""Tile paths, bundles and proofs read from tiles."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadEncoding, Corrupt, InvalidInput
from ledger.merkle.proofs import prove_consistency, prove_inclusion
from ledger.merkle.tiles import (
    ENTRIES,
    LevelWidth,
    TilePath,
    TileReader,
    encode_bundle,
    format_path,
    parse_path,
    tile_width,
    tile_widths,
)
from tests.bundles import decode_bundle
from tests.ledger.merkle.reference import ReferenceTree, leaves

TREE = ReferenceTree(leaves(600))
BIG = ReferenceTree(leaves(70_000))


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("tile/0/000", TilePath(0, 0)),
        ("tile/0/999.p/5", TilePath(0, 999, 5)),
        ("tile/1/x001/000", TilePath(1, 1000)),
        ("tile/63/x001/x234/067.p/255", TilePath(63, 1234067, 255)),
        ("tile/entries/x001/x234/067", TilePath(ENTRIES, 1234067)),
    ],
)
def test_tile_paths_are_spelled_as_published(path: str, tile: TilePath) -> None:
    assert format_path(tile) == path
    assert parse_path(path) == tile


@given(st.integers(ENTRIES, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_every_tile_has_one_path(level: int, number: int, width: int) -> None:
    tile = TilePath(level, number, width)
    assert parse_path(format_path(tile)) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/67",
        "tile/0/x000/067",
        "tile/0/0000",
        "tile/0/x001",
        "tile/0/x1/000",
        "tile/0/001/000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/05",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/\u0663/000",
        "tile/0/+00",
        "tile/data/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/" + "x001/" * 50_000 + "000",
        "",
    ],
)
def test_any_other_spelling_of_a_tile_path_is_refused(path: str) -> None:
    with pytest.raises(BadEncoding):
        parse_path(path)


def test_there_is_no_path_for_an_impossible_tile() -> None:
    for tile in (TilePath(64, 0), TilePath(-2, 0), TilePath(0, -1), TilePath(0, 0, 0), TilePath(0, 0, 257)):
        with pytest.raises(InvalidInput):
            format_path(tile)


def test_widths_of_tiles_follow_from_the_size() -> None:
    assert tile_widths(0) == []
    assert tile_widths(256) == [LevelWidth(0, 1, 0), LevelWidth(1, 0, 1)]
    assert tile_widths(70_000) == [LevelWidth(0, 273, 112), LevelWidth(1, 1, 17), LevelWidth(2, 0, 1)]
    assert [tile_width(0, n, 70_000) for n in (0, 272, 273, 274)] == [256, 256, 112, 0]
    with pytest.raises(InvalidInput):
        tile_widths(2**63)


def test_proofs_from_tiles_are_those_of_the_definition_at_every_size_up_to_600() -> None:
    for size in range(1, 601):
        reader = TileReader(size, TREE.tile)
        for index in {0, size // 3, size - 1}:
            assert prove_inclusion(index, size, reader.read_hashes) == TREE.path(index, size)
        for old in {1, size // 2 + 1, size}:
            assert prove_consistency(old, size, reader.read_hashes) == TREE.consistency(old, size)


@given(st.integers(1, 70_000).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.integers(1, n), st.just(n))))
def test_proofs_of_large_trees_come_from_tiles_fetched_once(case: tuple[int, int, int]) -> None:
    index, old, size = case
    fetched: Counter[tuple[int, int]] = Counter()

    def fetch(level: int, number: int, width: int) -> bytes:
        fetched[level, number] += 1
        assert width == tile_width(level, number, size)
        return BIG.tile(level, number, width)

    reader = TileReader(size, fetch)
    assert prove_inclusion(index, size, reader.read_hashes) == BIG.path(index, size)
    assert prove_consistency(old, size, reader.read_hashes) == BIG.consistency(old, size)
    assert all(count == 1 for count in fetched.values())
    assert len(fetched) <= 4 * 3


def test_a_node_outside_the_tree_is_refused_before_anything_is_fetched() -> None:
    def fetch(level: int, number: int, width: int) -> bytes:
        raise AssertionError("fetched")

    reader = TileReader(5, fetch)
    for node in ((0, 5), (2, 1), (3, 0), (0, -1), (-1, 0)):
        with pytest.raises(InvalidInput):
            reader.read_hashes([node])


def test_a_tile_of_the_wrong_width_is_corrupt() -> None:
    for change in (lambda t: t[:-1], lambda t: t + b"\0", lambda t: t + bytes(32), lambda _: b""):
        with pytest.raises(Corrupt):
            TileReader(5, lambda *tile, c=change: c(TREE.tile(*tile))).read_hashes([(0, 0)])


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_come_back_as_they_went_in(entries: list[bytes]) -> None:
    bundle = encode_bundle(entries)
    assert decode_bundle(bundle, len(entries)) == entries
    wrong = [
        (bundle, len(entries) + 1),
        (bundle, len(entries) - 1),
        (bundle[:-1], len(entries)),
        (bundle + b"\0", len(entries)),
    ]
    for changed, width in wrong:
        with pytest.raises(BadEncoding):
            decode_bundle(changed, width)


def test_bundles_hold_1_to_256_entries_of_at_most_65535_bytes() -> None:
    assert decode_bundle(encode_bundle([bytes(65_535)]), 1) == [bytes(65_535)]
    for entries in ([], [b""] * 257, [bytes(65_536)]):
        with pytest.raises(InvalidInput):
            encode_bundle(entries)
    with pytest.raises(BadEncoding):
        decode_bundle(b"", 0)
