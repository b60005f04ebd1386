"""The remit of a regulator: whose consents it may see (docs/supervision.md, «Several regulators»)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, and_, or_, select
from sqlalchemy.sql.elements import ColumnElement

from ledger.entries.leaf import declaration_chain
from ledger.entries.scope import Bounds
from ledger.storage.tables import consents, entries

Dims = Mapping[str, Sequence[str]]
PAGE: Final = 500


class Remit(Bounds, frozen=True, forbid_unknown_fields=True):
    """The consents within its bounds, to see and to order about."""

    def covers(self, dims: Dims) -> bool:
        """Whether something with these dimensions is theirs to see."""
        for mine, name in ((self.holders, "holder"), (self.recipients, "recipient")):
            if mine and mine.isdisjoint(dims.get(name, ())):
                return False
        return not self.within or not self.within.isdisjoint((*dims.get("holder", ()), *dims.get("recipient", ())))

    def covers_consent(self, holder: str, recipient: str) -> bool:
        """Whether a consent between these two is."""
        return self.covers({"holder": (holder,), "recipient": (recipient,)})

    def covers_all_of(self, holder: str) -> bool:
        """Whether all consents of a holder are, with whichever recipient."""
        return (
            not self.recipients
            and (not self.holders or holder in self.holders)
            and (not self.within or holder in self.within)
        )

    def may_touch(self, author: str, holder: object, recipient: object) -> bool:
        """Whether what `author` says of a scope is theirs to see: by one whom they name, or about what may be a consent of
        theirs. A member of a scope that is not text names nobody."""
        if not self.is_limited or author in self.named:
            return True
        for mine, name in ((self.holders, holder), (self.recipients, recipient)):
            if mine and isinstance(name, str) and name not in mine:
                return False
        both = isinstance(holder, str) and isinstance(recipient, str)
        return not (self.within and both and self.within.isdisjoint((str(holder), str(recipient))))

    def consents(self) -> ColumnElement[bool]:
        """The condition on rows of consents."""
        wanted: list[ColumnElement[bool]] = []
        if self.holders:
            wanted.append(consents.c.holder.in_(sorted(self.holders)))
        if self.recipients:
            wanted.append(consents.c.recipient.in_(sorted(self.recipients)))
        if self.within:
            some = sorted(self.within)
            wanted.append(or_(consents.c.holder.in_(some), consents.c.recipient.in_(some)))
        return and_(True, *wanted)

    def partners(self, connection: Connection, participants: Iterable[str]) -> set[str]:
        """Which of these participants are named, or have a consent that is covered."""
        asked = sorted(set(participants))
        found = self.named.intersection(asked)
        for first in range(0, len(asked), PAGE):
            some = asked[first : first + PAGE]
            for column in (consents.c.holder, consents.c.recipient):
                query = select(column).where(column.in_(some), self.consents()).distinct()
                found |= set(connection.execute(query).scalars())
        return set(found)

    def chains(self, connection: Connection, first: int, last: int) -> set[bytes]:
        """The chains with entries from `first` to `last` whose evidence is theirs to open: of covered consents; of customers
        and declarations of participants all of whose consents are covered."""
        chosen = select(entries.c.chain).where(entries.c.idx >= first, entries.c.idx <= last).distinct().subquery()
        mine = select(consents.c.chain).join(chosen, chosen.c.chain == consents.c.chain).where(self.consents())
        found = {bytes(chain) for chain in connection.execute(mine).scalars()}
        subjects = select(consents.c.subject_chain, consents.c.holder).join(
            chosen, chosen.c.chain == consents.c.subject_chain
        )
        for chain, holder in connection.execute(subjects.distinct()):
            if self.covers_all_of(holder):
                found.add(bytes(chain))
        return found | {declaration_chain(name) for name in self.named}
