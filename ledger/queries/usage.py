"""What a month of releases comes to under a tariff, counted from the log (docs/spec/partners.md, 4)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import UNSET
from sqlalchemy import Connection, select

from ledger.billing.bill import Bill, Release, bill_of, line_of, needs_release
from ledger.billing.months import Month
from ledger.canonical import b64u
from ledger.catalogue import CATALOGUES
from ledger.entries.access_acts import AccessLeg
from ledger.entries.evidence import decode_evidence
from ledger.entries.partner_acts import EntryNamed, TariffLine
from ledger.errors import IllegalTransition, NotFound
from ledger.merkle.edge import Edge
from ledger.merkle.hashing import leaf_hash
from ledger.participants import Registry
from ledger.partners import Tariff, UsageStatement
from ledger.storage.log import LogStore
from ledger.storage.standing import item_of, open_entry, recorded_payload
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
                    if index in left_out:
                        continue
                    if line is _UNREAD:
                        skipped[index] = ERASED
                        continue
                    indexes.append(index)
                    yield line

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
    ) -> Iterator[tuple[int, int | None]]:
        """(index, line) of the first releases in this range, rising. Lines that match everything need nobody to read them."""
        chain = entries.c.chain
        legs, lines = access_legs.c, tariff.says.lines
        query = (
            select(legs.idx, legs.basis)
            .join(entries, entries.c.idx == legs.idx)
            .join(consents, consents.c.chain == chain)
            .where(legs.act == "access.release", legs.idx >= first, legs.idx <= last, legs.basis < last)
            .where(consents.c.holder == tariff.author, consents.c.recipient == recipient)
        )
        if not needs_release(lines):  # sorted here: a database without an index over them takes ten times as long
            for index in sorted(connection.execute(query.with_only_columns(legs.idx)).scalars()):
                yield index, 0
            return
        found = connection.execution_options(yield_per=10 * PAGE).execute(query.order_by(legs.idx))
        for part in found.partitions(PAGE):
            yield from self._read(connection, [(row.idx, row.basis) for row in part], lines)

    def _read(
        self, connection: Connection, pairs: list[tuple[int, int]], lines: tuple[TariffLine, ...]
    ) -> Iterator[tuple[int, int | None]]:
        """The same for releases that have to be read: (release, access) in pairs."""
        by_rows = any(line.rows_from is not UNSET or line.rows_to is not UNSET for line in lines)
        wanted = [access for _, access in pairs] + ([release for release, _ in pairs] if by_rows else [])
        rows = {row.idx: row for row in connection.execute(select(entries).where(entries.c.idx.in_(wanted)))}
        ciphers = self._keystore.existing({row.chain for row in rows.values()})
        for release, access in pairs:
            cipher = ciphers.get(rows[access].chain)
            if cipher is None:
                yield release, _UNREAD
                continue
            item = item_of(decode_evidence(open_entry(rows[access], cipher)[0]))
            given = 0
            if by_rows:
                says = recorded_payload(decode_evidence(open_entry(rows[release], cipher)[0]))
                given = says.rows if isinstance(says, AccessLeg) else 0
            resources = _CATALOGUE.resources_of(item.permissions)
            yield release, line_of(lines, Release(item.customer_present, item.purpose, resources, given))


_UNREAD: Final = -1
