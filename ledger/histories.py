"""Histories that holders have attested: a fold over declarations, and what a sheet must be (docs/spec/history.md, 4).

Like the registry, which holds it, a value never changes: an entry makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import assert_never

from msgspec import UNSET, Struct, structs

from ledger.canonical import unb64u
from ledger.entries.history_acts import HistoryAct, HistoryAttest, HistoryRow, HistorySheet, HistoryWithdraw, sheet_jti
from ledger.entries.payload import acting_for
from ledger.errors import BadStatement, Conflict, IllegalTransition, InvalidInput, NotFound
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import verify_inclusion


class AttestedHistory(Struct, frozen=True):
    """A history as `holder` attested it at entry `index`; `withdrawn_at`: the entry at which it took that back."""

    holder: str
    says: HistoryAttest
    index: int
    time: int
    """Of its entry (ms)."""
    withdrawn_at: int | None = None


@dataclass(frozen=True, slots=True)
class AttestedHistories:
    """All of them as of some index."""

    attested: Mapping[int, AttestedHistory] = field(default_factory=dict)
    """By the entry of the attestation."""

    def after_declaration(self, principal: str, says: HistoryAct, index: int, time: int) -> AttestedHistories:
        """What this declaration, recorded at `index` and `time` (ms), leads to. Raises Conflict, NotFound."""
        match says:
            case HistoryAttest():
                for known in self.of(principal):
                    if known.says.history == says.history:
                        raise Conflict("this participant used this name before; choose another", member="history")
                    if known.withdrawn_at is None and known.says.source.hash == says.source.hash:
                        raise Conflict(
                            f"this source was brought at entry {known.index} already; if that went wrong, withdraw it first",
                            member="source",
                        )
                return self._with(AttestedHistory(principal, says, index, time))
            case HistoryWithdraw():
                for known in self.of(principal):
                    if known.says.history == says.history and known.withdrawn_at is None:
                        return self._with(structs.replace(known, withdrawn_at=index))
                raise NotFound("this participant has attested no such history, or withdrew it", member="history")
            case _:
                assert_never(says)

    def of(self, holder: str) -> list[AttestedHistory]:
        """Those of one holder, in their order."""
        return [one for one in self.attested.values() if one.holder == holder]

    def require_sheet(self, says: HistorySheet, began: int | None) -> None:
        """The sheet is one of a history that stands, and its rows lie before the customer's own record.

        `began`: the time (ms) of the first entry of the customer's chain, None without one. Raises NotFound,
        IllegalTransition, BadStatement.
        """
        principal = acting_for(says.iss, says.on_behalf_of)
        history = self.attested.get(says.history)
        if history is None or history.holder != principal:
            raise NotFound(f"entry {says.history} is no history that this participant attested", member="history")
        if history.withdrawn_at is not None:
            raise IllegalTransition("this history was withdrawn: nothing is added to it", member="history")
        _require_place(says, history.says)
        for row in says.sheet.rows:
            _require_row(row, history.says, began)

    def _with(self, history: AttestedHistory) -> AttestedHistories:
        return replace(self, attested=MappingProxyType({**self.attested, history.index: history}))


def _require_place(says: HistorySheet, history: HistoryAttest) -> None:
    sheet, root = says.sheet, unb64u(history.root, size=32)
    if (says.iss, says.on_behalf_of) != (history.iss, history.on_behalf_of):
        raise BadStatement("a sheet is signed by who signed the history", member="iss")
    if says.jti != sheet_jti(root, sheet.position):
        raise BadStatement("the jti of a sheet is made of the root and its position", member="jti")
    try:
        path = [unb64u(each, size=32) for each in says.path]
        verify_inclusion(sheet.position, history.sheets, leaf_hash(sheet.encoded()), path, root)
    except InvalidInput as error:
        raise BadStatement(
            f"the sheet is not under the root that was attested: {error.detail}", member="path"
        ) from None


def _require_row(row: HistoryRow, history: HistoryAttest, began: int | None) -> None:
    source, place = history.source, row.place
    if not history.first <= row.time <= history.last:
        raise IllegalTransition("a row lies outside the time that was attested", member="sheet")
    if place.kind != source.kind:
        raise IllegalTransition("a row has the place of another kind of source", member="sheet")
    if place.file is not UNSET and place.file >= source.files:
        raise IllegalTransition("a row is of a file that was not attested", member="sheet")
    if (
        place.block is not UNSET
        and source.first_block is not UNSET
        and source.last_block is not UNSET
        and not source.first_block <= place.block <= source.last_block
    ):
        raise IllegalTransition("a row is of a block that was not attested", member="sheet")
    if began is not None and row.time * 1000 >= began:
        raise IllegalTransition(
            "a row is not before the customer's own record in this log begins: history ends there", member="sheet"
        )
