"""RFC 6962 §2.1 as it is written: recursive, over all leaves, sharing nothing with the code under test."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256


class ReferenceTree:
    """Trees over the first n of `leaves` (leaf hashes), for any n."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.mth = lru_cache(maxsize=None)(self._mth)

    def _mth(self, begin: int, end: int) -> bytes:
        if begin == end:
            return sha256(b"").digest()
        if end - begin == 1:
            return self.leaves[begin]
        middle = begin + _k(end - begin)
        return sha256(b"\x01" + self.mth(begin, middle) + self.mth(middle, end)).digest()

    def root(self, size: int) -> bytes:
        return self.mth(0, size)

    def path(self, index: int, size: int) -> list[bytes]:
        return self._path(index, 0, size)

    def _path(self, index: int, begin: int, end: int) -> list[bytes]:
        if end - begin == 1:
            return []
        middle = begin + _k(end - begin)
        if index < middle:
            return [*self._path(index, begin, middle), self.mth(middle, end)]
        return [*self._path(index, middle, end), self.mth(begin, middle)]

    def consistency(self, old: int, new: int) -> list[bytes]:
        return self._sub(old, 0, new, whole=True)

    def _sub(self, old: int, begin: int, end: int, *, whole: bool) -> list[bytes]:
        if old == end:
            return [] if whole else [self.mth(begin, end)]
        middle = begin + _k(end - begin)
        if old <= middle:
            return [*self._sub(old, begin, middle, whole=whole), self.mth(middle, end)]
        return [*self._sub(old, middle, end, whole=False), self.mth(begin, middle)]

    def read_hashes(self, nodes: list[tuple[int, int]]) -> list[bytes]:
        return [self.mth(index << level, (index + 1) << level) for level, index in nodes]

    def tile(self, level: int, number: int, width: int) -> bytes:
        first = number * 256
        return b"".join(self.read_hashes([(8 * level, i) for i in range(first, first + width)]))


def _k(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def leaves(count: int) -> list[bytes]:
    return [sha256(b"\x00" + i.to_bytes(8, "big")).digest() for i in range(count)]
