"""Statements of usage recounted from the legs of accesses, once the log was read (docs/spec/partners.md, 4 and 5).

The first releases lie on disk in log order; one pass over them counts all statements at once. Memory is per statement.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from verifier.bytes.encoding import encode_base64url
from verifier.bytes.growing_tree import Frontier
from verifier.bytes.merkle import hash_leaf
from verifier.errors import Code, Defect, Place
from verifier.rules.access_legs import Leg, Legs
from verifier.rules.consents import Consent
from verifier.rules.deferred import BUCKETS, Spool
from verifier.rules.findings import Findings
from verifier.rules.partners import Partners, Stated
from verifier.rules.usage_list import COUNTED, LEFT_OUT, OTHER_MONTH, OTHER_PARTY, Listed

_GIVEN = struct.Struct(">QQQQQ22s")
_GAP = struct.Struct(">QQQ")
MONTH_MS = 32 * 86_400_000
FOREVER = 2**64 - 1
WRONG = "the statement of usage is not what the entries give"
UNREAD = "statements of usage that rest on entries which were withheld, erased or unreadable"


class Recounted(NamedTuple):
    """What became of a statement. `state`: empty if it is what the entries give, `refuted`, or `open`; `fields`: those that
    differ."""

    stated: Stated
    state: str
    fields: str = ""
    expected: str = ""
    found: str = ""


@dataclass(slots=True)
class Count:
    """The entries of one statement so far."""

    stated: Stated
    counts: list[int]
    count: int = 0
    tree: Frontier = field(default_factory=Frontier)
    open: bool = False

    def holds(self, time: int) -> bool:
        """Whether a time (ms) lies in its month."""
        return self.stated.since * 1000 <= time < self.stated.to * 1000

    def add(self, index: int, kind: bytes, resources: int, rows: int) -> None:
        """A release that counts."""
        self.count += 1
        self.tree.append(hash_leaf(index.to_bytes(8)))
        for at, line in enumerate(self.stated.offer.lines):
            if line.matches(kind[0] == 1, kind[1:], resources, rows):
                self.counts[at] += 1
                return

    def figures(self) -> dict[str, str]:
        """What the entries give."""
        lines = self.stated.offer.lines
        amounts = [(count, line.amount(count)) for count, line in zip(self.counts, lines, strict=True)]
        return _figures(amounts, self.count, encode_base64url(self.tree.root()), sum(amount for _, amount in amounts))


class Usage:
    """`missed` and `lose` while reading; `begin` before the legs are matched, `finish` after."""

    def __init__(self, partners: Partners, legs: Legs, time_of: Callable[[int], int | None]) -> None:
        self.partners, self.legs, self.time_of = partners, legs, time_of
        self.gaps, self._given = Spool(_GAP.size), Spool(_GIVEN.size)
        self.start = 0
        """Statements below this entry were recounted by an earlier run."""
        self.lost_at = -1
        """The time (ms) before a leaf that could not be read, until one is read again."""
        self.told: list[Recounted] = []
        self.listed: Listed | None = None
        self._size = 0

    # --- what could not be read -----------------------------------------------------------------------------

    def missed(self, time: int, consent: Consent | None) -> None:
        """An entry of this consent (None: of nobody knows which) that could not be read."""
        self._gap(
            time, time, 0 if consent is None else self.legs.between(consent.terms.holder, consent.terms.recipient)
        )

    def lose(self, time: int) -> None:
        """A leaf that nobody could read, after this time."""
        if self.lost_at < 0:
            self.lost_at = time

    def found(self, time: int) -> None:
        """A leaf that could be read again."""
        self._gap(self.lost_at, time, 0)
        self.lost_at = -1

    def _gap(self, first: int, last: int, parties: int) -> None:
        self.gaps.put(first // 60_000 & 0xFF, _GAP.pack(first, last, parties))

    # --- the end --------------------------------------------------------------------------------------------

    def begin(self, size: int) -> None:
        """Ask for the releases, if anything was stated; the log has so many entries."""
        self._size = size
        if max(self.partners.stated, default=-1) >= self.start:
            self.legs.given = self._put

    def _put(self, access: Leg | None, release: Leg) -> None:
        if access is None or not access.parties:
            self._gap(release.time, release.time, release.parties)
            return
        record = (release.number, release.time, access.parties, access.bytes_, release.rows, access.digest)
        self._given.put(release.number * BUCKETS // self._size, _GIVEN.pack(*record))

    def finish(self, findings: Findings) -> None:
        """Compare all statements."""
        if self.lost_at >= 0:
            self.found(FOREVER)
        counts = [
            Count(stated, [0] * len(stated.amounts))
            for stated in sorted(self.partners.stated.values(), key=lambda one: one.since)
            if stated.index >= self.start
        ]
        if self.listed is not None and self.listed.statement not in self.partners.stated:
            self.listed = None
        if counts:
            parties: dict[int, list[Count]] = {}
            for count in counts:
                parties.setdefault(self.legs.between(count.stated.holder, count.stated.recipient), []).append(count)
            self._recount(parties)
            self._leave_open(counts, parties)
        for count in sorted(counts, key=lambda one: one.stated.index):
            self._compare(findings, count)

    def _recount(self, parties: dict[int, list[Count]]) -> None:
        for records in self._given.buckets():
            for record in sorted(records):
                index, time, both, resources, rows, kind = _GIVEN.unpack(record)
                own = parties.get(both, [])
                for count in _around(own, time, time):
                    if index not in count.stated.left_out:
                        count.add(index, kind, resources, rows)
                if self.listed is not None:
                    self.listed.see(index, self._standing(self.listed, index, time, both))

    def _standing(self, listed: Listed, index: int, time: int, both: int) -> str:
        """The place of a first release in the statement whose list was handed over."""
        stated = self.partners.stated[listed.statement]
        if both != self.legs.between(stated.holder, stated.recipient):
            return OTHER_PARTY
        if not stated.since * 1000 <= time < stated.to * 1000:
            return OTHER_MONTH
        return LEFT_OUT if index in stated.left_out else COUNTED

    def _leave_open(self, counts: list[Count], parties: dict[int, list[Count]]) -> None:
        """Statements that rest on what could not be read."""
        for record in (record for records in self.gaps.buckets() for record in {*records}):
            first, last, both = _GAP.unpack(record)
            for count in _around(parties.get(both, []) if both else counts, first, last):
                count.open = True

    def _compare(self, findings: Findings, count: Count) -> None:
        stated = count.stated
        before, after = self.time_of(stated.to_index), self.time_of(stated.to_index + 1)
        if count.open or before is None or after is None:
            findings.unchecked[UNREAD] += 1
            self.told.append(Recounted(stated, "open"))
            return
        findings.checked["statements of usage"] += 1
        given = count.figures()
        said = _figures(stated.amounts, stated.count, stated.root, stated.total)
        if not before < stated.to * 1000 <= after:
            given["to_index"], said["to_index"] = f"the last entry before {stated.to}", str(stated.to_index)
        names = [name for name in sorted(given) if given[name] != said[name]]
        if not names:
            self.told.append(Recounted(stated, ""))
            return
        expected, found = (", ".join(f"{name} {side[name]}" for name in names) for side in (given, said))
        found = f"{stated.holder} to {stated.recipient}: {found}"
        self.told.append(Recounted(stated, "refuted", ", ".join(names), expected, found))
        findings.dispute(Defect(Code.DISPUTED, WRONG, Place(stated.index, field=", ".join(names)), expected, found))

    def close(self) -> None:
        """Give the temporary files back."""
        self.gaps.close()
        self._given.close()


def _around(counts: list[Count], first: int, last: int) -> Iterable[Count]:
    """Those, sorted by their beginnings, whose month has a moment from `first` to `last` (ms)."""
    at = bisect_right(counts, last, key=lambda count: count.stated.since * 1000)
    while at and counts[at - 1].stated.since * 1000 > first - MONTH_MS:
        at -= 1
        if first < counts[at].stated.to * 1000:
            yield counts[at]


def _figures(amounts: Iterable[tuple[int, int]], count: int, root: str, total: int) -> dict[str, str]:
    told = "; ".join(f"{amount} for {number}" for number, amount in amounts)
    return {"amounts": told, "count": str(count), "root": root, "total": str(total)}
