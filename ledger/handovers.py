"""Cases that one authority has handed to another: a fold over disclosures and declarations (docs/spec/ruleset-3.md, 14).

Like the registry, which holds it, a value never changes: an entry makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import assert_never

from msgspec import Struct, structs

from ledger.entries.case_acts import CaseAct, CaseHandOver, CaseReceive
from ledger.errors import Conflict, IllegalTransition, NotFound


class CaseHandover(Struct, frozen=True):
    """A case as `author` handed it over at entry `index`; `received_at`: the entry at which the other one has signed for it."""

    author: str
    says: CaseHandOver
    index: int
    time: int
    """Of its entry (ms)."""
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class CaseHandovers:
    """All of them as of some index."""

    disclosed: Mapping[int, str] = field(default_factory=dict)
    """To whom evidence was opened, by the entry of the disclosure."""
    handed: Mapping[int, CaseHandover] = field(default_factory=dict)
    """By the entry of the hand-over."""

    def after_disclosure(self, participant: str, index: int) -> CaseHandovers:
        """What a `disclosure` to this participant, recorded at `index`, leads to."""
        return replace(self, disclosed=MappingProxyType({**self.disclosed, index: participant}))

    def after_declaration(self, principal: str, says: CaseAct, index: int, time: int) -> CaseHandovers:
        """What this declaration, recorded at `index` and `time` (ms), leads to.

        Raises Conflict, NotFound, IllegalTransition.
        That `to` is an authority is the registry's business.
        """
        match says:
            case CaseHandOver():
                if any(
                    (one.author, one.says.handover_id) == (principal, says.handover_id) for one in self.handed.values()
                ):
                    raise Conflict("this participant used this id before; choose another", member="handover_id")
                if self.disclosed.get(says.disclosure) != principal:
                    raise NotFound(
                        f"entry {says.disclosure} is no disclosure to this participant: a case is handed over after its "
                        "evidence was opened",
                        member="disclosure",
                    )
                return self._with(CaseHandover(principal, says, index, time))
            case CaseReceive():
                known = self.handed.get(says.handover)
                if known is None or known.says.to != principal:
                    raise NotFound(f"entry {says.handover} hands no case to this participant", member="handover")
                if known.received_at is not None:
                    raise Conflict("this participant has signed for the case already", member="handover")
                if says.pack_hash != known.says.pack_hash:
                    raise IllegalTransition(
                        "this is not the hash of the file that was handed over: sign for no other file, and ask for the "
                        "right one",
                        member="pack_hash",
                    )
                return self._with(structs.replace(known, received_at=index))
            case _:
                assert_never(says)

    def of_disclosure(self, index: int) -> list[CaseHandover]:
        """The hand-overs of what the disclosure at this entry opened, in their order."""
        return [one for one in self.handed.values() if one.says.disclosure == index]

    def _with(self, handover: CaseHandover) -> CaseHandovers:
        return replace(self, handed=MappingProxyType({**self.handed, handover.index: handover}))
