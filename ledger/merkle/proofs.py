"""Inclusion and consistency proofs (RFC 6962 §2.1.1 and §2.1.2; RFC 9162 §2.1.3 and §2.1.4).

Which hashes a proof needs is arithmetic on indexes alone, so it is kept apart from where hashes are stored: a
proof is planned as a list of *spans*, each span as the complete subtrees it is folded from, and one
`read_hashes` call fetches them all. Only a span at the right edge of the tree has more than one subtree.

Sizes are not authenticated by a proof: the same hashes verify under several sizes. Take size and root from a
verified checkpoint, and compare the index with the one inside the leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ledger.errors import InvalidInput
from ledger.merkle.hashing import Hash, Node, check_hashes, check_size, fold, node_hash

ReadHashes: TypeAlias = Callable[[list[Node]], list[Hash]]
"""Gives the hashes of complete subtrees, in the order asked."""


def inclusion_nodes(index: int, size: int) -> list[list[Node]]:
    """What the proof for leaf `index` in the tree of `size` leaves is made of, the leaf's sibling first.

    Each item is one hash of the proof, as the complete subtrees to fold (left to right). Raises InvalidInput.
    """
    check_size(size)
    if not 0 <= index < size:
        raise InvalidInput(f"leaf {index} is not in a tree of {size} leaves")
    spans: list[list[Node]] = []
    node, last, level = index, size - 1, 0
    while last:  # of a last node without a partner nothing is added: it rises unchanged
        sibling = node ^ 1
        if (sibling + 1) << level <= size:
            spans.append([(level, sibling)])
        elif sibling == last:
            spans.append(_subtrees(sibling << level, size))
        node, last, level = node >> 1, last >> 1, level + 1
    return spans


def consistency_nodes(old: int, new: int) -> list[list[Node]]:
    """What the proof that the tree of `new` leaves extends its first `old` leaves is made of.

    The shape is that of `inclusion_nodes`. Raises InvalidInput unless 1 <= old <= new: nothing needs proving
    about the empty tree.
    """
    check_size(new)
    if not 1 <= old <= new:
        raise InvalidInput(f"no consistency proof leads from size {old} to size {new}")
    begin, end = 0, new
    spans: list[list[Node]] = []
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            spans.append(_subtrees(middle, end))
            end = middle
        else:
            spans.append(_subtrees(begin, middle))
            begin = middle
    if begin != 0:  # else the last subtree is the whole old tree, whose root the verifier has
        spans.append(_subtrees(begin, end))
    spans.reverse()
    return spans


def prove_inclusion(index: int, size: int, read_hashes: ReadHashes) -> list[Hash]:
    """The inclusion proof of leaf `index` in the tree of `size` leaves. Raises InvalidInput."""
    return _read(inclusion_nodes(index, size), read_hashes)


def prove_consistency(old: int, new: int, read_hashes: ReadHashes) -> list[Hash]:
    """The consistency proof from size `old` to size `new`. Raises InvalidInput unless 1 <= old <= new."""
    return _read(consistency_nodes(old, new), read_hashes)


def verify_inclusion(index: int, size: int, leaf_hash: Hash, proof: Sequence[Hash], root: Hash) -> None:
    """Raises InvalidInput unless `proof` leads from `leaf_hash` at `index` to `root` (RFC 9162 §2.1.3.2)."""
    check_hashes((root,))
    if root_above(index, size, leaf_hash, proof) != root:
        raise InvalidInput("the inclusion proof leads to another root")


def root_above(index: int, size: int, leaf_hash: Hash, proof: Sequence[Hash]) -> Hash:
    """The root that `proof` leads to from `leaf_hash` at `index`: worth what vouches for it. Raises InvalidInput."""
    check_size(size)
    if not 0 <= index < size:
        raise InvalidInput(f"leaf {index} is not in a tree of {size} leaves")
    check_hashes((leaf_hash, *proof))
    folded = leaf_hash
    for sibling, on_the_left in _climb(index, size - 1, proof):
        folded = node_hash(sibling, folded) if on_the_left else node_hash(folded, sibling)
    return folded


def verify_consistency(old: int, new: int, proof: Sequence[Hash], old_root: Hash, new_root: Hash) -> None:
    """Raises InvalidInput unless `proof` shows that `new_root` extends `old_root` (RFC 9162 §2.1.4.2)."""
    check_size(new)
    if not 1 <= old <= new:
        raise InvalidInput(f"no consistency proof leads from size {old} to size {new}")
    check_hashes((old_root, new_root, *proof))
    if old == new:
        _verify_equal(proof, old_root, new_root)
        return
    if not proof:
        raise InvalidInput("the consistency proof is empty although the sizes differ")
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, new - 1
    while node & 1:  # start at the largest subtree that ends where the old tree ends
        node >>= 1
        last >>= 1
    old_folded = new_folded = path[0]
    for sibling, on_the_left in _climb(node, last, path[1:]):
        if on_the_left:
            old_folded = node_hash(sibling, old_folded)
            new_folded = node_hash(sibling, new_folded)
        else:
            new_folded = node_hash(new_folded, sibling)
    if old_folded != old_root:
        raise InvalidInput("the consistency proof does not contain the old root")
    if new_folded != new_root:
        raise InvalidInput("the consistency proof leads to another new root")


def _verify_equal(proof: Sequence[Hash], old_root: Hash, new_root: Hash) -> None:
    if proof:
        raise InvalidInput("between equal sizes the consistency proof is empty")
    if old_root != new_root:
        raise InvalidInput("two different roots for one size: the log shows two histories")


def _climb(node: int, last: int, proof: Sequence[Hash]) -> Iterator[tuple[Hash, bool]]:
    """Each hash of `proof` and whether it stands to the left, on the way from `node` to the root.

    `last` is the last node of the same level. Raises InvalidInput when the proof ends above or below the root.
    """
    for sibling in proof:
        if last == 0:
            raise InvalidInput("the proof is too long for this tree")
        on_the_left = node & 1 == 1 or node == last
        yield sibling, on_the_left
        if on_the_left:
            while not node & 1 and node:  # a last node without a partner rises unchanged
                node >>= 1
                last >>= 1
        node >>= 1
        last >>= 1
    if last != 0:
        raise InvalidInput("the proof is too short for this tree")


def _split(width: int) -> int:
    """The largest power of two below `width`, which is at least 2 (RFC 6962 §2.1)."""
    return 1 << ((width - 1).bit_length() - 1)


def _subtrees(begin: int, end: int) -> list[Node]:
    """Leaves [begin, end) as complete subtrees, largest first; `begin` is aligned to the largest."""
    nodes: list[Node] = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def _read(spans: list[list[Node]], read_hashes: ReadHashes) -> list[Hash]:
    hashes = iter(read_hashes([node for span in spans for node in span]))
    return [next(hashes) if len(span) == 1 else fold([next(hashes) for _ in span]) for span in spans]
