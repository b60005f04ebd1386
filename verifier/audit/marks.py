"""Roots that somebody else named of a log's beginning, compared while its entries stream by (docs/spec/sets.md, S6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from verifier.bytes.growing_tree import WIDTH, Growth
from verifier.errors import Code, Defect, Place
from verifier.rules.findings import Findings

COMPARED = "heads of shards that the head log committed"
NOT_COMPARED = "committed heads of shards over entries whose hashes are not known"
_NEVER = 1 << 62


class Mark(NamedTuple):
    """Entry `by` of another log says that the first `size` entries of this one have `root` (32 bytes)."""

    size: int
    by: int
    root: bytes


class Marks:
    """The marks of one log, `origin`, in rising order of their sizes. `found` tells of each that is wrong, as a defect of the
    entry that names it."""

    def __init__(self, origin: str, marks: Iterator[Mark]) -> None:
        self.found = Findings()
        self._origin, self._marks = origin, marks
        self._next: Mark | None = None
        self._doubtful = False
        self.size = 0
        """The size that is asked for next."""
        self._step()

    def doubt(self) -> None:
        """The hash of the next entry is not known: from here on no root is."""
        self._doubtful = True

    def see(self, growth: Growth) -> None:
        """The tree has grown to its present size."""
        if self.size == growth.size:
            self._compare(growth.root())

    def see_within(self, growth: Growth, leaves: Sequence[bytes]) -> None:
        """The leaves of a whole tile are to follow."""
        while self.size < growth.size + WIDTH:
            self._compare(growth.root_with(leaves[: self.size - growth.size]))

    def finish(self, sound: bool) -> Findings:
        """What was found; no history is another one by entries that are not the signed ones (not `sound`)."""
        known = self.found
        if not sound and known.count:  # these entries contradict what the shard signed, so they say nothing of it
            wrong, known = known.count, Findings()
            known.checked[COMPARED] = self.found.checked[COMPARED] - wrong
            known.unchecked[NOT_COMPARED] = self.found.unchecked[NOT_COMPARED] + wrong
        while self._next is not None:
            known.unchecked[NOT_COMPARED] += 1
            self._step()
        return known

    def _compare(self, root: bytes) -> None:
        size = self.size
        while self._next is not None and self._next.size == size:
            if self._doubtful:
                self.found.unchecked[NOT_COMPARED] += 1
            else:
                self._hold(self._next, root)
            self._step()

    def _hold(self, mark: Mark, root: bytes) -> None:
        # Step S6.
        self.found.checked[COMPARED] += 1
        if mark.root != root:
            self.found.add(
                Defect(
                    Code.EQUIVOCATION,
                    "the head log committed to another history of a shard than this one",
                    Place(mark.by, field="document.heads"),
                    f"{self._origin}: {mark.size}, {mark.root.hex()}",
                    root.hex(),
                )
            )

    def _step(self) -> None:
        self._next = next(self._marks, None)
        self.size = _NEVER if self._next is None else self._next.size
