"""What happens in a participant's own chain: declarations, and what is open after one that cannot be read
(docs/spec/ruleset-3.md, 1 and 10)."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from verifier.errors import Refuted
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf, text_of
from verifier.rules.chain_store import Chain
from verifier.rules.findings import Reporter
from verifier.rules.participants import Registry

UNKNOWN_CHAIN = "declarations of a participant of whom an entry was withheld, erased or unreadable"
UNREAD_ALERT = "decisions about alerts that could not be read"


class Declarations:
    """`judge` the entries of participants' chains in log order; `unread` those that cannot be read. `lost`: the indexes of
    leaves that nobody could read."""

    def __init__(self, tell: Reporter, registry: Registry) -> None:
        self.tell, self.findings, self.registry = tell, tell.findings, registry
        self.lost = array("q")
        self._names: dict[bytes, str] = {}

    def judge(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        """A declaration, which says what it says to all entries above."""
        try:
            # Step 8.15.
            self.registry.declare(facts.act, facts.party, facts.content, self.tell.index, leaf.time)
        except Refuted as refusal:
            if not chain.known:
                self.findings.unchecked[UNKNOWN_CHAIN] += 1
            elif facts.act == "alert.decide" and self._is_lost(facts.content["alert"]):
                self.findings.unchecked[UNREAD_ALERT] += 1
            else:
                self.tell.refuse(refusal)
            return
        if chain.known:
            self.findings.checked["declarations"] += 1
        else:
            self.findings.unchecked[UNKNOWN_CHAIN] += 1

    def _is_lost(self, index: object) -> bool:
        if not isinstance(index, int) or not self.lost:
            return False
        at = bisect_left(self.lost, index)
        return at < len(self.lost) and self.lost[at] == index

    def unread(self, chain: bytes) -> None:
        """An entry of a participant's chain that cannot be read: what it can have said is open from here on."""
        ordered, name = self.registry.supervision, self._name_of(chain)
        participant = self.registry.participants.get(name)
        if participant is None or "regulator" in participant.roles:
            ordered.blind = True
            return
        if "holder" in participant.roles:
            ordered.unread_holders.add(name)
        if "recipient" in participant.roles:
            ordered.unread_recipients.add(name)

    def _name_of(self, chain: bytes) -> str:
        """Whose chain it is; empty if nobody's."""
        if chain not in self._names:
            for name in self.registry.participants:
                self._names[text_of(chain_of(f"participant:{name}"))] = name
        return self._names.get(chain, "")
