"""The inclusion proofs of neighbouring leaves: they share most of their hashes, which are kept, sent and spelled once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from ledger.merkle.hashing import Hash

Path = TypeVar("Path", tuple[Hash, ...], str)


class SharedProofs(Struct, frozen=True, array_like=True):
    """The proofs of the leaves `first` to `last` in one tree.

    `levels[l]` is (start, nodes): the nodes of node level l from number `start` on that are in any of the proofs, or would be
    if the tree had them. The root's level is left out.
    """

    first: int
    last: int
    levels: tuple[tuple[int, tuple[Hash, ...]], ...]

    def paths(self) -> list[tuple[Hash, ...]]:
        """The hashes of each leaf's proof, the leaf's sibling first."""
        return self._along(lambda nodes: [(node,) for node in nodes], ())

    def texts(self, spell: Callable[[Sequence[Hash]], list[str]]) -> list[str]:
        """The same as texts: of each proof its hashes as `spell` writes them, one after another."""
        return self._along(spell, "")

    def _along(self, step: Callable[[Sequence[Hash]], list[Path]], nothing: Path) -> list[Path]:
        """From the root down, so that a step that many paths have is made once, and what is above it is joined once."""
        paths, first_above = [nothing], 0
        for level in range(len(self.levels) - 1, -1, -1):
            start, nodes = self.levels[level]
            steps = step(nodes)
            first, count = self.first >> level, len(steps)
            below: list[Path] = []
            for node in range(first, (self.last >> level) + 1):
                path, at = paths[(node >> 1) - first_above], (node ^ 1) - start
                below.append(steps[at] + path if at < count else path)
            paths, first_above = below, first
        return paths
