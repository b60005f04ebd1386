"""Evidence packs on the command line: select, bind, record in the log, write to a new place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from ledger.app import Ledger
from ledger.bundle import Target
from ledger.errors import InvalidInput
from ledger.merkle.hashing import leaf_hash
from ledger.packs import bind_pack, chainpoint_proof
from ledger.planning.commands import Recorded
from ledger.queries.attested import histories_of
from ledger.queries.selection import SelectionQueries

MAX_ITEMS: Final = 100_000
"""A pack is made in memory; larger selections are better served by a bundle."""
_PORTION: Final = 500
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Selection:
    """The selection for a pack: exactly one of these."""

    customer: str | None = None
    """`HOLDER:REFERENCE`, the holder's own reference for the customer."""
    participant: str | None = None
    period: str | None = None
    """`FROM..TO`, days or moments in UTC; TO is not included."""
    everything: bool = False

    def __bool__(self) -> bool:
        return any((self.customer, self.participant, self.period, self.everything))

    def find(self, ledger: Ledger) -> tuple[str, list[int], int]:
        """Scope, indexes, and the size of the log. Raises InvalidInput for no or two selections, NotFound."""
        if sum(map(bool, (self.customer, self.participant, self.period, self.everything))) != 1:
            raise InvalidInput("a pack is of one customer, one participant, one period, or of all")
        queries = SelectionQueries(ledger.store)
        if self.customer is not None:
            holder, colon, subject = self.customer.partition(":")
            if not colon:
                raise InvalidInput("a customer is named by holder and reference: HOLDER:REFERENCE", member="customer")
            return ("customer", *queries.customer(holder, subject))
        if self.participant is not None:
            return ("participant", *queries.participant(self.participant))
        if self.period is not None:
            since, dots, until = self.period.partition("..")
            if not dots:
                raise InvalidInput("a period is FROM..TO, such as 2026-01-01..2026-02-01", member="period")
            return ("period", *queries.period(_moment(since), _moment(until)))
        return ("all", *queries.all())


def _moment(text: str) -> int:
    """Milliseconds since 1970 of a day or a moment in UTC."""
    try:
        if _DAY.fullmatch(text):
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        pass
    raise InvalidInput(
        f"not a day or a moment in UTC: {text!r}; write 2026-01-31 or 2026-01-31T12:00:00Z", member="period"
    )


@dataclass(frozen=True, slots=True)
class IssuedPack:
    """A pack that was written."""

    items: int
    index: int
    """The entry that records it."""
    compared: bool
    """Whether merkletools built the same tree before it was recorded."""


def issue_pack(ledger: Ledger, selection: Selection, place: Callable[[], Target], *, disclose: bool) -> IssuedPack:
    """Write a pack. `place` opens where it is written to, once it is
    known that there is something to write.

    A participant's pack opens what the participant may read.
    With `disclose` false the items prove that entries are there, and say nothing of what is in them. Raises InvalidInput,
    NotFound, and what recording a document raises: then nothing is written.
    """
    scope, indexes, size = selection.find(ledger)
    if len(indexes) > MAX_ITEMS:
        raise InvalidInput(
            f"{len(indexes)} entries are too many for a pack of at most {MAX_ITEMS}: export a bundle instead"
        )
    entries = [
        entry
        for at in range(0, len(indexes), _PORTION)
        for entry in ledger.records.recorded(indexes[at : at + _PORTION], viewer=selection.participant)
    ]
    entries = _with_histories(ledger, entries, selection.participant)
    target = place()
    pack = bind_pack(entries, scope=scope, size=size, disclose=disclose)
    [issued] = ledger.record_documents(pack.document())
    for path, content in pack.files(ledger.origin, issued):
        target.write(path, content)
    target.close()
    return IssuedPack(len(entries), issued.index, pack.compared)


def _with_histories(ledger: Ledger, entries: list[Recorded], viewer: str | None) -> list[Recorded]:
    """With what the sheets among them rest on, and its withdrawal: without it, nobody can hold a sheet against its history."""
    attested = ledger.registry.histories.attested
    wanted = histories_of(entries)
    wanted |= {at for index in wanted if (at := attested[index].withdrawn_at) is not None}
    wanted -= {entry.index for entry in entries}
    more = ledger.records.recorded(sorted(wanted), viewer=viewer)
    return sorted((*entries, *more), key=lambda entry: entry.index)


def chainpoint(ledger: Ledger, index: int) -> bytes:
    """The proof of one entry in the form of Chainpoint v3. Raises NotFound."""
    [entry] = ledger.records.recorded([index])
    return msgspec.json.encode(chainpoint_proof(entry, leaf_hash(entry.leaf)))
