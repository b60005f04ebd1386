"""Proofs about trees at their edges: every small tree, the largest size, hashes of other lengths, paths cut short."""

from __future__ import annotations

import itertools

import pytest

from tests.verifier.making import accepts, entries_of, refusal
from tests.verifier.trees import inclusion_path, root_of, subtree_path
from verifier.bytes import merkle
from verifier.bytes.growing_tree import Growth
from verifier.bytes.merkle import EMPTY_ROOT, MAX_SIZE, hash_leaf, hash_node
from verifier.errors import Code, Refuted

LEAVES = [hash_leaf(entry) for entry in entries_of(17)]
HASH = LEAVES[0]


def test_the_hashes_are_those_of_rfc_6962() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hash_leaf(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert hash_node(hash_leaf(b""), hash_leaf(b"\0")).hex() == (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )


def test_every_entry_of_every_small_tree_is_proved_at_its_index_only_and_by_its_whole_path() -> None:
    growth = Growth()
    for size in range(1, len(LEAVES) + 1):
        growth.append(LEAVES[size - 1])
        leaves, root = LEAVES[:size], growth.root()
        assert root_of(leaves) == root
        for index in range(size):
            path = inclusion_path(index, leaves)
            for claimed in range(-1, size + 2):
                found = accepts(merkle.verify_inclusion, claimed, size, leaves[index], path, root)
                assert found is (claimed == index)
            for other in (path[:-1], [*path, HASH]):
                if other != path:
                    with refusal(Code.BAD_PROOF):
                        merkle.inclusion_root(index, size, leaves[index], other)


def test_a_root_is_not_an_entry_of_its_own_tree_and_no_end_of_a_path_that_is_cut_short() -> None:
    """Without the length of the path, whoever knows a root could show it as an entry, or as what an older tree had."""
    root = root_of(LEAVES)
    with refusal(Code.BAD_PROOF):
        merkle.inclusion_root(0, 17, root, [])
    for old in range(1, 17):
        with refusal(Code.BAD_PROOF):
            merkle.consistency_roots(old, 17, [root])


def test_all_small_trees_continue_each_other_and_no_other() -> None:
    roots = [root_of(LEAVES[:size]) for size in range(18)]
    for old, new in itertools.combinations_with_replacement(range(1, 18), 2):
        path = subtree_path(0, old, LEAVES[:new])
        merkle.verify_consistency(old, new, path, roots[old], roots[new])
        for others in ((roots[old - 1], roots[new]), (roots[old], roots[new - 1])):
            with refusal(Code.BAD_PROOF):
                merkle.verify_consistency(old, new, path, *others)
        for other in (path[:-1], path[1:], [*path, HASH]):
            if other != path:
                with refusal(Code.BAD_PROOF):
                    merkle.verify_consistency(old, new, other, roots[old], roots[new])
        seeded = [roots[old], *path] if old & (old - 1) == 0 else path
        if old < new:
            assert merkle.consistency_roots(old, new, seeded) == (roots[old], roots[new])
            with refusal(Code.BAD_PROOF):
                merkle.verify_consistency(new, old, path, roots[new], roots[old])
        else:
            with refusal(Code.BAD_PROOF):
                merkle.consistency_roots(old, new, [roots[old]])


def test_the_empty_tree_and_an_empty_path_show_no_growth() -> None:
    root = root_of(LEAVES)
    with pytest.raises(Refuted, match="not in order"):
        merkle.verify_consistency(0, 17, [], EMPTY_ROOT, root)
    with refusal(Code.BAD_PROOF):
        merkle.consistency_roots(0, 17, [root])
    with refusal(Code.BAD_PROOF):
        merkle.consistency_roots(16, 17, [])


def test_trees_have_at_most_2_63_minus_1_entries() -> None:
    path = [HASH] * 63
    for size in (2**63 - 1, 2**63):
        large = size == 2**63
        assert accepts(merkle.inclusion_root, 0, size, HASH, path) is not large
        assert accepts(merkle.consistency_roots, 1, size, [HASH, *path]) is not large
        assert accepts(merkle.verify_consistency, size, size, [], HASH, HASH) is not large
        assert accepts(merkle.check_subtree, 0, 1, size) is not large
    assert MAX_SIZE == 2**63 - 1
    old, new = merkle.consistency_roots(1, MAX_SIZE, [HASH, *path])
    merkle.verify_consistency(1, MAX_SIZE, path, old, new)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_hash_of_another_length_is_refused_though_it_leads_to_the_root(length: int) -> None:
    """Else bytes could move from one side of a node to the other, and one root would stand for two trees."""
    odd = b"x" * length
    for leaf, path in ((HASH, [odd]), (odd, [HASH])):
        with pytest.raises(Refuted, match="32 bytes"):
            merkle.verify_inclusion(0, 2, leaf, path, hash_node(leaf, path[0]))
        with pytest.raises(Refuted, match="32 bytes"):
            merkle.consistency_roots(1, 2, [leaf, *path])
        with pytest.raises(Refuted, match="32 bytes"):
            merkle.verify_consistency(1, 2, path, leaf, hash_node(leaf, path[0]))
    with pytest.raises(Refuted, match="32 bytes"):
        merkle.verify_consistency(2, 2, [], odd, odd)


def test_a_subtree_is_aligned_to_its_own_width() -> None:
    for start, end, size in itertools.product(range(-1, 10), range(-1, 10), range(-1, 10)):
        width = next(width for width in (1, 2, 4, 8, 16) if width >= end - start)
        valid = 0 <= start <= end <= size and start % width == 0
        assert accepts(merkle.check_subtree, start, end, size) is valid, (start, end, size)


def test_an_entry_is_proved_within_its_subtree_only() -> None:
    part = LEAVES[4:7]
    for index in range(2, 9):
        inner = min(max(index - 4, 0), 2)
        arguments = (4, 7, part[inner], inclusion_path(inner, part), root_of(part))
        if index - 4 == inner:
            merkle.verify_subtree_inclusion(index, *arguments)
        else:
            with pytest.raises(Refuted, match="within the subtree"):
                merkle.verify_subtree_inclusion(index, *arguments)
    crooked = LEAVES[1:3]
    with pytest.raises(Refuted, match="not a valid subtree"):
        merkle.verify_subtree_inclusion(1, 1, 3, crooked[0], [crooked[1]], root_of(crooked))


def test_a_misaligned_subtree_belongs_to_no_tree_and_an_empty_one_has_the_empty_root() -> None:
    root = root_of(LEAVES)
    merkle.verify_subtree_consistency(3, 3, 17, [], EMPTY_ROOT, root)
    with pytest.raises(Refuted, match="must be empty"):
        merkle.verify_subtree_consistency(3, 3, 17, [HASH], EMPTY_ROOT, root)
    with pytest.raises(Refuted, match="old root"):
        merkle.verify_subtree_consistency(3, 3, 17, [], HASH, root)
    with pytest.raises(Refuted, match="not a valid subtree"):
        merkle.verify_subtree_consistency(1, 3, 3, [LEAVES[0]], root_of(LEAVES[1:3]), root)


def subtrees(size: int) -> list[tuple[int, int]]:
    """All [start, end) of a tree of this size that are not empty and aligned to their own width."""
    return [
        (start, end)
        for start, end in itertools.combinations(range(size + 1), 2)
        if start % next(width for width in (1, 2, 4, 8, 16, 32) if width >= end - start) == 0
    ]


@pytest.mark.parametrize("size", range(1, 14))
def test_every_subtree_of_a_small_tree_is_part_of_it_by_its_whole_proof_and_no_other(size: int) -> None:
    leaves = LEAVES[:size]
    root = root_of(leaves)
    for start, end in subtrees(size):
        part, path = root_of(leaves[start:end]), subtree_path(start, end, leaves)
        merkle.verify_subtree_consistency(start, end, size, path, part, root)
        for others in ((HASH[::-1], root), (part, HASH[::-1])):
            with refusal(Code.BAD_PROOF):
                merkle.verify_subtree_consistency(start, end, size, path, *others)
        for other in (path[:-1], path[1:], [], [*path, HASH]):
            if other != path:
                with refusal(Code.BAD_PROOF):
                    merkle.verify_subtree_consistency(start, end, size, other, part, root)
        for first, last in subtrees(size):
            if root_of(leaves[first:last]) != part:
                assert not accepts(merkle.verify_subtree_consistency, first, last, size, path, part, root)


def test_an_entry_of_a_subtree_leads_to_the_root_of_that_subtree() -> None:
    for start, end in subtrees(13):
        part = LEAVES[start:end]
        for index in range(start, end):
            path = inclusion_path(index - start, part)
            merkle.verify_subtree_inclusion(index, start, end, LEAVES[index], path, root_of(part))
            with pytest.raises(Refuted, match="does not lead to the root"):
                merkle.verify_subtree_inclusion(index, start, end, LEAVES[index], path, HASH[::-1])


@pytest.mark.parametrize(("start", "end", "size"), [(16, 29, 30), (32, 61, 62), (16, 28, 31)])
def test_a_subtree_that_meets_the_trees_edge_below_its_own_top_is_part_of_it(start: int, end: int, size: int) -> None:
    leaves = [hash_leaf(entry) for entry in entries_of(size)]
    part, root, path = (
        root_of(leaves[start:end]),
        root_of(leaves),
        subtree_path(start, end, leaves),
    )
    merkle.verify_subtree_consistency(start, end, size, path, part, root)
    for other in (path[:-1], [*path, HASH], [*path[:-1], HASH[::-1]]):
        with refusal(Code.BAD_PROOF):
            merkle.verify_subtree_consistency(start, end, size, other, part, root)
