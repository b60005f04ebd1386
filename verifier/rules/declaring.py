"""Judges a participant's own chain: declarations, and what stays open after one that cannot be read
(docs/spec/ruleset-3.md, 1 and 10)."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from verifier.bytes.encoding import Object
from verifier.errors import Refuted
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf, text_of
from verifier.rules.chain_store import Chain
from verifier.rules.findings import Reporter
from verifier.rules.handovers import HANDED
from verifier.rules.participants import Registry
from verifier.rules.partners import NAMING, SAID

UNKNOWN_CHAIN = "declarations of a participant of whom an entry was withheld, erased or unreadable"
UNREAD_PARTNER = "declarations about what another participant declared that could not be read"
UNREAD_CASE = "cases handed over, or signed for, that rest on what could not be read"
UNREAD_REMIT = "orders of regulators whose remit may stand in an entry that could not be read"
UNREAD_ALERT = "decisions about alerts that could not be read"


class Declarations:
    """`judge` the entries of participants' chains in log order; `unread` those that cannot be read. `lost`: the indexes of
    leaves that nobody could read."""

    def __init__(self, tell: Reporter, registry: Registry) -> None:
        self.tell, self.findings, self.registry = tell, tell.findings, registry
        self.lost, self._unread = array("q"), array("q")
        self._silent: set[str] = set()
        self._names: dict[bytes, str] = {}

    def judge(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        """A declaration, which says what it says to all entries above."""
        beyond = self._beyond_remit(facts)
        try:
            # Step 8.15.
            if beyond is not None and facts.act != "freeze.order":  # that one is in force all the same
                raise beyond
            self.registry.declare(facts.act, facts.party, facts.content, self.tell.index, leaf.time)
            if beyond is not None:
                raise beyond
        except Refuted as refusal:
            if beyond is not None:  # remits stand in leaves: it is known whatever else cannot be read
                self.tell.refuse(beyond)
            elif not chain.known:
                self.findings.unchecked[UNKNOWN_CHAIN] += 1
                self._unread.append(self.tell.index)
            elif facts.act == "alert.decide" and _holds(self.lost, facts.content["alert"]):
                self.findings.unchecked[UNREAD_ALERT] += 1
            elif facts.act in SAID and self._is_open(facts):
                self.findings.unchecked[UNREAD_PARTNER] += 1
                self._unread.append(self.tell.index)
            elif facts.act in HANDED and self._may_be_handed(facts.act, facts.content):
                self.findings.unchecked[UNREAD_CASE] += 1
                self._unread.append(self.tell.index)
            else:
                self.tell.refuse(refusal)
            return
        if chain.known:
            self.findings.checked["declarations"] += 1
        else:
            self.findings.unchecked[UNKNOWN_CHAIN] += 1

    def is_open(self, party: str, index: object) -> bool:
        """Whether this participant may have said more than could be read, or whether what stands at `index` could not."""
        return party in self._silent or self._is_unread(index)

    def _beyond_remit(self, facts: Facts) -> Refuted | None:
        participant = self.registry.participants.get(facts.party)
        roles = () if participant is None else participant.roles
        beyond = self.registry.orders.remits.beyond(facts.act, facts.party, facts.content, roles)
        if beyond is not None and self.lost:
            self.findings.unchecked[UNREAD_REMIT] += 1
            return None
        return beyond

    def _is_open(self, facts: Facts) -> bool:
        """Whether the entry that an act names, or one of the other's chain, could not be read."""
        partners = self.registry.orders.partners
        named = facts.content.get(NAMING.get(facts.act, ""), -1)
        other = partners.counterpart(facts.act, facts.content)
        return self._is_unread(named) or (other != "" and other in self._silent)

    def _may_be_handed(self, act: str, content: Object) -> bool:
        """Whether a hand-over rests on an operator's document, or a signature for it on a hand-over, that could not be read."""
        return bool(self.lost) if act == "case.hand_over" else self._is_unread(content["handover"])

    def _is_unread(self, index: object) -> bool:
        """Whether the entry may be a declaration of which nobody can say whether it holds."""
        return _holds(self.lost, index) or _holds(self._unread, index)

    def excuses(self, document: Object, refusal: Refuted) -> bool:
        """Whether an approval of an attestation is refused for what could not be read; then it is counted."""
        if refusal.defect.place.field != "document.attestation":
            return False
        excused = self._is_unread(document["attestation"]) or document["participant"] in self._silent
        self.findings.unchecked[UNREAD_PARTNER] += excused
        return excused

    def kept(self) -> list[object]:
        """What a later run needs."""
        return [list(self._unread), sorted(self._silent)]

    def take_up(self, kept: list[object]) -> None:
        """As an earlier run left it."""
        unread, silent = kept
        assert isinstance(unread, list)  # noqa: S101 - our own state file
        assert isinstance(silent, list)  # noqa: S101
        self._unread, self._silent = array("q", unread), set(silent)

    def unread(self, chain: bytes, index: int) -> None:
        """An entry of a participant's chain that cannot be read: what it can have said is open from here on."""
        ordered, name = self.registry.supervision, self._name_of(chain)
        self._unread.append(index)
        self._silent.add(name)
        participant = self.registry.participants.get(name)
        if participant is None or "regulator" in participant.roles:
            ordered.blind = True
            return
        if "holder" in participant.roles:
            ordered.unread_holders.add(name)
        if "recipient" in participant.roles:
            ordered.unread_recipients.add(name)

    def _name_of(self, chain: bytes) -> str:
        """The participant whose chain it is; empty if nobody's."""
        if chain not in self._names:
            for name in self.registry.participants:
                self._names[text_of(chain_of(f"participant:{name}"))] = name
        return self._names.get(chain, "")


def _holds(rising: array[int], index: object) -> bool:
    if not isinstance(index, int) or not rising:
        return False
    at = bisect_left(rising, index)
    return at < len(rising) and rising[at] == index
