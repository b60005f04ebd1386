"""What a month of releases comes to under a tariff, counted from the log (docs/spec/partners.md, 4)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from ledger.billing.bill import Band, Bill, bands_of, bill_of, line_for, needs_release
from ledger.billing.months import Month
from ledger.canonical import b64u
from ledger.catalogue import CATALOGUES
from ledger.entries.evidence import decode_evidence
from ledger.entries.partner_acts import EntryNamed, TariffLine
from ledger.errors import IllegalTransition, NotFound
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.participants import Registry
from ledger.partners import Tariff, UsageStatement
from ledger.queries.counting import Counting
from ledger.queries.released import given_under, release_in
from ledger.storage.counted import CountBook
from ledger.storage.counted_facts import Given
from ledger.storage.log import LogStore
from ledger.storage.standing import open_entry
from ledger.storage.tables import access_legs, consents, entries, log_head
from ledger.storage.times import last_before
from ledger.vault.keystore import KeyStore

SETTLED_MS: Final = 60_000
"""How long after a month's end it is counted: by then the last batch that may bear its time is committed."""
ERASED: Final = "erased"
"""Why an entry is left out that nobody can read any more."""
MOST_LEFT_OUT: Final = 100
PAGE: Final = 500
_CATALOGUE: Final = CATALOGUES[3]
_OPEN, _NO_LINE, _UNREAD, _NO_UNIT = -1, -2, -3, -4
"""In place of the number of a line: not looked up yet; none matches; nobody can read it; it rests on no allowed access."""


@dataclass(frozen=True, slots=True)
class UsageCount:
    """The figures of a statement: all members of `usage.state` that follow from the entries."""

    tariff: Tariff
    recipient: str
    month: Month
    indexes: array[int]
    """The releases that were counted, rising."""
    left_out: tuple[EntryNamed, ...]
    bill: Bill
    root: str
    to_index: int
    replaces: int
    """The statement of this month so far; −1 for none."""

    def members(self) -> dict[str, Any]:
        """The members of `usage.state`, but for those that every statement has."""
        return {
            "amounts": [{"amount": one.amount, "count": one.count} for one in self.bill.amounts],
            "count": self.bill.count,
            "from": self.month.first,
            "left_out": [{"index": one.index, "reason": one.reason} for one in self.left_out],
            "offer": self.tariff.index,
            "recipient": self.recipient,
            "replaces": self.replaces,
            "root": self.root,
            "to": self.month.end,
            "to_index": self.to_index,
            "total": self.bill.total,
        }


class UsageQueries:
    """Counts months. Blocking; each question raises Unavailable."""

    def __init__(self, store: LogStore, keystore: KeyStore) -> None:
        self._store = store
        self._keystore = keystore
        self._book_folder: Path | None = None

    def use_book_in(self, folder: Path | None) -> None:
        """From now on look at the count book in this state folder before any release is opened (docs/reports.md); None: at
        none."""
        self._book_folder = folder

    def count(
        self,
        registry: Registry,
        offer: int,
        recipient: str,
        month: Month,
        *,
        now: int,
        left_out: Mapping[int, str] | None = None,
    ) -> UsageCount:
        """Count a month that is over at `now` (ms). `left_out`: entries that are not billed, and why.

        Raises NotFound for no such tariff, IllegalTransition where no statement can be made. Memory: some 50 bytes a release.
        """
        tariff = registry.partners.tariff(offer)
        if now < month.end * 1000 + SETTLED_MS:
            raise IllegalTransition("the month is not over: it is counted a minute after its end", member="month")
        if not tariff.holds_for(recipient, month.first):
            raise IllegalTransition(
                f"the tariff at entry {offer} is not in force for this month between {tariff.author!r} and {recipient!r}",
                member="offer",
            )
        last = registry.partners.last_of_month.get((offer, recipient, month.first), -1)
        return self._counted(tariff, recipient, month, left_out or {}, last)

    def again(self, stated: UsageStatement, registry: Registry) -> UsageCount:
        """The same month as a statement on record was made of, without what it leaves out."""
        says = stated.says
        tariff = registry.partners.tariff(says.offer)
        left_out = {one.index: one.reason for one in says.left_out}
        return self._counted(tariff, says.recipient, Month(says.from_, says.to), left_out, says.replaces)

    def _counted(
        self, tariff: Tariff, recipient: str, month: Month, left_out: Mapping[int, str], replaces: int
    ) -> UsageCount:
        indexes, skipped = array("q"), dict(left_out)
        lines = tariff.says.lines
        with self._store.read() as connection:
            size = connection.execute(select(log_head.c.size)).scalar_one()
            first = last_before(connection, size, month.first * 1000 - 1) + 1
            to_index = last_before(connection, size, month.end * 1000 - 1)
            if to_index < 0:
                raise NotFound("the log holds no entry that is as old as this month's end", member="month")

            def matched() -> Iterator[int | None]:
                for index, line in self._releases(connection, tariff, recipient, first, to_index):
                    if index in left_out or line == _NO_UNIT:
                        continue
                    if line == _UNREAD:
                        skipped[index] = ERASED
                        continue
                    indexes.append(index)
                    yield None if line == _NO_LINE else line

            bill = bill_of(lines, matched())
        if len(skipped) > MOST_LEFT_OUT:
            raise IllegalTransition(
                f"{len(skipped)} entries are left out, and a statement names at most {MOST_LEFT_OUT}", member="left_out"
            )
        root = Edge().grow([leaf_hash(index.to_bytes(8, "big")) for index in indexes]).root
        named = tuple(EntryNamed(index=index, reason=reason) for index, reason in sorted(skipped.items()))
        return UsageCount(tariff, recipient, month, indexes, named, bill, b64u(root), to_index, replaces)

    def _releases(
        self, connection: Connection, tariff: Tariff, recipient: str, first: int, last: int
    ) -> Iterator[tuple[int, int]]:
        """(index, line) of the first releases in this range, rising. Lines that match everything need nobody to read them."""
        chain = entries.c.chain
        legs, lines = access_legs.c, tariff.says.lines
        query = (
            select(legs.idx)
            .join(entries, entries.c.idx == legs.idx)
            .join(consents, consents.c.chain == chain)
            .where(legs.act == "access.release", legs.idx >= first, legs.idx <= last, legs.basis < last)
            .where(consents.c.holder == tariff.author, consents.c.recipient == recipient)
        )
        # sorted here: a database without an index over them takes ten times as long
        indexes = array("q", sorted(connection.execute(query).scalars()))
        if not needs_release(lines):
            return zip(indexes, repeat(0), strict=False)
        return zip(indexes, self._lines(connection, indexes, lines), strict=True)

    def _lines(self, connection: Connection, indexes: array[int], lines: tuple[TariffLine, ...]) -> array[int]:
        """The line of each of these releases: out of the count book, or out of the entries where the book has none."""
        found = array("h", [_OPEN]) * len(indexes)
        if self._book_folder is not None and indexes:
            with closing(Counting.beside(self._store, self._keystore, self._book_folder)) as counting:
                counting.catch_up()
                with counting.book.view():
                    _take(found, indexes, counting.book, lines)
        unknown = [at for at, line in enumerate(found) if line == _OPEN]
        for start in range(0, len(unknown), PAGE):
            places = unknown[start : start + PAGE]
            for at, line in zip(places, self._read(connection, [indexes[at] for at in places], lines), strict=True):
                found[at] = line
        return found

    def _read(self, connection: Connection, indexes: list[int], lines: tuple[TariffLine, ...]) -> list[int]:
        """The same for releases that have to be opened, with their accesses."""
        rows = {row.idx: row for row in connection.execute(select(entries).where(entries.c.idx.in_(indexes)))}
        ciphers = self._keystore.existing({bytes(row.chain) for row in rows.values()})
        opened = []
        for index in indexes:
            chain = bytes(rows[index].chain)
            if chain in ciphers:
                evidence = decode_evidence(open_entry(rows[index], ciphers[chain])[0])
                opened.append(release_in(index, chain, evidence))
        releases = {one.idx: one for one in opened if one is not None}
        given = given_under(connection, ciphers, releases.values())
        return [
            _line(_bands(lines, given[index]), releases[index].says.rows)
            if index in given
            else (_NO_UNIT if bytes(rows[index].chain) in ciphers else _UNREAD)
            for index in indexes
        ]


def _take(found: array[int], indexes: array[int], book: CountBook, lines: tuple[TariffLine, ...]) -> None:
    """Fill in the lines of those releases that the book has. Both are in rising order."""
    bands = {number: _bands(lines, given) for number, given in book.all_given().items()}
    at = 0
    for index, given, rows in book.releases(indexes[0], indexes[-1]):
        while indexes[at] < index:  # the book ends with the last of them, so one at or above it is always there
            at += 1
        if indexes[at] == index:
            found[at] = _line(bands[given], rows)


def _bands(lines: tuple[TariffLine, ...], given: Given) -> tuple[Band, ...]:
    resources = _CATALOGUE.resources_of(given.permissions)
    return bands_of(lines, attended=given.attended, purpose=given.purpose, resources=resources)


def _line(bands: tuple[Band, ...], rows: int) -> int:
    line = line_for(bands, rows)
    return _NO_LINE if line is None else line
