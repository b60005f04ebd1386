"""The list of entries that a holder handed over with a statement of usage, held against the log (docs/spec/partners.md, 5)."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from verifier.bytes.encoding import encode_base64url
from verifier.bytes.growing_tree import Frontier
from verifier.bytes.merkle import hash_leaf
from verifier.errors import CannotCheck
from verifier.records.facts import Found
from verifier.records.leaf import Leaf

MAX_LISTED = 10_000_000
MAX_MISSING = 100_000
UNSEEN, COUNTED, TWICE, OTHER_MONTH, OTHER_PARTY, LEFT_OUT, MISSING, REFUSED, UNDER_NONE, NO_RELEASE, UNREADABLE = (
    "",
    "counted",
    "twice",
    "other month",
    "other party",
    "left out",
    "missing",
    "refused",
    "under none",
    "no release",
    "unreadable",
)
_CODES = (UNSEEN, COUNTED, OTHER_MONTH, OTHER_PARTY, LEFT_OUT)


class Listed:
    """`watch` the entries as they are read, `see` each first release; then `wrong` names what is."""

    def __init__(self, statement: int, indexes: array[int]) -> None:
        self.statement = statement
        self._indexes = array("Q", sorted(indexes))
        self._seen, self._released = bytearray(len(indexes)), bytearray(len(indexes))
        self._notes: dict[int, str] = {}
        self._missing: list[int] = []
        self.unnamed = 0
        """How many are missing beside those that are named."""

    def __len__(self) -> int:
        return len(self._indexes)

    def root(self) -> str:
        """That of the list as it was handed over, in rising order, in base64url."""
        tree = Frontier()
        for index in self._indexes:
            tree.append(hash_leaf(index.to_bytes(8)))
        return encode_base64url(tree.root())

    def watch(self, position: int, leaf: Leaf, found: Found | None) -> None:
        """An entry as it was read."""
        at = self._place(position)
        if at is None:
            return
        facts = None if found is None else found.facts
        if facts is None:
            if found is not None or leaf.kind == "consent":
                self._notes[position] = UNREADABLE
        elif facts.act == "access.request" and (facts.outcome or {}).get("decision") == "deny":
            self._notes[position] = REFUSED
        else:
            self._released[at] = facts.act == "access.release"

    def see(self, index: int, what: str) -> None:
        """Note the place of a first release in the statement."""
        at = self._place(index)
        if at is not None:
            self._seen[at] = _CODES.index(what)
        elif what == COUNTED:
            if len(self._missing) < MAX_MISSING:
                self._missing.append(index)
            else:
                self.unnamed += 1

    def wrong(self) -> Iterator[tuple[int, str]]:
        """Each index that does not belong to the list, or that the list lacks, with what is wrong with it."""
        before = -1
        for at, index in enumerate(self._indexes):
            if index == before:
                yield index, TWICE
                continue
            before, what = index, _CODES[self._seen[at]]
            if what != COUNTED:
                yield index, what or self._notes.get(index, UNDER_NONE if self._released[at] else NO_RELEASE)
        for index in self._missing:
            yield index, MISSING

    def _place(self, index: int) -> int | None:
        """The first place of this index in the list, if it is there."""
        at = bisect_left(self._indexes, index)
        return at if at < len(self._indexes) and self._indexes[at] == index else None


def read_list(data: bytes, statement: int) -> Listed:
    """One index in each line. Raises CannotCheck."""
    indexes = array("Q")
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.rstrip(b"\r")
        if not text and not line:
            continue
        if not (text.isdigit() and len(text) < 17) or len(indexes) >= MAX_LISTED:
            raise CannotCheck(
                f"line {number} of the list is no index of an entry, or the list has more than {MAX_LISTED:,}"
            )
        indexes.append(int(text))
    return Listed(statement, indexes)
