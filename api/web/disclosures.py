"""Disclosures that the operator put on record, matched with a customer's own entries.

A `disclosure` document (docs/spec/leaves.md) names a range of the log, a case and an institution. Customers are shown every one
that touches an entry of theirs: on the connection, in its history, on the receipt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ledger.handovers import CaseHandover, CaseHandovers
from ledger.queries.overview import OverviewQueries, PublicDocument
from ledger.queries.records import RecordQueries

PAGE: Final = 200
SHOWN: Final = 20
"""The most disclosures that one connection's page names."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Evidence of the entries `first` … `last` was opened to `participant`, as entry `index` of the log says."""

    index: int
    time: int
    participant: str
    case: str
    first: int
    last: int
    passed: tuple[CaseHandover, ...] = ()
    """To whom its file was handed since."""

    def covers(self, index: int) -> bool:
        """Whether that entry's evidence was in it."""
        return self.first <= index <= self.last


class Disclosures:
    """All disclosures of the log, newest first. Thread-safe.

    Each process reads all operator documents once, and after that only new ones; it remembers the disclosures among
    them, which are few.
    """

    def __init__(self, overview: OverviewQueries, handovers: Callable[[], CaseHandovers]) -> None:
        """`handovers`: all that are on record now."""
        self._overview = overview
        self._handovers = handovers
        self._lock = threading.Lock()
        self._known: tuple[Opened, ...] = ()
        self._seen = -1

    def known(self) -> tuple[Opened, ...]:
        """All of them, as of now."""
        with self._lock:
            newest = self._overview.documents(limit=1)
            if newest and newest[0].index > self._seen:
                self._known = (*self._read(newest[0].index + 1), *self._known)
                self._seen = newest[0].index
            handovers = self._handovers()
            if not handovers.handed:
                return self._known
            return tuple(replace(one, passed=tuple(handovers.of_disclosure(one.index))) for one in self._known)

    def _read(self, before: int) -> list[Opened]:
        found: list[Opened] = []
        while True:
            page = self._overview.documents(before=before, limit=PAGE)
            fresh = [one for one in page if one.index > self._seen]
            found += [_opened(one) for one in fresh if one.document["type"] == "disclosure"]
            if len(fresh) < PAGE:
                return found
            before = fresh[-1].index

    def of_entry(self, index: int) -> list[Opened]:
        """Those that opened one entry."""
        return [one for one in self.known() if one.covers(index)]

    def of_chain(self, records: RecordQueries, chain: bytes, begins: int) -> list[Opened]:
        """The newest SHOWN that opened an entry of a chain whose first entry is `begins`."""
        found: list[Opened] = []
        for one in self.known():
            inside = records.first_from(chain, max(one.first, begins)) if one.last >= begins else None
            if inside is not None and one.covers(inside):
                found.append(one)
            if len(found) == SHOWN:
                break
        return found


def _opened(one: PublicDocument) -> Opened:
    document = one.document
    return Opened(
        one.index, one.time, document["participant"], document["case"], document["from_index"], document["to_index"]
    )
