"""Cases that go from one authority to another, and the signature for them (docs/spec/ruleset-3.md, 14)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from verifier.bytes.encoding import Object
from verifier.errors import Code, Refuted, refuted
from verifier.rules.registered import Participant

HANDED = frozenset({"case.hand_over", "case.receive"})


class Handed(NamedTuple):
    """What one hand-over says: to whom, and the hash (b64u) of the file."""

    to: str
    pack_hash: str


@dataclass(slots=True)
class Handovers:
    """`declare` both acts in log order. `participants`, `disclosed` (entry of a disclosure -> to whom): only read."""

    participants: dict[str, Participant]
    disclosed: dict[int, str]
    handed: dict[int, Handed] = field(default_factory=dict)
    _received: set[int] = field(default_factory=set)
    _used: set[tuple[str, str]] = field(default_factory=set)

    def declare(self, act: str, party: str, content: Object, index: int) -> None:
        """An act of `party`. Raises Refuted(CONSENT_INVALID): then it says nothing but that its id was used."""
        if act == "case.hand_over":
            self._hand_over(party, content, index)
        else:
            self._receive(party, content)

    def _hand_over(self, party: str, content: Object, index: int) -> None:
        name, to = (party, str(content["handover_id"])), str(content["to"])
        again = name in self._used
        self._used.add(name)
        if again:
            raise _bad("the id was used before", "handover_id", "a new id", name[1])
        opened = content["disclosure"]
        assert isinstance(opened, int)  # noqa: S101 - the form was checked when the statement was read
        if self.disclosed.get(opened) != party:
            raise _bad("no evidence was opened to who hands it over", "disclosure", f"a disclosure to {party}", opened)
        known = self.participants.get(to)
        if to == party or known is None or known.removed or "regulator" not in known.roles:
            raise _bad("a case goes to another authority", "to", "another regulator", to)
        self.handed[index] = Handed(to, str(content["pack_hash"]))

    def _receive(self, party: str, content: Object) -> None:
        at = content["handover"]
        assert isinstance(at, int)  # noqa: S101
        known = self.handed.get(at)
        if known is None or known.to != party:
            raise _bad("the entry hands no case to who signs for it", "handover", f"a case.hand_over to {party}", at)
        if at in self._received:
            raise _bad("the case was signed for before", "handover", "one not signed for yet", at)
        if content["pack_hash"] != known.pack_hash:
            raise _bad("another file was signed for", "pack_hash", known.pack_hash, content["pack_hash"])
        self._received.add(at)


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field=field, expected=expected, found=found)
