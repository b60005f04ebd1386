"""Merkle trees by their definition (RFC 6962 section 2.1), and the checks of proofs about them.

The first half is the RFC's recursion, word for word: slow, obvious, the yardstick of the tests and of small trees.
The second half checks proofs without recursion (RFC 9162 section 2.1; subtrees: draft-ietf-plants-merkle-tree-certs).
A proof does not authenticate the sizes it was made for: take size and root from a verified checkpoint only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from verifier.errors import Code, Refuted, refuted

HASH = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
MAX_SIZE = 2**63 - 1


def hash_leaf(entry: bytes) -> bytes:
    """H(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """H(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


# --- definitions, over leaf hashes ----------------------------------------------------------------------------


def split_at(n: int) -> int:
    """The largest power of two smaller than n, for n > 1."""
    return 1 << (n - 1).bit_length() - 1


def _bad(sentence: str, expected: object = "", found: object = "") -> Refuted:
    return refuted(Code.BAD_PROOF, sentence, expected=expected, found=found)


def _check_hashes(*hashes: bytes) -> None:
    for item in hashes:
        if len(item) != HASH:
            raise _bad("a hash does not have 32 bytes", expected=HASH, found=len(item))


def inclusion_root(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to. Raises Refuted(BAD_PROOF) for an index outside the tree or a path
    of a wrong length."""
    if not 0 <= index < size <= MAX_SIZE:
        raise _bad("the index is not within the tree", expected=f"below {size}", found=index)
    _check_hashes(leaf, *path)
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            raise _bad("the inclusion proof is too long", found=len(path))
        if fn & 1 or fn == sn:
            r = hash_node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hash_node(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise _bad("the inclusion proof is too short", found=len(path))
    return r


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """The leaf hash is number `index` of the tree of `size` leaves with this root; else Refuted(BAD_PROOF)."""
    found = inclusion_root(index, size, leaf, path)
    if found != root:
        raise _bad("the inclusion proof does not lead to the root", expected=root, found=found)


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """The tree of `new` leaves begins with the tree of `old` > 0 leaves; else Refuted(BAD_PROOF)."""
    if not 0 < old <= new <= MAX_SIZE:
        raise _bad("the sizes are not in order", expected=f"1 to {new}", found=old)
    verify_subtree_consistency(0, old, new, path, old_root, new_root)


def consistency_roots(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the old and of the new tree that a path *with its seed* leads to, 0 < old < new.

    The seed is the hash both walks begin with; a consistency proof leaves it out when it is the old root itself.
    Fork evidence keeps it, for there the old root is what differs (docs/spec, tlog: following a log).
    Raises Refuted(BAD_PROOF) for a path of a wrong length.
    """
    if not 0 < old < new <= MAX_SIZE or not path:
        raise _bad("the sizes are not in order or the path is empty", found=(old, new))
    _check_hashes(*path)
    fn, sn, tn = _start(0, old, new)
    return _fold(fn, sn, tn, path[0], path[1:])


def check_subtree(start: int, end: int, size: int) -> None:
    """[start, end) is a subtree of a tree of `size` leaves: aligned to its own width; else Refuted(BAD_PROOF)."""
    width = 1 << (end - start - 1).bit_length() if end > start else 1
    if not (0 <= start <= end <= size <= MAX_SIZE and start % width == 0):
        raise _bad("not a valid subtree", found=f"[{start}, {end}) of {size}")


def verify_subtree_inclusion(index: int, start: int, end: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """The leaf hash is leaf `index` of the log, within the subtree [start, end) with this root; else BAD_PROOF."""
    check_subtree(start, end, end)
    if not start <= index < end:
        raise _bad("the index is not within the subtree", expected=f"[{start}, {end})", found=index)
    verify_inclusion(index - start, end - start, leaf, path, root)


def verify_subtree_consistency(
    start: int, end: int, size: int, path: Sequence[bytes], subtree_root: bytes, root: bytes
) -> None:
    """The subtree [start, end) with `subtree_root` is part of the tree of `size` leaves with `root`; else BAD_PROOF."""
    check_subtree(start, end, size)
    _check_hashes(subtree_root, root, *path)
    if start == end:
        found = EMPTY_ROOT, root
        if path:
            raise _bad("the proof of an empty subtree must be empty", found=len(path))
    else:
        fn, sn, tn = _start(start, end, size)
        if fn != sn and not path:
            raise _bad("the consistency proof is too short", found=0)
        seed, rest = (subtree_root, path) if fn == sn else (path[0], path[1:])
        found = _fold(fn, sn, tn, seed, rest)
    if found[0] != subtree_root:
        raise _bad("the consistency proof does not lead to the old root", expected=subtree_root, found=found[0])
    if found[1] != root:
        raise _bad("the consistency proof does not lead to the new root", expected=root, found=found[1])


def _start(start: int, end: int, size: int) -> tuple[int, int, int]:
    """Skip the levels on which the two trees have their right edge's nodes in common (draft section 4.4.3, step 3)."""
    fn, sn, tn = start, end - 1, size - 1
    while fn != sn and (sn == tn or sn & 1):
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    return fn, sn, tn


def _fold(fn: int, sn: int, tn: int, seed: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    fr = sr = seed
    for c in path:
        if tn == 0:
            raise _bad("the consistency proof is too long", found=len(path))
        if sn & 1 or sn == tn:
            if fn < sn:
                fr = hash_node(c, fr)
            sr = hash_node(c, sr)
            while not sn & 1:
                fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
        else:
            sr = hash_node(sr, c)
        fn, sn, tn = fn >> 1, sn >> 1, tn >> 1
    if tn:
        raise _bad("the consistency proof is too short", found=len(path))
    return fr, sr
