"""The right edge: roots, full tiles and proofs of a growing tree without reading storage."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Corrupt, InvalidInput
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.merkle.proofs import verify_inclusion
from ledger.merkle.tiles import tile_widths
from tests.ledger.merkle.frontier import Frontier, tree_root
from tests.ledger.merkle.reference import ReferenceTree, leaves

TREE = ReferenceTree(leaves(70_000))


def _edge(size: int) -> Edge:
    return Edge.from_tiles(size, TREE.tile)


def test_an_edge_grown_leaf_by_leaf_has_the_recursive_root_and_tiles_at_every_size_up_to_600() -> None:
    edge = Edge()
    for size in range(601):
        assert edge.size == size
        assert edge.root() == TREE.root(size)
        assert edge.to_bytes() == _edge(size).to_bytes()
        for level, full, partial in tile_widths(size):
            assert edge.partial(level) == TREE.tile(level, full, partial)
            assert edge.tile(level, full) == (TREE.tile(level, full, partial) or None)
            assert edge.tile(level, full + 1) is None
        for tile in edge.extend(TREE.leaves[size : size + 1]):
            assert tile.content == TREE.tile(tile.level, tile.number, 256)


@given(st.lists(st.one_of(st.integers(0, 5), st.integers(200, 300), st.integers(0, 1500)), max_size=12))
def test_batches_of_any_size_give_the_roots_tiles_and_proofs_of_the_definition(batches: list[int]) -> None:
    edge = Edge()
    written: dict[tuple[int, int], bytes] = {}
    for count in batches:
        before = edge.size
        batch = TREE.leaves[before : before + count]
        proofs = edge.grow(batch).proofs()
        growth = edge.grow(batch)
        assert edge.size == before, "growing leaves the edge as it was"
        for tile in edge.extend(batch):
            assert (tile.level, tile.number) not in written
            written[tile.level, tile.number] = tile.content
        assert growth.root == edge.root() == TREE.root(edge.size)
        assert growth.edge().to_bytes() == edge.to_bytes()
        assert len(proofs) == count
        for at, proof in enumerate(proofs):
            assert proof == TREE.path(before + at, edge.size)
    full = {(level, n): TREE.tile(level, n, 256) for level, count, _ in tile_widths(edge.size) for n in range(count)}
    assert written == full


def test_one_batch_over_many_tiles_makes_the_same_edge_as_many_batches() -> None:
    at_once, step_by_step = Edge(), Edge()
    tiles = at_once.extend(TREE.leaves)
    draw, stepwise = random.Random(1), []
    while step_by_step.size < len(TREE.leaves):
        stepwise += step_by_step.extend(TREE.leaves[step_by_step.size : step_by_step.size + draw.randint(1, 999)])
    assert at_once.root() == step_by_step.root() == TREE.root(70_000)
    assert at_once.to_bytes() == step_by_step.to_bytes()
    assert sorted(tiles) == sorted(stepwise)
    assert len(tiles) == 273 + 1


@given(st.integers(0, 2**63 - 700), st.integers(1, 600), st.randoms())
def test_an_edge_of_any_size_up_to_63_bits_proves_what_is_appended(size: int, count: int, draw: random.Random) -> None:
    partials = {level: draw.randbytes(32 * partial) for level, _, partial in tile_widths(size)}
    edge = Edge.from_tiles(size, lambda level, _number, _width: partials[level])
    roots: list[bytes] = []
    for level, _, partial in reversed(tile_widths(size)):  # the frontier, from the highest tile down
        hashes = [partials[level][at : at + 32] for at in range(0, 32 * partial, 32)]
        for bit in range(7, -1, -1):
            if partial >> bit & 1:
                roots.append(tree_root(hashes[: 1 << bit]))
                hashes = hashes[1 << bit :]
    frontier = Frontier(size, roots)
    assert edge.root() == frontier.root()
    batch = TREE.leaves[:count]
    proofs = edge.grow(batch).proofs()
    edge.extend(batch)
    frontier.extend(batch)
    assert edge.root() == frontier.root()
    for at, proof in enumerate(proofs):
        verify_inclusion(size + at, size + count, batch[at], proof, edge.root())


@given(st.integers(0, 70_000))
def test_an_edge_comes_back_from_its_bytes(size: int) -> None:
    edge = _edge(size)
    again = Edge.from_bytes(edge.to_bytes())
    assert (again.size, again.root(), again.to_bytes()) == (size, TREE.root(size), edge.to_bytes())
    assert again.extend(TREE.leaves[:300]) == edge.extend(TREE.leaves[:300])
    assert again.root() == edge.root()


@given(st.integers(0, 1000), st.data())
def test_no_changed_missing_or_surplus_byte_of_a_stored_edge_is_accepted(size: int, data: st.DataObject) -> None:
    stored = _edge(size).to_bytes()
    at = data.draw(st.integers(0, len(stored) - 1))
    changed = bytearray(stored)
    changed[at] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(changed), stored[:at], stored + b"\0", stored + bytes(32)):
        with pytest.raises(Corrupt):
            Edge.from_bytes(wrong)


def test_a_copy_grows_on_its_own() -> None:
    edge = _edge(300)
    twin = edge.copy()
    twin.extend(TREE.leaves[300:400])
    assert (edge.root(), twin.root()) == (TREE.root(300), TREE.root(400))


def test_the_empty_edge_has_no_tiles_and_the_root_of_nothing() -> None:
    assert Edge().root() == EMPTY_ROOT == sha256(b"").digest()
    assert (Edge().partial(0), Edge().tile(0, 0), Edge().extend([])) == (b"", None, [])
    assert Edge().grow([]).proofs() == []
    assert Edge().grow(TREE.leaves[:1]).proofs() == [[]]


def test_leaf_hashes_of_another_length_and_sizes_beyond_63_bits_are_refused() -> None:
    with pytest.raises(InvalidInput):
        Edge().extend([b"short"])
    size = 2**63 - 1
    edge = Edge.from_tiles(size, lambda _level, _number, width: bytes(32 * width))
    with pytest.raises(InvalidInput):
        edge.grow(TREE.leaves[:1])
