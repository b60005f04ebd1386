"""The operator's documents about earlier entries: reconciliations, disclosures, packs, erasures
(docs/spec/leaves.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from verifier.bytes.encoding import Object, get_bytes, get_integer, get_text, get_texts
from verifier.errors import Code, Refuted, refuted
from verifier.records.declarations import get_approvers
from verifier.records.terms import CODE, PARTICIPANT
from verifier.rules.registered import Participant
from verifier.rules.supervision import Supervision

CHAIN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

MEMBERS: dict[str, frozenset[str]] = {
    "reconciliation.reported": frozenset(
        {"from_index", "to_index", "accesses", "releases", "receipts", "findings", "findings_hash"}
    ),
    "disclosure": frozenset({"participant", "case", "from_index", "to_index"}),
    "evidence.opened": frozenset({"by", "case", "from_index", "to_index"}),
    "pack.issued": frozenset({"commitment", "items_count", "scope"}),
    "erasure": frozenset({"chains", "basis", "approved_by"}),
}


@dataclass(slots=True)
class AboutEntries:
    """What the documents said so far. `erased`: chain (b64u) -> index of its first erasure; `reported`: the last entry that
    a reconciliation covered. `participants` and `supervision` are the registry's own, and only read."""

    supervision: Supervision
    erased: dict[str, int]
    participants: dict[str, Participant]
    reported: int = -1
    disclosed: dict[int, str] = field(default_factory=dict)
    """Entry of a disclosure -> the participant that evidence was opened to."""

    def fold(self, document: Object, index: int, time: int, ruleset: int) -> None:
        """Apply one document; `time` (ms) is its leaf's, `ruleset` the one in force. Raises Refuted(BAD_ENCODING): then it
        says nothing; Refuted(CONSENT_INVALID): what it claims is taken over all the same."""
        getattr(self, "_" + str(document["type"]).replace(".", "_"))(document, index, time, ruleset)

    def _reconciliation_reported(self, document: Object, index: int, *_: int) -> None:
        """Judges the range that it covers; `access_legs` judges its figures."""
        for name in ("accesses", "releases", "receipts", "findings"):
            get_integer(document, name)
        get_bytes(document, "findings_hash", 32)
        first, last = get_integer(document, "from_index"), get_integer(document, "to_index")
        expected, self.reported = self.reported + 1, last  # taken over even if it is wrong: the next is judged by it
        # Step 8.5.
        if first != expected:
            raise _bad("the report does not begin where the one before it ended", expected, first)
        if not first <= last < index:
            raise _bad("the report covers no entries below it", f"{first} to {index - 1}", last)

    def _disclosure(self, document: Object, index: int, _: int, ruleset: int) -> None:
        name = get_text(document, "participant", 63, PARTICIPANT)
        get_text(document, "case", 64, CODE)
        first, last = get_integer(document, "from_index"), get_integer(document, "to_index")
        told = "approved_by" in document
        approvers = get_approvers(document) if told else ["a", "b"]
        self.disclosed[index] = name
        if name not in self.participants:
            raise _bad("the participant is not registered", "a registered participant", name)
        if told and ruleset < 3:
            raise _bad("the document says who approved it from ruleset 3 onwards", "ruleset 3", f"ruleset {ruleset}")
        if approvers[0] == approvers[1]:
            raise _bad("it needs two different approvers", "two codes", approvers[0])
        if not first <= last < index:
            raise _bad("the disclosure names no entries below it", f"{first} to {index - 1}", last)

    @staticmethod
    def _evidence_opened(document: Object, index: int, *_: int) -> None:
        get_text(document, "by", 64, CODE)
        get_text(document, "case", 64, CODE)
        first, last = get_integer(document, "from_index"), get_integer(document, "to_index")
        if not first <= last < index:
            raise _bad("the disclosure names no entries below it", f"{first} to {index - 1}", last)

    @staticmethod
    def _pack_issued(document: Object, *_: int) -> None:
        get_bytes(document, "commitment", 32)
        get_integer(document, "items_count")
        get_text(document, "scope", 64, CODE)

    def _erasure(self, document: Object, index: int, time: int, ruleset: int) -> None:
        chains = get_texts(document, "chains", 1, 8)
        approvers = get_texts(document, "approved_by", 2, 2)
        get_text(document, "basis", 64, CODE)
        for text in chains:
            if not CHAIN.fullmatch(text):
                raise refuted(Code.BAD_ENCODING, "not a chain", field="chains", found=text)
        for text in approvers:
            if not CODE.fullmatch(text):
                raise refuted(Code.BAD_ENCODING, "not a code", field="approved_by", found=text)
        for text in chains:
            self.erased.setdefault(text, index)
        if approvers[0] == approvers[1]:
            raise _bad("an erasure needs two different approvers", "two codes", approvers[0])
        if ruleset >= 3 and self.supervision.is_held(chains, time):
            raise _bad("a chain is under a hold", "chains that no hold names", ", ".join(chains))


def _bad(sentence: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field="document", expected=expected, found=found)
